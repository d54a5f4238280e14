/**
 * Guest to guest: two real guests with a NIC on each transport, so that what is compared differs in nothing else. How long a transfer by TCP takes, and
 * how long an echo is on its way.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildGuest } from '../guest/build.mjs';
import { cacheDir, testUser } from '../setup/places.mjs';
import { GuestConsole } from './guest-console.mjs';
import { Home } from './place.mjs';
import { waitUntilGone } from './processes.mjs';
import { median, takeTurns } from './rounds.mjs';

/** Small: an emulated guest moves a few megabytes a second, and less when others want the processors too. */
const megabytes = 8;
const echoes = 100;
/** Of this bench's own, so that others do not meet it. */
const udpPort = 20_000 + (process.pid % 5000) * 2;

/** By name: what each end's NIC is, and the definition of the network where it is one. `stream` is the shortest way there is: all are told against it. */
const transports = (dir) => ({
  stream: { ends: [`kind: stream, listen: ${dir}/s.sock`, `kind: stream, connect: ${dir}/s.sock`] },
  dgram: {
    ends: [
      `kind: dgram, local: ${dir}/a.sock, remote: ${dir}/b.sock`,
      `kind: dgram, local: ${dir}/b.sock, remote: ${dir}/a.sock`,
    ],
  },
  'dgram (UDP)': {
    ends: [
      `kind: dgram, local: "127.0.0.1:${udpPort}", remote: "127.0.0.1:${udpPort + 1}"`,
      `kind: dgram, local: "127.0.0.1:${udpPort + 1}", remote: "127.0.0.1:${udpPort}"`,
    ],
  },
  mcast: both(`kind: mcast, group: "230.99.${process.pid % 250}.1:${udpPort}"`),
  hub: { ...both('kind: network, network: hub'), network: 'hub' },
  ...(existsSync('/usr/bin/vde_switch') && { vde: { ...both('kind: network, network: vde'), network: 'vde' } }),
});

const both = (nic) => ({ ends: [nic, nic] });
/** The first addresses of a network are its own. */
const addressOf = (index, end) => `10.99.${index}.${end + 11}`;

export const guests = {
  name: 'guests',

  /** As whoever started the bench: the guest is kept for the tests, too. */
  prepare: ({ say }) => buildGuest({ cacheDir: cacheDir(testUser()), say }),

  async run(bench, guest) {
    const home = new Home(bench.place, 'guests');
    const sides = transports(home.mkdir('cables'));
    if (sides.vde === undefined) bench.skip('guest to guest over vde', 'no vde_switch: apt-get install vde2');
    writeDefinitions(home, sides, guest);
    home.qrun('run', '-q', '-d', 'a');
    home.qrun('run', '-q', '-d', 'b');
    const consoles = await openConsoles(home);
    try {
      const [a, b] = consoles;
      await b.run(`dd if=/dev/zero of=/www/blob bs=1M count=${megabytes} 2>/dev/null`);
      for (const index of Object.keys(sides).keys()) await a.run(untilThere(addressOf(index, 1)));
      const measure = (what) =>
        Object.fromEntries(Object.keys(sides).map((name, index) => [name, () => what(a, addressOf(index, 1))]));
      report(bench, `${megabytes} MB by TCP`, await takeTurns(measure(timeTransfer), bench.turns));
      report(bench, 'an echo', await takeTurns(measure(timeEcho), bench.turns));
    } finally {
      for (const one of consoles) one.close();
    }
    home.qrun('kill', '-q', 'a', 'b');
    await waitUntilGone(home.dir);
  },
};

function report(bench, what, times) {
  for (const name of Object.keys(times).filter((side) => side !== 'stream')) {
    const { stream, [name]: own } = times;
    bench.ratio({
      name: `${what} over ${name}`,
      against: 'stream',
      times: { stream, [name]: own },
      of: name,
      to: 'stream',
    });
  }
  const medians = Object.entries(times).map(([name, ms]) => [name, median(ms)]);
  const shown =
    what === 'an echo'
      ? medians.map(([name, ms]) => `${name} ${Math.round(ms * 1000)} µs`)
      : medians.map(([name, ms]) => `${name} ${((megabytes * 1000) / ms).toFixed(0)} MB/s`);
  bench.note(`${what}, from guest to guest: ${shown.join(', ')}`);
}

function writeDefinitions(home, sides, { vmlinuz, initrd, append }) {
  home.mkdir('c/networks');
  Object.entries(sides).forEach(([name, { network }], index) => {
    if (network === undefined) return;
    const addresses = `addresses: ["${addressOf(index, 243)}/24"]`;
    home.write(
      `c/networks/${name}.yaml`,
      `forward: isolated\nscope: user\ntransport: ${name}\n${addresses}\ndhcp: false\n`,
    );
  });
  ['a', 'b'].forEach((vm, end) => {
    const nics = Object.values(sides).map(({ ends }, index) => ({
      nic: ends[end],
      mac: `52:54:00:99:0${index}:0${end}`,
    }));
    const statics = nics.map(({ mac }, index) => `qrun.ip=${mac}=${addressOf(index, end)}/24`).join(' ');
    home.profile(
      vm,
      [
        'accel: tcg',
        'memory: 160',
        'console: none',
        `kernel: ${vmlinuz}`,
        `initrd: ${initrd}`,
        `append: ${append} qrun.name=${vm} ${statics}`,
        'nics:',
        ...nics.map(({ nic, mac }) => `  - { ${nic}, mac: "${mac}" }`),
        '',
      ].join('\n'),
    );
  });
}

async function openConsoles(home) {
  const consoles = [];
  for (const vm of ['a', 'b']) {
    home.qrun('wait', '-q', vm, '--for', 'text:qrun-guest: up', '--timeout', '150');
    const console = await GuestConsole.open(path.join(home.runtime, vm, 'console'));
    await console.run(':');
    consoles.push(console);
  }
  return consoles;
}

const untilThere = (address) => `until ping -c 1 -W 1 ${address} >/dev/null 2>&1; do sleep 0.2; done`;

/** From the other guest's HTTP server. The guest's own clock counts hundredths of a second. */
async function timeTransfer(console, address) {
  const clock = (name) => `read -r ${name} idle </proc/uptime`;
  const get = `wget -q -O /dev/null http://${address}/blob`;
  const said = await console.run(`${clock('begin')}; ${get} && ${clock('end')} && echo took $begin $end`);
  const [, begin, end] = /took ([\d.]+) ([\d.]+)/.exec(said) ?? [];
  if (end === undefined) throw new Error(`a transfer from ${address} said ${said}`);
  return (Number(end) - Number(begin)) * 1000;
}

/** One after the other, each as soon as the one before is answered. */
async function timeEcho(console, address) {
  const said = await console.run(`ping -A -q -c ${echoes} -W 2 ${address}`);
  const average = /min\/avg\/max = [\d.]+\/([\d.]+)\//.exec(said)?.[1];
  if (average === undefined) throw new Error(`a ping of ${address} said ${said}`);
  return Number(average);
}
