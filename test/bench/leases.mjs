/** What a first look at a new VM costs when there are few MAC leases, and when there are many. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Home } from './place.mjs';
import { takeTurns } from './rounds.mjs';

export const leases = {
  name: 'leases',
  async run(bench) {
    const few = createLeases(bench.place, 10);
    const many = createLeases(bench.place, 10_000);
    const times = await takeTurns({ few: () => timeNew(few), many: () => timeNew(many) }, bench.turns);
    bench.ratio({
      name: 'a new VM with 10 000 leases',
      against: 'with 10 leases',
      bound: 1.5,
      times,
      of: 'many',
      to: 'few',
    });
  },
};

let made = 0;
const timeNew = (home) => home.timeQrun('show', 'base', '--name', `new-${made++}`);

/** qrun makes the first one; the others are that one with other names and addresses, so they are as it writes them. */
function createLeases(place, count) {
  const home = new Home(place, `leases-${count}`);
  home.profile('base', 'memory: 64M\naccel: tcg\n');
  const { mac } = macOf(home, 'seed-0');
  const claims = path.join(home.state, 'leases/macs');
  const [claimName] = readdirSync(claims);
  const claim = readFileSync(path.join(claims, claimName), 'utf8');
  const own = readFileSync(path.join(home.state, 'vms/seed-0/leases.json'), 'utf8');
  const separator = claimName.replaceAll(/[0-9a-f]/gi, '').charAt(0);
  let last = '';
  for (let n = 1; n < count; n++) {
    const name = `seed-${n}`;
    last = numberedMac(n, mac);
    mkdirSync(path.join(home.state, 'vms', name), { mode: 0o700 });
    const text = own.replaceAll('seed-0', name).replaceAll(mac, last);
    writeFileSync(path.join(home.state, 'vms', name, 'leases.json'), text, { mode: 0o600 });
    const file = path.join(claims, last.replaceAll(':', separator));
    writeFileSync(file, claim.replaceAll('seed-0', name).replaceAll(mac, last), { mode: 0o600 });
  }
  // qrun must take them for its own
  const read = macOf(home, `seed-${count - 1}`).mac;
  if (read !== last) throw new Error(`qrun does not know a lease that was made for it: ${read} instead of ${last}`);
  return home;
}

const macOf = (home, name) => JSON.parse(home.qrun('show', '--json', 'base', '--name', name)).nics[0];

/** Spread over the whole range, never `not`, never of QEMU's own default block. */
function numberedMac(n, not) {
  const suffix = ((n * 1637) % 0xffffff).toString(16).padStart(6, '0').match(/../g).join(':');
  const mac = `52:54:00:${suffix}`;
  return mac === not || suffix.startsWith('12:34')
    ? `52:54:00:ff:${n.toString(16).padStart(4, '0').replace(/(..)/, '$1:')}`
    : mac;
}
