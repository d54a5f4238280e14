/** A new NIC never gets an address that is in use around here: interfaces, neighbours, forwarding tables, other profiles, any QEMU that runs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import { createNamespace, needsRoot, prefixFor, type Namespace } from '../harness/harness.ts';
import { LeaseProcess, type LeaseEnd } from '../harness/lease-process.ts';
import type { LeaseOrder } from '../harness/lease-worker.ts';

const mac = (last: number): string => `52:54:00:0a:0b:${last.toString(16).padStart(2, '0')}`;

interface Host {
  readonly dir: string;
  readonly namespace: Namespace;
  readonly reserve: (order: LeaseOrder) => Promise<LeaseEnd>;
}

async function createHost(context: TestContext): Promise<Host> {
  needsRoot(context);
  const dir = mkdtempSync('/tmp/qm-');
  chmodSync(dir, 0o755);
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const namespace = await createNamespace();
  const worker = await LeaseProcess.create(dir);
  mkdirSync(path.join(dir, 'config/profiles'), { recursive: true });
  return { dir, namespace, reserve: (order) => worker.run(order, { prefix: namespace.wrap([]) }) };
}

/** A process whose arguments are a QEMU's: all that others see of one. */
async function startFakeQemu(argument: string, prefix: readonly string[] = []): Promise<ChildProcess> {
  const script = 'exec -a qemu-system-x86_64 bash -c "echo up; read x" fake "$1"';
  const [file, ...args] = [...prefix, 'bash', '-c', script, 'sh', argument];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

test('interfaces, neighbours, bridges’ forwarding tables, profiles and QEMUs are passed over', async (context) => {
  const { dir, namespace, reserve } = await createHost(context);
  const ip = [
    ['ip', 'link', 'add', 'br0', 'address', mac(1), 'type', 'bridge'],
    // down, and without an address: os.networkInterfaces does not list it
    ['ip', 'link', 'add', 'v0', 'address', mac(2), 'type', 'veth', 'peer', 'name', 'v1'],
    ['ip', 'link', 'set', 'v0', 'master', 'br0'],
    ['ip', 'link', 'set', 'br0', 'up'],
    ['ip', 'addr', 'add', '10.9.9.1/24', 'dev', 'br0'],
    ['ip', 'neigh', 'add', '10.9.9.2', 'lladdr', mac(3), 'dev', 'br0'],
    ['bridge', 'fdb', 'add', mac(4), 'dev', 'v0', 'master', 'static'],
  ];
  for (const argv of ip) expect(namespace.run(argv)).toMatchObject({ status: 0, stderr: '' });
  const profile = `nics:\n  - kind: user\n    mac: "${mac(5).toUpperCase()}"\nbroken: [\n`;
  writeFileSync(path.join(dir, 'config/profiles/other.yaml'), profile);
  await startFakeQemu(`{"driver":"virtio-net-pci","mac":"${mac(6)}"}`);
  await startFakeQemu(`e1000,netdev=n0,mac=${mac(7)}`, prefixFor('user'));
  await startFakeQemu(`user,macaddr=${mac(8)}`);
  const pool = Array.from({ length: 9 }, (_, index) => mac(index + 1));
  expect(await reserve({ vm: 'web1', nics: ['net0'], pool })).toMatchObject({
    status: 0,
    stderr: '',
    macs: { net0: mac(9) },
  });
  expect(await reserve({ vm: 'web2', nics: ['net0'], pool })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('no MAC address is left'),
  });
});

test('ABUSE 17: an explicit address that a profile names or that runs is refused, and who has it is said', async (context) => {
  const { dir, reserve } = await createHost(context);
  const file = path.join(dir, 'config/profiles/other.yaml');
  writeFileSync(file, `nics: [{ kind: user, mac: ${mac(1)} }]\n`);
  expect(await reserve({ vm: 'web1', nics: [`net0=${mac(1)}`] })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`profile other as well (${file})`),
  });
  // its own profile is no other
  expect(await reserve({ vm: 'other', nics: [`net0=${mac(1)}`] })).toMatchObject({ status: 0, macs: { net0: mac(1) } });
  const qemu = await startFakeQemu(`e1000,mac=${mac(2)}`, prefixFor('user'));
  expect(await reserve({ vm: 'web1', nics: [`net0=${mac(2)}`] })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`pid ${qemu.pid}`),
  });
  // commented out is not named
  writeFileSync(file, `nics: [{ kind: user }] # mac: ${mac(1)}\n`);
  expect(await reserve({ vm: 'web1', nics: [`net0=${mac(1)}`] })).toMatchObject({ status: 0, macs: { net0: mac(1) } });
});

test('without ip and bridge on PATH there is just one look less', async (context) => {
  const { dir, namespace } = await createHost(context);
  const worker = await LeaseProcess.create(dir);
  expect(namespace.run(['ip', 'link', 'add', 'br0', 'address', mac(1), 'type', 'bridge']).status).toBe(0);
  // bind-mounted away: the sbin directories are always looked in
  const hide = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    'for f in $(command -v ip bridge) /sbin/ip /sbin/bridge /bin/ip; do [ -e "$f" ] && mount --bind /etc/hostname "$f"; done; exec "$@"',
    'sh',
  ];
  const end = await worker.run(
    { vm: 'web1', nics: ['net0'], pool: [mac(1), mac(2)] },
    { prefix: namespace.wrap(hide) },
  );
  expect(end).toMatchObject({ status: 0, stderr: '', macs: { net0: mac(2) } });
});
