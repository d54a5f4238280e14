/** A hundred detached VMs: by one command, and by a hundred of them. */
import { readdirSync } from 'node:fs';
import { bareArgv, killBare } from './bare-qemu.mjs';
import { standingProfile } from './detached.mjs';
import { Home } from './place.mjs';
import { isQemu, killProcessesOf, readProcessesOf, readPssBytes, waitUntilGone } from './processes.mjs';
import { takeTurns } from './rounds.mjs';

const count = 100;
const names = Array.from({ length: count }, (_, index) => `p${index + 1}`);

export const hundred = {
  name: 'hundred',
  async run(bench) {
    const home = new Home(bench.place, 'hundred');
    for (const name of names) home.profile(name, standingProfile);
    await bench.part('100 VMs by one command', () => measureOne(bench, home));
    await bench.part('100 commands, 8 at a time', () => measureMany(bench, home, 8));
    await bench.part('100 commands at once', () => measureMany(bench, home, count));
  },
};

async function measureOne(bench, home) {
  home.reset();
  const plans = names.map((name) => JSON.parse(home.qrun('show', '--json', name)));
  const bare = plans.map((plan, index) => bareArgv(plan, home.bare, names[index]));
  const times = await takeTurns(
    {
      bare: () => timeBare(home, bare),
      first: async () => {
        home.reset();
        const ms = timeOne(bench, home);
        await killAll(bench, home);
        return ms;
      },
      again: () => {
        const ms = timeOne(bench, home);
        // quicker than a hundred releases; what they would have removed goes with the next reset
        killProcessesOf(home.dir);
        return ms;
      },
    },
    { ...bench.turns, warmUps: 0 },
  );
  const against = '100 times bare QEMU, one after another';
  bench.ratio({ name: 'qrun run -d p1 … p100, first runs', against, bound: 2, times, of: 'first', to: 'bare' });
  bench.ratio({ name: 'qrun run -d p1 … p100, again', against, bound: 2, times, of: 'again', to: 'bare' });
}

async function timeBare(home, argvs) {
  const ms = argvs.reduce((sum, argv) => sum + home.time(argv), 0);
  for (const name of names) killBare(home.bare, name);
  await waitUntilGone(home.dir);
  return ms;
}

function timeOne(bench, home) {
  const ms = home.timeQrun('run', '-q', '-d', ...names);
  checkAll(bench, home, 'by one command');
  reportMemory(bench, home);
  return ms;
}

async function measureMany(bench, home, atOnce) {
  home.reset();
  const what = atOnce === count ? 'by 100 commands at once' : `by 100 commands, ${atOnce} at a time`;
  const ms = await home.timeAll(
    names.map((name) => home.qrunArgv('run', '-q', '-d', name)),
    atOnce,
  );
  checkAll(bench, home, what);
  bench.note(`100 first runs ${what}: ${(ms / 1000).toFixed(1)} s`);
  await killAll(bench, home);
}

/** Told by QEMU's own arguments, not by qrun. */
function checkAll(bench, home, what) {
  const qemus = readProcessesOf(home.dir).filter(isQemu);
  const macs = qemus.flatMap(({ argv }) => argv.join('\n').match(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g) ?? []);
  const paused = JSON.parse(home.qrun('ps', '--json')).length;
  bench.check(
    `100 VMs run, ${what}`,
    qemus.length === count && paused === count,
    `${qemus.length} QEMUs, ${paused} in ps`,
  );
  bench.check(
    `100 different MACs, ${what}`,
    macs.length === count && new Set(macs).size === count,
    `${new Set(macs).size}`,
  );
}

function reportMemory(bench, home) {
  const others = readProcessesOf(home.dir).filter((found) => !isQemu(found));
  const bytes = others.reduce((sum, { pid }) => sum + readPssBytes(pid), 0);
  bench.sample({
    name: 'memory beside QEMU, each VM (PSS)',
    unit: 'MB',
    bound: 3,
    value: bytes / count / 1e6,
  });
}

async function killAll(bench, home) {
  home.qrun('kill', '-q', ...names);
  await waitUntilGone(home.dir);
  const sockets = readdirSync(home.runtime);
  const running = JSON.parse(home.qrun('ps', '--json'));
  bench.check('nothing is left after kill', sockets.length + running.length === 0, sockets.slice(0, 3).join(' '));
}
