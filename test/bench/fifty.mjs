/** Fifty VMs of one user's on one bridge, by the helper, started by one command; against fifty scripts that do the same. */
import { readdirSync } from 'node:fs';
import { standingProfile } from './detached.mjs';
import { byHand, endByHand, must, readLinks, userHome } from './links-kinds.mjs';
import { isQemu, readProcessesOf, waitUntilGone } from './processes.mjs';
import { takeTurns } from './rounds.mjs';

const count = 50;
const names = Array.from({ length: count }, (_, index) => `p${index + 1}`);
/** As many as qrun starts side by side. */
const atOnce = 8;
const mostRounds = 5;

export async function fifty(bench) {
  const home = userHome(bench.place, 'fifty');
  for (const name of names) home.profile(name, `${standingProfile}nics: [bridge:br0]\n`);
  const bare = names.map((name) => byHand(JSON.parse(home.qrun('show', '--json', name)), home, name));
  const before = readLinks();
  const { rounds, ...turns } = bench.turns;
  const times = await takeTurns(
    {
      bare: async () => {
        const ms = bare.reduce((sum, { argv }) => sum + home.time(argv), 0);
        await endByHand(home, ...bare);
        return ms;
      },
      beside: async () => {
        const ms = await home.timeAll(
          bare.map(({ argv }) => argv),
          atOnce,
        );
        await endByHand(home, ...bare);
        return ms;
      },
      first: () => {
        home.reset();
        return timeQrun(bench, home, before);
      },
      again: () => timeQrun(bench, home, before),
    },
    { ...turns, rounds: Math.min(rounds, mostRounds), warmUps: 0 },
  );
  const [one, eight] = [`${count} scripts, one after another`, `${count} scripts, ${atOnce} at a time`];
  const what = `qrun run -d p1 … p${count} on a bridge`;
  bench.ratio({ name: `${what}, first runs`, against: one, bound: 2, times, of: 'first', to: 'bare' });
  bench.ratio({ name: `${what}, again`, against: one, bound: 2, times, of: 'again', to: 'bare' });
  bench.ratio({ name: `${what}, first runs`, against: eight, times, of: 'first', to: 'beside' });
  bench.ratio({ name: `${what}, again`, against: eight, times, of: 'again', to: 'beside' });
}

async function timeQrun(bench, home, before) {
  const ms = home.timeQrun('run', '-q', '-d', ...names);
  checkAll(bench, home);
  home.qrun('kill', '-q', ...names);
  await waitUntilGone(home.dir);
  const links = readLinks();
  const files = readdirSync(home.runtime);
  const running = JSON.parse(home.qrun('ps', '--json'));
  bench.check(`links are as before, ${count} VMs`, links.join() === before.join(), links.slice(0, 3).join(' '));
  bench.check(
    `nothing is left after kill, ${count} VMs`,
    files.length + running.length === 0,
    files.slice(0, 3).join(' '),
  );
  return ms;
}

/** Told by QEMU's own arguments and by the kernel, not by qrun alone. */
function checkAll(bench, home) {
  const macs = readProcessesOf(home.dir)
    .filter(isQemu)
    .flatMap(({ argv }) => argv.join('\n').match(/(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/g) ?? []);
  const ports = JSON.parse(must('ip -j link show master br0')).map(({ ifname }) => ifname);
  const told = JSON.parse(home.qrun('ps', '--json')).flatMap(({ nics }) =>
    nics.map(({ hostInterface }) => hostInterface),
  );
  const all = (list) => list.length === count && new Set(list).size === count;
  bench.check(`${count} VMs have MACs of their own on a bridge`, all(macs), `${new Set(macs).size}`);
  bench.check(
    `${count} VMs have taps of their own on a bridge, and ps tells them`,
    all(told) && told.toSorted().join() === ports.toSorted().join(),
    `${new Set(told).size} told, ${ports.length} on the bridge`,
  );
}
