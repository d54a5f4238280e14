/** One VM on a bridge, a tap, a macvtap: `qrun run -d` against a shell script that does the same steps, in turns. */
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { bareArgv, killBare } from './bare-qemu.mjs';
import { standingProfile } from './detached.mjs';
import { Home } from './place.mjs';
import { waitUntilEnded, waitUntilGone } from './processes.mjs';
import { takeTurns } from './rounds.mjs';

/** Root's, at once. @throws Error */
export function must(line) {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${line}: ${stderr}`);
  return stdout;
}

/** Names of the links that there are. */
export const readLinks = () =>
  JSON.parse(must('ip -j link'))
    .map(({ ifname }) => ifname)
    .toSorted();

export const rootHome = (place, name) => {
  const home = new Home(place, name, { env: { QRUN_HOST_DIR: path.join(place.dir, `${name}-h`) } });
  // the user whom root's QEMU runs as writes its sockets there when it is started by hand
  chmodSync(home.bare, 0o777);
  return home;
};
export const userHome = (place, name, env) => new Home(place, name, { as: place.user, env });

/** @returns {{name: string, begin: () => Home, end?: () => void}[]} each with what has to be there before */
export function kindsOn(place) {
  const standing = (home, nic) => {
    home.profile('p1', `${standingProfile}nics: [${nic}]\n`);
    return home;
  };
  return [
    {
      name: 'a bridge (the helper)',
      begin: () => standing(userHome(place, 'bridge'), '{ kind: bridge, bridge: br0 }'),
    },
    {
      name: 'a tap of the user’s',
      begin: () => {
        must(`ip tuntap add dev pt0 mode tap user ${place.user.uid} vnet_hdr && ip link set dev pt0 master br0 up`);
        return standing(userHome(place, 'tap'), '{ kind: tap, device: pt0 }');
      },
      end: () => must('ip link delete dev pt0'),
    },
    {
      name: 'a tap that is made (root)',
      begin: () => standing(rootHome(place, 'taproot'), '{ kind: tap, bridge: br0 }'),
    },
    {
      name: 'a macvtap that is made (root)',
      begin: () => standing(rootHome(place, 'mvt'), '{ kind: macvtap, parent: v0 }'),
    },
    macvtapPort(place, standing),
  ];
}

/** One of a network of root's, for the user. */
function macvtapPort(place, standing) {
  let root;
  return {
    name: 'a macvtap’s port of the user’s',
    begin: () => {
      root = rootHome(place, 'ports');
      root.mkdir('c/networks');
      root.write(
        'c/networks/lan.yaml',
        `forward: macvtap\nbridge: { uplink: v0 }\nports: 1\nowner: ${place.user.name}\n`,
      );
      root.qrun('net', 'up', 'lan');
      const { QRUN_HOST_DIR } = root.env;
      return standing(userHome(place, 'port', { QRUN_HOST_DIR }), '{ kind: network, network: lan }');
    },
    end: () => root.qrun('net', 'down', 'lan'),
  };
}

export async function linkFigures(bench, { name, begin, end }) {
  const before = readLinks();
  const home = begin();
  try {
    const bare = byHand(JSON.parse(home.qrun('show', '--json', 'p1')), home, 'p1');
    const times = await takeTurns(
      {
        node: () => home.timeNode(),
        bare: async () => {
          const ms = home.time(bare.argv);
          await endByHand(home, bare);
          return ms;
        },
        qrun: async () => {
          const ms = home.timeQrun('run', '-q', '-d', 'p1');
          home.qrun('kill', '-q', 'p1');
          await waitUntilGone(home.dir);
          return ms;
        },
      },
      bench.turns,
    );
    bench.figure({
      name: `qrun run -d on ${name}, beyond a script`,
      against: 'node -e 0',
      bound: 4.5,
      times,
      value: ({ qrun, bare: script, node }) => (qrun - script) / node,
    });
  } finally {
    end?.();
  }
  const after = readLinks();
  bench.check('links are as before', after.join() === before.join(), after.join(' '));
}

/**
 * The plan's own steps as a shell script: the lock, the links by one `ip -batch`, the devices opened and locked, QEMU until its main loop runs.
 * @returns {{argv: string[], name: string, links: string[]}} `links` are made by it, and go on after QEMU
 */
export function byHand(plan, home, name) {
  const steps = plan.steps.filter(({ kind }) => ['link', 'tap-node', 'port-lease'].includes(kind));
  const [file, ...words] = bareArgv(plan, home.bare, name);
  const script = [
    'set -e',
    `exec 3>>${path.join(home.bare, `${name}.lock`)}`,
    'flock -n 3',
    ...steps.flatMap(({ actions }) => actions.flatMap(lineOf)),
    `exec ${[...(plan.qemu.prefix ?? []), file, ...words].map(quote).join(' ')}`,
  ].join('\n');
  const made = steps.flatMap(({ kind, release }) =>
    kind === 'link' ? release.flatMap(({ argv }) => argv?.at(-1) ?? []) : [],
  );
  return { argv: ['/bin/sh', '-c', script], name, links: made };
}

function lineOf({ argv, stdin, op, path: file, fd }) {
  if (argv !== undefined) return [stdin === undefined ? argv.join(' ') : `${argv.join(' ')} <<'END'\n${stdin}END`];
  if (op === 'open') return [`exec ${fd}<>${file}`];
  // the device is open already; a port's lock file is not
  if (op === 'lock') return [...(file.startsWith('/dev/') ? [] : [`exec ${fd}<>${file}`]), `flock -n ${fd}`];
  return [];
}

export async function endByHand(home, ...started) {
  await waitUntilEnded(started.map(({ name }) => killBare(home.bare, name)));
  await waitUntilGone(home.dir);
  for (const link of started.flatMap(({ links }) => links)) must(`ip link delete dev ${link}`);
}

const quote = (word) => `'${word.replaceAll("'", `'\\''`)}'`;
