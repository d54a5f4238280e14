/** What is kept counts for exactly what it was made from. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { repository } from '../../harness/facts.ts';
import type { VmName } from '../../../src/names.ts';
import type { Network, NetworkName } from '../../../src/network/network.ts';
import { parseNetwork } from '../../../src/network/parse.ts';
import { parseProfile } from '../../../src/profile/parse.ts';
import {
  keepDefinition,
  readKeptDefinition,
  understand,
  type DefinitionSource,
} from '../../../src/host/kept-definitions.ts';

const text = `forward: nat
addresses: [10.66.0.1/24, "fd00:66::1/64"]
dhcp: { hosts: [{ mac: "52:54:00:aa:bb:cc", ip: 10.66.0.9 }], lease: infinite }
dns: { domain: lan.test, records: { txt: [{ name: a, text: b }] } }
forwards: ["0.0.0.0:8080:10.66.0.9:80"]
`;
const name = 'lan' as NetworkName;
const source: DefinitionSource = { kind: 'network', file: '/c/lan.yaml', name, text, home: '/root', uid: 0 };

function createPlaces() {
  const dir = mkdtempSync(path.join(tmpdir(), 'qrun-kept-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  mkdirSync(path.join(dir, 'dist'));
  writeFileSync(path.join(dir, 'dist/boot.cjs'), 'one');
  return { dir, cache: path.join(dir, 'cache'), examples: path.join(dir, 'profiles') };
}

const understood = (): Network => {
  const { file, home, uid } = source;
  return parseNetwork(text, { file, name, home, uid });
};

const fileIn = ({ cache }: { readonly cache: string }): string => path.join(cache, readdirSync(cache)[0] ?? '');

test('what was understood comes back as it was', () => {
  const places = createPlaces();
  expect(readKeptDefinition(source, places)).toBeUndefined();
  keepDefinition(source, understood(), places);
  expect(readKeptDefinition(source, places)).toEqual(understood());
});

test('it is read once; what has faults, each time', async () => {
  const places = createPlaces();
  let reads = 0;
  const read = async (): Promise<Network> => {
    reads += 1;
    return understood();
  };
  for (const _ of [1, 2]) expect(await understand(source, places, read)).toEqual(understood());
  expect(reads).toBe(1);
  const faulty = { ...source, text: 'forward: nowhere' };
  for (const _ of [1, 2])
    await expect(
      understand(faulty, places, async () => {
        reads += 1;
        throw new Error('a fault');
      }),
    ).rejects.toThrow('a fault');
  expect(reads).toBe(3);
});

test('a profile does, too: it has no more than JSON has', () => {
  const places = createPlaces();
  const one = { file: '/c/p/vm.yaml', name: 'vm' as VmName, home: '/root' };
  const kinds = [
    'user, forwards: ["auto:22", "0.0.0.0:53:53/udp"]',
    'passt, forwards: ["8080:80"]',
    'mcast, group: "230.0.0.1:1234"',
    'stream, listen: ./a.sock',
    'dgram, local: ./b.sock, remote: ./c.sock',
    'l2tpv3, source: "127.0.0.1:17011", destination: "127.0.0.2:17012", sessions: { tx: 1, rx: 2 }',
    'vde, socket: /run/vde.ctl',
    'bridge, bridge: br0',
    'tap, device: tap0, queues: 2, vhost: auto',
    'macvtap, parent: eth0, mode: bridge, hostAccess: true',
    'hostdev, address: "0000:03:10.0"',
    'network, network: lan',
  ];
  const nics = kinds.map((kind) => `  - { kind: ${kind} }\n`).join('');
  const written = [
    `memory: 1.5G\ncpus: 2\nnics:\n${nics}`,
    'disks: [{ file: a.qcow2, size: 10G }, b.raw]\ncdrom: c.iso\nargs: ["-device", "x"]\nhooks: { beforeStart: ["/bin/true"] }\nshutdown: { timeout: 0 }\n',
    ...['demo', 'direct-kernel', 'install', 'router', 'behind-router', 'tiny', 'web'].map((name) =>
      readFileSync(path.join(repository, 'profiles', `${name}.yaml`), 'utf8'),
    ),
  ];
  for (const profileText of written) {
    const profile = parseProfile(profileText, one);
    const from = { ...one, kind: 'profile', text: profileText, uid: 0 } as const;
    keepDefinition(from, profile, places);
    expect(readKeptDefinition(from, places)).toStrictEqual(profile);
  }
});

test.each<Partial<DefinitionSource>>([
  { text: `${text} ` },
  { file: '/d/lan.yaml' },
  { name: 'wan' },
  { kind: 'profile' },
  { home: '/home/alice' },
  { uid: 1000 },
])('it is nothing for another source: %o', (other) => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  expect(readKeptDefinition({ ...source, ...other }, places)).toBeUndefined();
});

test('it is nothing for another build of qrun, nor where there is none', () => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  writeFileSync(path.join(places.dir, 'dist/boot.cjs'), 'another');
  expect(readKeptDefinition(source, places)).toBeUndefined();
  rmSync(path.join(places.dir, 'dist'), { recursive: true });
  expect(readKeptDefinition(source, places)).toBeUndefined();
  rmSync(places.cache, { recursive: true });
  keepDefinition(source, understood(), places);
  expect(readdirSync(places.dir)).toEqual([]);
});

test('it is nothing where others can write it, damaged, or another’s under its name', () => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  const file = fileIn(places);
  const whole = readFileSync(file, 'utf8');
  for (const mode of [0o620, 0o602]) {
    chmodSync(file, mode);
    expect(readKeptDefinition(source, places)).toBeUndefined();
  }
  chmodSync(file, 0o600);
  expect(readKeptDefinition(source, places)).toEqual(understood());
  for (const bad of [whole.slice(0, -9), '', '[]', 'null', whole.replaceAll('"name":"lan"', '"name":"wan"')]) {
    writeFileSync(file, bad);
    expect(readKeptDefinition(source, places)).toBeUndefined();
  }
});

test('those that nobody has read anew for long go, and nothing else does', () => {
  const places = createPlaces();
  keepDefinition(source, understood(), places);
  const old = fileIn(places);
  const other = path.join(places.cache, 'qemu-0123456789abcdef.json');
  writeFileSync(other, '{}');
  for (const file of [old, other]) utimesSync(file, 1, 1);
  keepDefinition({ ...source, file: '/d/lan.yaml' }, understood(), places);
  expect(readdirSync(places.cache)).toHaveLength(2);
  expect(readdirSync(places.cache)).toContain(path.basename(other));
  expect(readdirSync(places.cache)).not.toContain(path.basename(old));
});
