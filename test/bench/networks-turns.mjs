/** `qrun net up` and `net down` against virsh and against the plan's own steps by hand, in turns. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { must, readLinks, rootHome } from './links-kinds.mjs';
import { startNetworkLibvirt } from './networks-libvirt.mjs';
import { readProcessesOf, waitUntilGone } from './processes.mjs';
import { takeTurns } from './rounds.mjs';

const count = 20;
const names = Array.from({ length: count }, (_, index) => `n${index + 1}`);
const forwardCount = 200;
const mostRounds = 7;
/** A turn takes twenty times as long. */
const fewRounds = 3;

/** libvirt's own default network has these. */
const natOf = (third) => `scope: system\nforward: nat\naddresses: [192.168.${third}.1/24]\n`;

function homeWith(place, name, definitions) {
  const home = rootHome(place, name);
  home.mkdir('c/networks');
  for (const [network, yaml] of Object.entries(definitions)) home.write(`c/networks/${network}.yaml`, yaml);
  return home;
}

/** What a network adds to. */
const readHost = () => [...readLinks(), ...must('nft list tables').split('\n').toSorted()].join(' ');

function checkGone(bench, before) {
  const after = readHost();
  bench.check('links and tables are as before', after === before, after);
}

export async function oneNetwork(bench) {
  const home = homeWith(bench.place, 'one', { default: natOf(122) });
  const libvirt = await startNetworkLibvirt(homeWith(bench.place, 'libvirt', {}));
  if (libvirt.why !== undefined) bench.skip('qrun net up / virsh net-start', libvirt.why);
  try {
    const hand = byHand(home);
    const before = readHost();
    const downs = { bare: [], qrun: [], virsh: [] };
    const turn = (side, { up, down }) => [
      side,
      async () => {
        const ms = up();
        downs[side].push(down());
        if (side !== 'virsh') await waitUntilGone(home.dir);
        return ms;
      },
    ];
    const times = await takeTurns(
      Object.fromEntries([
        ['node', () => home.timeNode()],
        turn('bare', hand),
        turn('qrun', {
          up: () => timeUp(bench, home),
          down: () => timeDown(bench, { home, before, names: ['default'], clean: libvirt.why !== undefined }),
        }),
        ...(libvirt.why === undefined ? [turn('virsh', libvirt)] : []),
      ]),
      bench.turns,
    );
    const { rounds } = bench.turns;
    const down = Object.fromEntries(
      Object.entries({ node: times.node, ...downs })
        .filter(([, list]) => list.length > 0)
        .map(([side, list]) => [side, list.slice(-rounds)]),
    );
    if (libvirt.why === undefined) {
      const [to, of] = ['virsh', 'qrun'];
      bench.ratio({ name: 'qrun net up', against: 'virsh net-start', bound: 0.8, aim: 0.5, times, of, to });
      bench.ratio({ name: 'qrun net down', against: 'virsh net-destroy', bound: 0.25, aim: 0.17, times: down, of, to });
    }
    const value = ({ qrun, bare, node }) => (qrun - bare) / node;
    bench.figure({ name: 'qrun net up, beyond the same by hand', against: 'node -e 0', times, value });
    bench.figure({ name: 'qrun net down, beyond the same by hand', against: 'node -e 0', times: down, value });
  } finally {
    await libvirt.end?.();
  }
}

function timeUp(bench, home) {
  const ms = home.timeQrun('net', 'up', '-q', 'default');
  const programs = readProcessesOf(home.dir).filter(isDnsmasq);
  bench.check('dnsmasq runs, and has the bridge', programs.length === 1, `${programs.length}`);
  return ms;
}

const isDnsmasq = ({ argv }) => /(^|\/)dnsmasq$/.test(argv[0] ?? '');

/** `clean`: nobody else has left rules (libvirt's chains stay). */
function timeDown(bench, { home, before, names: down, clean = true }) {
  const ms = home.timeQrun('net', 'down', '-q', ...down);
  const left = readProcessesOf(home.dir);
  bench.check('no process is left after net down', left.length === 0, left[0]?.argv.join(' '));
  if (clean) checkGone(bench, before);
  return ms;
}

/** The same link, rules and program, from the plan: dnsmasq goes into the background when it is ready. */
function byHand(home, name = 'default') {
  const { steps } = JSON.parse(home.qrun('net', 'show', '--json', name));
  const actions = steps.flatMap(({ actions }) => actions);
  const stdinOf = (tool) => actions.find(({ argv, stdin }) => argv?.[0] === tool && stdin !== undefined)?.stdin;
  const pid = path.join(home.bare, `${name}.pid`);
  const config = actions
    .find(({ op, path: file }) => op === 'write' && file.endsWith('dnsmasq.conf'))
    .content.replace(/^keep-in-foreground\n/m, '')
    .replace(/^log-facility=-\n/m, '')
    .replace(/^pid-file=.*$/m, `pid-file=${pid}`)
    .replaceAll(
      /^(dhcp-leasefile|dhcp-hostsfile)=.*$/gm,
      (_, key) => `${key}=${path.join(home.bare, `${name}.${key}`)}`,
    );
  home.write(`b/${name}.dhcp-hostsfile`, '');
  const conf = home.write(`b/${name}.conf`, `user=root\n${config}`);
  const ip = home.write(`b/${name}.ip`, stdinOf('ip'));
  const rules = home.write(`b/${name}.nft`, stdinOf('nft'));
  const link = /^link add (?:name )?(\S+)/m.exec(stdinOf('ip'))?.[1];
  const tables = [
    ...new Set(
      [...readFileSync(rules, 'utf8').matchAll(/"table":\{"family":"(\w+)","name":"(\w+)"/g)].map(
        ([, family, table]) => `delete table ${family} ${table}`,
      ),
    ),
  ];
  const undo = home.write(`b/${name}.undo`, `${tables.join('\n')}\n`);
  const shell = (line) => ['/bin/sh', '-c', line];
  return {
    up: () =>
      home.time(
        shell(
          `set -e; ip -batch ${ip}; echo 1 >/proc/sys/net/ipv4/ip_forward; nft -j -f ${rules}; dnsmasq --conf-file=${conf}`,
        ),
      ),
    down: () => {
      if (!existsSync(pid)) throw new Error('dnsmasq has no pid file');
      const id = readFileSync(pid, 'utf8').trim();
      return home.time(
        shell(
          `set -e; kill ${id}; nft -f ${undo}; ip link delete dev ${link}; while [ -e ${pid} ]; do sleep 0.002; done`,
        ),
      );
    },
  };
}

/** One command for all of them. */
export async function manyNetworks(bench) {
  const home = homeWith(
    bench.place,
    'many',
    Object.fromEntries(names.map((name, index) => [name, natOf(130 + index)])),
  );
  const hands = names.map((name) => byHand(home, name));
  const before = readHost();
  const { rounds, ...turns } = bench.turns;
  const downs = { bare: [], qrun: [] };
  const sum = (list) => list.reduce((all, ms) => all + ms, 0);
  const most = Math.min(rounds, fewRounds);
  const times = await takeTurns(
    {
      bare: async () => {
        const ms = sum(hands.map(({ up }) => up()));
        downs.bare.push(sum(hands.map(({ down }) => down())));
        await waitUntilGone(home.dir);
        return ms;
      },
      qrun: async () => {
        const ms = home.timeQrun('net', 'up', '-q', ...names);
        const programs = readProcessesOf(home.dir).filter(isDnsmasq);
        const bridges = JSON.parse(must('ip -j link show type bridge')).length;
        bench.check(
          `${count} networks are up`,
          programs.length === count && bridges === count,
          `${programs.length} dnsmasq, ${bridges} bridges`,
        );
        downs.qrun.push(timeDown(bench, { home, before, names }));
        await waitUntilGone(home.dir);
        return ms;
      },
    },
    { ...turns, rounds: most, warmUps: 1 },
  );
  const against = `${count} times the same by hand, one after another`;
  const down = Object.fromEntries(Object.entries(downs).map(([side, list]) => [side, list.slice(-most)]));
  bench.ratio({ name: `qrun net up n1 … n${count}`, against, times, of: 'qrun', to: 'bare' });
  bench.ratio({ name: `qrun net down n1 … n${count}`, against, times: down, of: 'qrun', to: 'bare' });
}

/** In a network of its own the ports are free. */
export async function manyForwards(bench) {
  const rules = Array.from(
    { length: forwardCount },
    (_, index) => `"0.0.0.0:${20_001 + index}:192.168.123.${2 + index}:80"`,
  );
  const home = homeWith(bench.place, 'forwards', {
    none: natOf(123),
    many: `${natOf(123)}forwards: [${rules.join(', ')}]\n`,
  });
  // one subnet: the other is not defined when it is its turn
  const other = (name) => path.join(home.config, 'networks', `${name}.yaml`);
  const before = readHost();
  const side = (name, away) => async () => {
    must(`mv ${other(away)} ${other(away)}.away`);
    try {
      const ms = home.timeQrun('net', 'up', '-q', name);
      const { forwards } = JSON.parse(home.qrun('net', 'info', '--json', name));
      const wanted = name === 'many' ? forwardCount : 0;
      bench.check(
        `${forwardCount} forwards are in force`,
        forwards.length === wanted,
        `${forwards.length} of ${wanted}`,
      );
      timeDown(bench, { home, before, names: [name] });
      return ms;
    } finally {
      must(`mv ${other(away)}.away ${other(away)}`);
    }
  };
  const { rounds, ...turns } = bench.turns;
  const times = await takeTurns(
    { none: side('none', 'many'), many: side('many', 'none') },
    { ...turns, rounds: Math.min(rounds, 2 * mostRounds) },
  );
  bench.ratio({
    name: `qrun net up with ${forwardCount} forwards`,
    against: 'with none',
    bound: 2,
    times,
    of: 'many',
    to: 'none',
  });
}
