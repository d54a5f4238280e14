/** How long a command takes that starts nothing, in units of `node -e 0`. */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Home } from './place.mjs';
import { takeTurns } from './rounds.mjs';

export const typicalProfile = `description: web server
cpus: 2
memory: 1G
accel: tcg
disks:
  - file: web1.qcow2
    format: qcow2
  - file: data.raw
    format: raw
nics:
  - kind: user
    id: net0
    forwards: ["127.0.0.1:10022:22", "8080:80", "5353:53/udp"]
`;

export function createTypicalHome(place, name) {
  const home = new Home(place, name);
  home.profile('web1', typicalProfile);
  for (const other of ['db', 'gateway', 'mail', 'test']) home.profile(other, 'memory: 256M\naccel: tcg\n');
  home.read(['qemu-img', 'create', '-q', '-f', 'qcow2', path.join(home.config, 'profiles/web1.qcow2'), '2G']);
  home.read(['qemu-img', 'create', '-q', '-f', 'raw', path.join(home.config, 'profiles/data.raw'), '64M']);
  return home;
}

const commands = [
  { name: '--version', args: ['--version'], bound: 1.2, says: /^\d+\.\d+\.\d+/ },
  { name: 'ls', args: ['ls'], bound: 1.7, says: /web1/ },
  { name: '--help', args: ['--help'], bound: 1.7, says: /\brun\b/ },
  { name: 'completion (a TAB)', args: ['__complete', 'show', 'we'], bound: 1.7, says: /web1/ },
  { name: 'completion bash', args: ['completion', 'bash'], bound: 1.7, says: /complete/ },
  { name: 'show', args: ['show', 'web1'], bound: 2.3, says: /52:54:00/ },
];

export const startUp = {
  name: 'start-up',
  async run(bench) {
    const home = createTypicalHome(bench.place, 'start');
    for (const command of commands)
      await bench.part(`start-up ${command.name}`, () => measureWarm(bench, home, command));
    await bench.part('start-up without a code cache', () => measureFirst(bench, home));
  },
};

async function measureWarm(bench, home, { name, args, bound, says }) {
  const said = home.qrun(...args);
  if (!says.test(said)) throw new Error(`qrun ${args.join(' ')} printed ${JSON.stringify(said.slice(0, 100))}`);
  const times = await takeTurns({ node: () => home.timeNode(), qrun: () => home.timeQrun(...args) }, bench.turns);
  bench.ratio({ name: `qrun ${name}`, against: 'node -e 0', bound, times, of: 'qrun', to: 'node' });
}

async function measureFirst(bench, home) {
  const times = await takeTurns(
    {
      node: () => home.timeNode(),
      qrun: () => {
        removeCodeCache(home);
        return home.timeQrun('show', 'web1');
      },
    },
    bench.turns,
  );
  bench.ratio({
    name: 'qrun show, without a code cache',
    against: 'node -e 0',
    bound: 6,
    times,
    of: 'qrun',
    to: 'node',
  });
}

function removeCodeCache(home) {
  for (const name of readdirSync(home.cache)) if (name.startsWith('code-')) rmSync(path.join(home.cache, name));
}
