/** What networks of root's leave in the host-wide registry, and the lock that is a port: taken, failing in the middle, given back twice. */
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IfName, Mac, VmName } from '../../../src/names.ts';
import type { HostNetworkStep, PortLeaseStep } from '../../../src/plan/step.ts';
import { networkOfClaim } from '../../../src/resources/host-claim.ts';
import { freePortMacs, hostNetwork, readPortMacs } from '../../../src/resources/host-network.ts';
import { portLease, PortTaken, readPortUse, tryPort } from '../../../src/resources/port-lease.ts';
import { portNode } from '../../../src/resources/port-node.ts';
import { createSystem } from '../../../src/system/real.ts';
import { needsRoot } from '../../harness/needs.ts';
import { hurried } from '../hurried.ts';
import { networkOf } from '../network/network-text.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-ports-'));
  chmodSync(place, 0o755);
});
afterEach(() => rmSync(place, { recursive: true }));

const system = createSystem();
const context = () => ({
  system,
  runId: 'r1',
  descriptors: new Map<number, number>(),
  warn: () => {},
  record: () => {},
});
const ended = { system, runId: 'r1', started: true, sameBoot: true };
const macs = ['52:54:00:00:00:0a', '52:54:00:00:00:0b'] as Mac[];
const definition = networkOf('forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 2\nowner: alice\n', {
  name: 'lan0',
  uid: 0,
});
const lockOf = (number: number): string => path.join(place, 'ports/lan0', String(number));

const registry = (changes: Partial<HostNetworkStep> = {}): HostNetworkStep => ({
  kind: 'host-network',
  id: 'registry',
  needsRoot: true,
  path: path.join(place, 'networks/lan0.json'),
  directory: path.join(place, 'ports/lan0'),
  macs: path.join(place, 'ports/lan0/macs.json'),
  network: {
    name: 'lan0' as VmName,
    runId: 'run1',
    forward: 'bridge',
    on: 'br0' as IfName,
    mtu: 1500,
    user: 12_345,
    ports: macs.map((mac, number) => ({ number, device: `qr-p${number}` as IfName, mac, lock: lockOf(number) })),
    definition,
  },
  ...changes,
});

const claims = () => ({ host: place, state: '/root-state' });
function makeClaims(): string {
  const directory = path.join(place, 'macs');
  mkdirSync(directory);
  chmodSync(directory, 0o1777);
  return directory;
}

describe('the registry', () => {
  test('locks are for those who may take a port, the entry is for all; given back twice, locks and MACs stay', async (testContext) => {
    needsRoot(testContext);
    await hostNetwork.acquire(registry(), context());
    const { uid, mode } = statSync(lockOf(1));
    expect([uid, mode & 0o777]).toEqual([12_345, 0o600]);
    expect(statSync(registry().path).mode & 0o777).toBe(0o644);
    await hostNetwork.release(registry(), {}, ended);
    await hostNetwork.release(registry(), undefined, ended);
    expect(existsSync(registry().path)).toBe(false);
    expect(existsSync(lockOf(0))).toBe(true);
    expect(readPortMacs(registry().macs)).toEqual(macs);
  });

  test('the entry of another run stays: a network of that name may be of another state directory', async (testContext) => {
    needsRoot(testContext);
    const { network } = registry();
    await hostNetwork.acquire(registry({ network: { ...network, runId: 'run2' } }), context());
    await hostNetwork.release(registry(), {}, ended);
    expect(existsSync(registry().path)).toBe(true);
    writeFileSync(registry().path, 'half of an en');
    await hostNetwork.release(registry(), undefined, ended);
    expect(existsSync(registry().path)).toBe(false);
  });

  test('a lock that was opened by others is closed to them again', async (testContext) => {
    needsRoot(testContext);
    await hostNetwork.acquire(registry(), context());
    chmodSync(lockOf(0), 0o666);
    await hostNetwork.acquire(registry(), context());
    expect(statSync(lockOf(0)).mode & 0o777).toBe(0o600);
  });

  test('with fewer ports the others’ MACs are kept for them', async (testContext) => {
    needsRoot(testContext);
    await hostNetwork.acquire(registry(), context());
    const { network } = registry();
    await hostNetwork.acquire(registry({ network: { ...network, ports: network.ports.slice(0, 1) } }), context());
    expect(readPortMacs(registry().macs)).toEqual(macs);
  });

  test('MACs are claimed, again without harm, and freed with the network', async (testContext) => {
    needsRoot(testContext);
    const directory = makeClaims();
    for (let time = 0; time < 2; time += 1) await hostNetwork.acquire(registry({ claims: claims() }), context());
    expect(readdirSync(directory)).toHaveLength(2);
    expect(networkOfClaim(claims(), macs[0] as Mac)).toBe('lan0');
    await hostNetwork.release(registry({ claims: claims() }), {}, ended);
    expect(readdirSync(directory)).toHaveLength(2);
    for (let time = 0; time < 2; time += 1) freePortMacs(claims(), 'lan0' as VmName);
    expect(readdirSync(directory)).toEqual([]);
    expect(networkOfClaim(claims(), macs[0] as Mac)).toBeUndefined();
  });

  test('somebody was faster with a MAC: no entry is written, what was claimed before is known, and given back twice', async (testContext) => {
    needsRoot(testContext);
    const directory = makeClaims();
    const foreign = path.join(directory, '52-54-00-00-00-0b');
    writeFileSync(foreign, '{"v":1,"vm":"web1","nic":"net0","state":"/s"}\n');
    const step = registry({ claims: claims() });
    await expect(hostNetwork.acquire(step, context())).rejects.toMatchObject({ code: 'in-use' });
    expect(existsSync(step.path)).toBe(false);
    for (let time = 0; time < 2; time += 1) await hostNetwork.release(step, undefined, ended);
    freePortMacs(claims(), 'lan0' as VmName);
    expect(readdirSync(directory)).toEqual([path.basename(foreign)]);
  });

  test('a directory that others can write is not used', async (testContext) => {
    needsRoot(testContext);
    mkdirSync(path.join(place, 'networks'));
    chmodSync(path.join(place, 'networks'), 0o777);
    await expect(hostNetwork.acquire(registry(), context())).rejects.toMatchObject({ code: 'unsafe-state' });
    expect(existsSync(registry().path)).toBe(false);
  });

  test('what is described is what is done', () => {
    const { acquire, release } = hostNetwork.describe(registry({ claims: claims() }));
    expect(acquire).toContainEqual({ argv: ['chown', '12345:0', lockOf(1)] });
    expect(acquire).toContainEqual(expect.objectContaining({ op: 'write', path: `${place}/macs/52-54-00-00-00-0a` }));
    expect(release).toEqual([{ op: 'remove', path: registry().path }]);
  });
});

describe('a port', () => {
  const lock = (): string => path.join(place, '0');
  const lease = (changes: Partial<PortLeaseStep> = {}): PortLeaseStep => ({
    kind: 'port-lease',
    id: 'port-lease:net0',
    needsRoot: false,
    network: 'lan0',
    device: 'qr-p0',
    lock: lock(),
    fd: 5,
    registry: path.join(place, 'lan0.json'),
    run: 'run1',
    holder: { uid: 1000, state: 's', vm: 'web1', nic: 'net0' },
    ...changes,
  });
  const tell = (runId: string): void => writeFileSync(path.join(place, 'lan0.json'), JSON.stringify({ v: 1, runId }));
  beforeEach(() => {
    writeFileSync(lock(), '', { mode: 0o600 });
    tell('run1');
  });

  test('is locked by a descriptor, and says whose it is; released twice it is free when that is closed', async () => {
    const { descriptors, ...rest } = context();
    await portLease.acquire(lease(), { descriptors, ...rest });
    expect(readPortUse(lock())).toMatchObject({ uid: 1000, vm: 'web1', nic: 'net0', run: 'run1' });
    expect(tryPort(lock())).toBeUndefined();
    for (let time = 0; time < 2; time += 1) await portLease.release(lease(), {}, ended);
    closeSync(descriptors.get(5) ?? -1);
    const fd = tryPort(lock());
    expect(fd).toBeDefined();
    closeSync(fd ?? -1);
  });

  test('that somebody has is not taken, and still says whose it is', async () => {
    const first = context();
    await portLease.acquire(lease(), first);
    const other = lease({ holder: { uid: 1001, state: 's', vm: 'web2', nic: 'net0' } });
    await expect(portLease.acquire(other, context())).rejects.toBeInstanceOf(PortTaken);
    expect(readPortUse(lock())?.vm).toBe('web1');
    closeSync(first.descriptors.get(5) ?? -1);
  });

  test('of a network that went meanwhile, or is of another run, is not taken', async () => {
    for (const change of [() => tell('run2'), () => rmSync(path.join(place, 'lan0.json'))]) {
      change();
      const { descriptors, ...rest } = context();
      await expect(portLease.acquire(lease(), { descriptors, ...rest })).rejects.toBeInstanceOf(PortTaken);
      expect(readFileSync(lock(), 'utf8')).toBe('');
      closeSync(descriptors.get(5) ?? -1);
    }
  });

  test('a lock file that says nothing of sense is nobody’s', () => {
    for (const text of ['', '{', '[]', '{"uid":"x","vm":"web1"}', '{"uid":1,"vm":"../x"}']) {
      writeFileSync(lock(), text);
      expect(readPortUse(lock())).toBeUndefined();
    }
  });
});

test('a device is given to nobody when it is not that of the port’s interface; twice released', async () => {
  const file = path.join(place, 'tap7');
  writeFileSync(file, '', { mode: 0o600 });
  const step = {
    kind: 'port-node',
    id: 'n',
    needsRoot: true,
    link: 'qr-none',
    index: 7,
    path: file,
    user: 12_345,
  } as const;
  await expect(hurried(() => portNode.acquire(step, context()))).rejects.toMatchObject({ code: 'host-failed' });
  expect(statSync(file).uid).toBe(process.getuid?.());
  for (let time = 0; time < 2; time += 1) await portNode.release(step, undefined, ended);
  expect(portNode.describe({ ...step, settle: true }).acquire[0]).toEqual({
    argv: ['udevadm', 'settle', '--timeout=10'],
  });
});
