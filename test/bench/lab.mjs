/** `qrun up` of a lab of eight VMs that stand still, against the same eight bare QEMUs, one after another. */
import { bareArgv, killBare } from './bare-qemu.mjs';
import { standingProfile } from './detached.mjs';
import { Home } from './place.mjs';
import { isQemu, readProcessesOf, waitUntilGone } from './processes.mjs';
import { takeTurns } from './rounds.mjs';

const names = Array.from({ length: 8 }, (_, index) => `p${index + 1}`);
const middle = names.slice(1, 7);
/** As labs are: one first, then those that need it, then one that needs them all. */
const ordered = ['p1:', ...middle.map((name) => `${name}: { after: p1 }`), `p8: { after: [${middle.join(', ')}] }`];

export const lab = {
  name: 'lab',
  async run(bench) {
    const home = new Home(bench.place, 'lab');
    for (const name of names) home.profile(name, standingProfile);
    home.write('side-by-side.yaml', `vms: [${names.join(', ')}]\n`);
    home.write('ordered.yaml', `vms:\n${ordered.map((line) => `  ${line}\n`).join('')}`);
    const bare = names.map((name) => bareArgv(JSON.parse(home.qrun('show', '--json', name)), home.bare, name));
    const times = await takeTurns(
      {
        bare: () => timeBare(home, bare),
        up: () => timeUp(bench, home, 'side-by-side.yaml'),
        ordered: () => timeUp(bench, home, 'ordered.yaml'),
        first: () => {
          home.reset();
          return timeUp(bench, home, 'side-by-side.yaml');
        },
      },
      bench.turns,
    );
    const against = '8 times bare QEMU, one after another';
    bench.ratio({ name: 'qrun up of 8 VMs', against, bound: 1.5, times, of: 'up', to: 'bare' });
    bench.ratio({
      name: 'qrun up of 8 VMs, in an order of three',
      against,
      bound: 1.5,
      times,
      of: 'ordered',
      to: 'bare',
    });
    bench.ratio({ name: 'qrun up of 8 VMs, first runs', against, bound: 1.5, times, of: 'first', to: 'bare' });
  },
};

async function timeBare(home, argvs) {
  const ms = argvs.reduce((sum, argv) => sum + home.time(argv), 0);
  for (const name of names) killBare(home.bare, name);
  await waitUntilGone(home.dir);
  return ms;
}

async function timeUp(bench, home, file) {
  const ms = home.timeQrun('up', '-q', file);
  const qemus = readProcessesOf(home.dir).filter(isQemu).length;
  bench.check('8 VMs run after up', qemus === names.length, `${qemus}`);
  home.qrun('kill', '-q', ...names);
  await waitUntilGone(home.dir);
  return ms;
}
