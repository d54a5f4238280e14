import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ListedProfile } from '../../../src/host/profile-files.ts';
import type { MacScan } from '../../../src/host/taken-macs.ts';
import type { Mac, VmName } from '../../../src/names.ts';
import { placesOf, type Places } from '../../../src/places.ts';
import type { Nic } from '../../../src/profile/profile.ts';
import { rememberPorts } from '../../../src/resources/last-ports.ts';
import { freeLeases, readLeases, reserveNics, type Reserved } from '../../../src/resources/mac-lease.ts';
import { candidates, defaultPool, isQemuDefault, type MacPool } from '../../../src/resources/mac-pool.ts';
import { planSlots } from '../../../src/resources/pci-slot.ts';
import type { RunningQemu } from '../../../src/system/qemus.ts';
import { createSystem } from '../../../src/system/real.ts';

const mac = (last: string): Mac => `52:54:00:00:00:${last}` as Mac;
const vmName = (text: string): VmName => text as VmName;

let dir: string;
let places: Places;
let world: {
  taken: Set<string>;
  profiles: Map<string, ListedProfile>;
  running: RunningQemu[];
  named: boolean;
  looks: number;
};
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-lease-'));
  const env = { QRUN_STATE_DIR: path.join(dir, 'state'), QRUN_HOST_DIR: path.join(dir, 'host') };
  places = placesOf({ env, uid: 1, home: dir, packageRoot: dir });
  world = { taken: new Set(), profiles: new Map(), running: [], named: true, looks: 0 };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The world as a test wants it. */
const scan: MacScan = {
  taken: async () => {
    world.looks += 1;
    return world.taken;
  },
  profiles: () => world.profiles,
  running: () => world.running,
  stillNames: () => world.named,
};

/** Gives these in this order, again and again. */
function poolOf(...lasts: string[]): MacPool {
  const all = lasts.map(mac);
  let next = 0;
  return { all, draw: () => all[next++ % all.length] ?? mac('00') };
}

const nic = (id: string, address?: Mac): Nic => ({
  kind: 'user',
  id,
  model: 'virtio-net-pci',
  queues: 1,
  vhost: 'auto',
  forwards: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 'auto', guestPort: 22 }],
  restrict: false,
  ipv6: true,
  ...(address !== undefined && { mac: address }),
});

interface Ask {
  readonly vm?: string;
  readonly pool?: MacPool;
}
/** `net0` wants an address of its own, `net0=52:…` that one. */
function reserve(nics: readonly (string | Nic)[], { vm = 'web1', pool }: Ask = {}): Promise<Reserved> {
  return reserveNics({
    system: createSystem(),
    places,
    vm: vmName(vm),
    nics: nics.map((one) => (typeof one === 'string' ? nic(one) : one)),
    profileFile: path.join(dir, `${vm}.yaml`),
    scan,
    ...(pool !== undefined && { pool }),
  });
}
const stateFile = (name: string): string => path.join(places.state, name);
const claimsOf = (): string[] => readdirSync(stateFile('leases/macs')).toSorted();
const refused = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

describe('one address for a NIC, for good', () => {
  test('is QEMU’s prefix and random, the same the next time, without another look around', async () => {
    const first = await reserve(['net0']);
    expect(first.macs['net0']).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
    expect(first.reports).toEqual([]);
    expect(await reserve(['net0'])).toEqual(first);
    expect(world.looks).toBe(1);
  });

  test('belongs to the id: NICs that come before it, or go, change nothing', async () => {
    const { macs, slots } = await reserve(['net0', 'lan']);
    const more = await reserve(['new', 'lan', 'net0']);
    expect(more.macs).toMatchObject(macs);
    expect(more.slots).toMatchObject(slots);
    expect(new Set(Object.values(more.macs)).size).toBe(3);
    expect((await reserve(['lan'])).macs).toEqual({ lan: macs['lan'] });
    expect((await reserve(['net0', 'lan'])).macs).toEqual(macs);
  });

  test('ids that are words of JavaScript’s are ids like others', async () => {
    const { macs, slots } = await reserve(['constructor', '__proto__x', 'toString']);
    expect(Object.values(slots)).toEqual([16, 17, 18]);
    expect(new Set(Object.values(macs)).size).toBe(3);
    expect(await reserve(['constructor', '__proto__x', 'toString'])).toMatchObject({ macs, slots });
  });

  test('no NIC, no lease', async () => {
    expect(await reserve([])).toEqual({ macs: {}, slots: {}, lastPorts: {}, reports: [] });
    expect(existsSync(places.state)).toBe(false);
  });

  test('what is taken around here is passed over', async () => {
    world.taken = new Set([mac('01'), mac('02')]);
    expect((await reserve(['net0'], { pool: poolOf('01', '02', '03') })).macs['net0']).toBe(mac('03'));
  });

  test('what the same profile names for another NIC is passed over', async () => {
    const { macs } = await reserve(['net0', nic('net1', mac('01'))], { pool: poolOf('01', '02') });
    expect(macs).toEqual({ net0: mac('02'), net1: mac('01') });
  });

  test('another VM gets another', async () => {
    await reserve(['net0'], { pool: poolOf('01', '02') });
    expect((await reserve(['net0'], { vm: 'web2', pool: poolOf('01', '02') })).macs['net0']).toBe(mac('02'));
  });

  test('is free again after rm, and rm may be repeated', async () => {
    await reserve(['net0', nic('net1', mac('09'))], { pool: poolOf('01') });
    rememberPorts({ directory: path.join(places.state, 'vms/web1'), ports: { 'port:net0:0': 2222 } });
    await freeLeases({ places, vm: vmName('web1') });
    await freeLeases({ places, vm: vmName('web1') });
    expect(claimsOf()).toEqual([]);
    expect(readdirSync(stateFile('vms/web1'))).toEqual([]);
    expect((await reserve(['net0'], { vm: 'web2', pool: poolOf('01') })).macs['net0']).toBe(mac('01'));
  });

  test('readLeases reads', async () => {
    expect(readLeases({ places, vm: vmName('web1') })).toBeUndefined();
    await reserve(['net0'], { pool: poolOf('01') });
    expect(readLeases({ places, vm: vmName('web1') })?.get('net0')).toEqual({ mac: mac('01'), slot: 16 });
  });

  test('many at once in one process get different ones', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, (_, index) => reserve(['net0'], { vm: `vm${index}` })));
    expect(new Set(all.map(({ macs }) => macs['net0'])).size).toBe(30);
  });

  test('two at once for the same VM get the same', async () => {
    const [one, two] = await Promise.all([reserve(['net0']), reserve(['net0'])]);
    expect(one).toEqual(two);
    expect(claimsOf()).toHaveLength(1);
  });
});

test('QEMU’s own defaults are never given: 52:54:00:12:34:56 and on', () => {
  for (const last of ['56', '57', '5f', '60', 'ff', 'a0']) expect(isQemuDefault(`52:54:00:12:34:${last}`)).toBe(true);
  for (const address of ['52:54:00:12:34:55', '52:54:00:12:35:56', '52:54:00:12:34:00'])
    expect(isQemuDefault(address)).toBe(false);
  const draw = (): Mac => '52:54:00:12:34:80' as Mac;
  expect([...candidates({ draw, all: ['52:54:00:12:34:ff' as Mac, mac('01')] })]).toEqual([mac('01')]);
});

test('the default pool', () => {
  const drawn = Array.from({ length: 200 }, () => defaultPool.draw());
  for (const one of drawn) expect(one).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
  expect(new Set(drawn).size).toBeGreaterThan(190);
});

test('ABUSE 19: a pool of four is used up with a clear error, and nothing of the fifth stays', async () => {
  const pool = poolOf('01', '02', '03', '04');
  for (const index of [1, 2, 3, 4]) await reserve(['net0'], { vm: `vm${index}`, pool });
  const claims = claimsOf();
  await expect(reserve(['net0'], { vm: 'vm5', pool })).rejects.toMatchObject(
    refused('host-failed', /no MAC address is left for NIC net0 of vm5/),
  );
  expect(claimsOf()).toEqual(claims);
  await freeLeases({ places, vm: vmName('vm2') });
  expect((await reserve(['net0'], { vm: 'vm5', pool })).macs['net0']).toBe(mac('02'));
});

describe('explicit addresses', () => {
  test('ABUSE 17: one on two NICs of a VM is refused', async () => {
    await expect(reserve([nic('net0', mac('01')), nic('net1', mac('01'))])).rejects.toMatchObject(
      refused('invalid-profile', /nics\[1\]\.mac: 52:54:00:00:00:01 is the address of NIC net0 as well/),
    );
  });

  test('ABUSE 17: one of another VM’s is refused and the VM is named, whether that was explicit or given', async () => {
    await reserve([nic('net0', mac('01'))], { vm: 'db' });
    await reserve(['net0'], { vm: 'cache', pool: poolOf('02') });
    await expect(reserve([nic('net0', mac('01'))])).rejects.toMatchObject(
      refused('in-use', /web1\.yaml: nics\[0\]\.mac: .*VM db, NIC net0/),
    );
    await expect(reserve([nic('net0', mac('02'))])).rejects.toMatchObject(refused('in-use', /VM cache, NIC net0/));
    expect(existsSync(stateFile('vms/web1/leases.json'))).toBe(false);
  });

  test('ABUSE 17: one that another profile names is refused and the profile is named', async () => {
    world.profiles.set(mac('01'), { name: vmName('mail'), file: '/etc/qrun/profiles/mail.yaml', example: false });
    await expect(reserve([nic('net0', mac('01'))])).rejects.toMatchObject(
      refused('in-use', /profile mail as well \(\/etc\/qrun/),
    );
  });

  test('ABUSE 17: one of a running QEMU is refused and the VM is named', async () => {
    world.running = [{ pid: process.pid, argv: [], name: 'foreign', macs: [mac('01')] }];
    await expect(reserve([nic('net0', mac('01'))])).rejects.toMatchObject(
      refused('in-use', /running VM foreign, pid \d+/),
    );
  });

  test('is checked each time, not only the first', async () => {
    await reserve([nic('net0', mac('01'))]);
    await reserve([nic('net0', mac('01'))]);
    world.running = [{ pid: process.pid, argv: [], macs: [mac('01')] }];
    await expect(reserve([nic('net0', mac('01'))])).rejects.toMatchObject(refused('in-use', /a running QEMU, pid/));
  });

  test('the given address comes back when the explicit one is taken out, and that is free then', async () => {
    const given = await reserve(['net0'], { pool: poolOf('01') });
    expect((await reserve([nic('net0', mac('09'))])).macs['net0']).toBe(mac('09'));
    expect((await reserve([nic('net0', mac('08'))])).macs['net0']).toBe(mac('08'));
    expect(claimsOf()).toEqual(['52-54-00-00-00-01', '52-54-00-00-00-08']);
    expect(await reserve(['net0'])).toEqual(given);
    expect(claimsOf()).toEqual(['52-54-00-00-00-01']);
  });

  test('the given address may be written into the profile, and out of it again', async () => {
    await reserve(['net0'], { pool: poolOf('01') });
    expect((await reserve([nic('net0', mac('01'))])).macs['net0']).toBe(mac('01'));
    expect((await reserve(['net0'])).macs['net0']).toBe(mac('01'));
    expect(claimsOf()).toEqual(['52-54-00-00-00-01']);
  });

  test('the address of a NIC that is gone may go to another of the VM; of one that is there it may not', async () => {
    await reserve(['net0'], { pool: poolOf('01', '02') });
    await expect(reserve(['net0', nic('lan', mac('01'))])).rejects.toMatchObject(
      refused('in-use', /VM web1, NIC net0/),
    );
    expect((await reserve([nic('lan', mac('01'))])).macs).toEqual({ lan: mac('01') });
    expect((await reserve(['net0', nic('lan', mac('01'))], { pool: poolOf('01', '02') })).macs).toEqual({
      net0: mac('02'),
      lan: mac('01'),
    });
  });

  test('what a profile no longer names can be named by another', async () => {
    await reserve([nic('net0', mac('01'))], { vm: 'db' });
    world.named = false;
    expect((await reserve([nic('net0', mac('01'))])).macs['net0']).toBe(mac('01'));
    world.named = true;
    await expect(reserve([nic('net0', mac('01'))], { vm: 'db' })).rejects.toMatchObject(refused('in-use', /VM web1/));
    expect((await reserve(['net0'], { vm: 'db', pool: poolOf('02') })).macs['net0']).toBe(mac('02'));
    expect((await reserve([nic('net0', mac('01'))])).macs['net0']).toBe(mac('01'));
  });

  test('is claimed before the first run of another VM gets it by chance', async () => {
    await reserve([nic('net0', mac('01'))]);
    expect((await reserve(['net0'], { vm: 'web2', pool: poolOf('01', '02') })).macs['net0']).toBe(mac('02'));
  });
});

describe('damage', () => {
  const leases = (): string => stateFile('vms/web1/leases.json');

  test.each([
    ['cut short', (text: string) => text.slice(0, 30)],
    ['emptied', () => ''],
    ['filled with garbage', () => '\u0000\u0007garbage'],
    ['without its NICs', () => '{"v":1}'],
    ['with a slot that is none', (text: string) => text.replace('"slot":16', '"slot":"x"')],
    ['with an address that is none', (text: string) => text.replace(mac('01'), 'ff:ff:ff:ff:ff:ff')],
  ])('a lease file %s is set aside and said, and no address and no slot changes', async (_name, spoil) => {
    const nics = ['net0', 'net1', nic('net2', mac('09'))];
    const before = await reserve(nics, { pool: poolOf('01', '02') });
    const other = await reserve(['net0'], { vm: 'web2', pool: poolOf('05') });
    const spoiled = spoil(readFileSync(leases(), 'utf8'));
    writeFileSync(leases(), spoiled);
    const after = await reserve(nics, { pool: poolOf('03') });
    expect(after).toMatchObject({ macs: before.macs, slots: before.slots });
    expect(after.reports).toEqual([
      expect.stringMatching(/leases\.json was damaged \(.*set aside as leases\.json\.broken-/),
    ]);
    const aside = readdirSync(stateFile('vms/web1')).filter((name) => name.includes('broken'));
    expect(aside.map((name) => readFileSync(stateFile(`vms/web1/${name}`), 'utf8'))).toEqual([spoiled]);
    expect(await reserve(nics)).toEqual({ ...before, reports: [] });
    expect(await reserve(['net0'], { vm: 'web2' })).toEqual(other);
  });

  test.each([
    ['garbage', 'garbage'],
    ['empty', ''],
    ['cut short', '{"v":1,"vm":"we'],
  ])('a claim that is %s still claims, and is mended from the lease', async (_name, text) => {
    await reserve(['net0'], { pool: poolOf('01') });
    const claim = stateFile('leases/macs/52-54-00-00-00-01');
    writeFileSync(claim, text);
    expect((await reserve(['net0'], { vm: 'web2', pool: poolOf('01', '02') })).macs['net0']).toBe(mac('02'));
    await expect(reserve([nic('net0', mac('01'))], { vm: 'web3' })).rejects.toMatchObject(
      refused('in-use', /VM web1, NIC net0/),
    );
    const again = await reserve(['net0']);
    expect(again.macs['net0']).toBe(mac('01'));
    expect(again.reports).toEqual([expect.stringContaining('mended')]);
    expect(JSON.parse(readFileSync(claim, 'utf8'))).toMatchObject({ vm: 'web1', nic: 'net0' });
    expect((await reserve(['net0'])).reports).toEqual([]);
  });

  test('a claim that is damaged and nobody’s does not keep an explicit address from its owner', async () => {
    await reserve(['net0'], { pool: poolOf('01') });
    writeFileSync(stateFile('leases/macs/52-54-00-00-00-09'), '');
    expect((await reserve([nic('net0', mac('09'))])).macs['net0']).toBe(mac('09'));
  });

  test('a claim that is gone is made again', async () => {
    await reserve(['net0'], { pool: poolOf('01') });
    rmSync(stateFile('leases/macs/52-54-00-00-00-01'));
    expect((await reserve(['net0'])).macs['net0']).toBe(mac('01'));
    expect(claimsOf()).toEqual(['52-54-00-00-00-01']);
  });

  test('a copied lease file does not give two VMs one address', async () => {
    await reserve(['net0'], { pool: poolOf('01') });
    mkdirSync(stateFile('vms/copy'), { mode: 0o700 });
    writeFileSync(stateFile('vms/copy/leases.json'), readFileSync(leases()));
    const copy = await reserve(['net0'], { vm: 'copy', pool: poolOf('01', '02') });
    expect(copy.macs['net0']).toBe(mac('02'));
    expect(copy.reports).toEqual([expect.stringMatching(/now belongs to VM web1/)]);
    expect((await reserve(['net0'])).macs['net0']).toBe(mac('01'));
  });

  test('a lease file of a newer qrun is refused and not touched, by rm neither', async () => {
    await reserve(['net0']);
    writeFileSync(leases(), '{"v":2}');
    await expect(reserve(['net0'])).rejects.toMatchObject({ code: 'newer-state' });
    await expect(freeLeases({ places, vm: vmName('web1') })).rejects.toMatchObject({ code: 'newer-state' });
    expect(readFileSync(leases(), 'utf8')).toBe('{"v":2}');
    expect(claimsOf()).toHaveLength(1);
  });

  test('what an allocation that was killed had claimed is given back by the next', async () => {
    await reserve(['net0'], { vm: 'web2', pool: poolOf('05') });
    writeFileSync(
      stateFile('leases/pending.json'),
      JSON.stringify({ v: 1, vm: 'web1', macs: [mac('01'), mac('02'), mac('05')] }),
    );
    writeFileSync(stateFile('leases/macs/52-54-00-00-00-01'), '{"v":1,"vm":"web1","nic":"net0","slot":16}');
    writeFileSync(stateFile('leases/macs/52-54-00-00-00-02'), ''); // killed before it wrote
    await reserve(['net0'], { vm: 'web3', pool: poolOf('06') });
    expect(claimsOf()).toEqual(['52-54-00-00-00-05', '52-54-00-00-00-06']);
    expect(existsSync(stateFile('leases/pending.json'))).toBe(false);
  });

  test('a pending record of what was written after all changes nothing', async () => {
    await reserve(['net0'], { pool: poolOf('01') });
    writeFileSync(stateFile('leases/pending.json'), JSON.stringify({ v: 1, vm: 'web1', macs: [mac('01')] }));
    await reserve(['net0'], { vm: 'web2', pool: poolOf('02') });
    expect(claimsOf()).toEqual(['52-54-00-00-00-01', '52-54-00-00-00-02']);
  });

  test('a lock directory of a dead one’s is no obstacle', async () => {
    await reserve(['net0']);
    mkdirSync(stateFile('leases/registry.lock'));
    expect(Object.keys((await reserve(['net0', 'net1'])).macs)).toEqual(['net0', 'net1']);
  });

  test('ABUSE 43: a registry that others can write to is refused', async () => {
    mkdirSync(stateFile('leases'), { recursive: true, mode: 0o700 });
    const { chmodSync } = process.getBuiltinModule('node:fs');
    chmodSync(stateFile('leases'), 0o777);
    await expect(reserve(['net0'])).rejects.toMatchObject({ code: 'unsafe-state' });
  });
});

describe('the ports that `auto` had', () => {
  test('are kept by NIC and index, whatever the step was called', async () => {
    await reserve(['net0']);
    rememberPorts({ directory: path.join(places.state, 'vms/web1'), ports: { 'port:net0:0': 40_001 } });
    rememberPorts({ directory: path.join(places.state, 'vms/web1'), ports: { 'port:net0:1': 40_002 } });
    expect((await reserve(['net0'])).lastPorts).toEqual({ 'net0:0': 40_001, 'net0:1': 40_002 });
  });

  test('a damaged file is no wish, and what is no port neither', async () => {
    await reserve(['net0']);
    writeFileSync(stateFile('vms/web1/ports.json'), '{"v":1,"ports":{"net0:0":99999,"net0:1":"x","net0:2":7}}');
    expect((await reserve(['net0'])).lastPorts).toEqual({ 'net0:2': 7 });
    writeFileSync(stateFile('vms/web1/ports.json'), '{');
    expect((await reserve(['net0'])).lastPorts).toEqual({});
    rememberPorts({ directory: path.join(places.state, 'vms/web1'), ports: { 'port:net0:0': 40_001 } });
    expect((await reserve(['net0'])).lastPorts).toEqual({ 'net0:0': 40_001 });
  });
});

describe('PCI slots', () => {
  const plan = (ids: string[], held: Record<string, number> = {}) =>
    Object.fromEntries(planSlots(ids, new Map(Object.entries(held))));

  test('begin at 0x10, in order, and stay', () => {
    expect(plan(['a', 'b'])).toEqual({ a: 0x10, b: 0x11 });
    expect(plan(['c', 'b', 'a'], { a: 0x10, b: 0x11 })).toEqual({ a: 0x10, b: 0x11, c: 0x12 });
  });

  test('a slot is not given on while there is one that nobody ever had', () => {
    expect(plan(['new'], { gone: 0x10 })).toEqual({ new: 0x11 });
  });

  test('fifteen fit; then those of NICs that are gone are given on', () => {
    const ids = Array.from({ length: 15 }, (_, index) => `n${index}`);
    const held = plan(ids);
    expect(Object.values(held)).toEqual(Array.from({ length: 15 }, (_, index) => 0x10 + index));
    expect(plan(['new', ...ids.slice(1)], held)).toEqual({ ...held, n0: undefined, new: 0x10 });
    expect(() => plan([...ids, 'one more'])).toThrow(expect.objectContaining({ code: 'missing-feature' }));
  });

  test('two that hold the same slot are told apart', () => {
    expect(plan(['a', 'b'], { a: 0x10, b: 0x10 })).toEqual({ a: 0x10, b: 0x11 });
  });
});
