/** What a real QEMU makes of the arguments that qrun builds: 7.2 and 10.x alike. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { userNic } from '../../src/nic/user.ts';
import type { UserNic } from '../../src/profile/profile.ts';
import type { ArgvInput, ArgvNic } from '../../src/qemu/argv/build.ts';
import type { QemuCapabilities } from '../../src/qemu/capabilities.ts';
import { parseQemuFailure } from '../../src/qemu/failure.ts';
import { readCapabilities } from '../../src/qemu/probe.ts';
import { connectQmp } from '../../src/qmp/client.ts';
import { createSystem } from '../../src/system/real.ts';
import { bothQemus, needsEitherQemu, needsFile, needsQemu } from '../harness/harness.ts';
import { aContext, aForward, aMac, aProfile, aUserNic, anInput } from '../unit/qemu/a-profile.ts';
import { removeDirectory, startQemu, temporaryDirectory, type StartedQemu } from './a-qemu.ts';
import { freePort } from './free-port.ts';

let directory = '';
/** Asking a QEMU takes longer than most of these tests. */
const cacheDir = temporaryDirectory();
afterAll(() => removeDirectory(cacheDir));
const started: StartedQemu[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const qemu of started.splice(0)) await qemu.dispose();
  removeDirectory(directory);
});

const inDirectory = (name: string): string => path.join(directory, name);

function start(input: ArgvInput, where = directory): StartedQemu {
  const qemu = startQemu(input, where);
  started.push(qemu);
  return qemu;
}

async function capabilitiesOf(file: string): Promise<QemuCapabilities> {
  return readCapabilities(createSystem(), { file, cacheDir });
}

function aNic(capabilities: QemuCapabilities, changes: Partial<UserNic> = {}, ports?: Record<string, number>): ArgvNic {
  const nic = aUserNic(changes);
  const context = aContext([nic], { qemu: capabilities });
  return { nic, plan: userNic.plan(nic, { ...context, ...(ports && { ports }) }), mac: aMac, slot: 0 };
}

function aDisk(name: string) {
  const file = inDirectory(name);
  writeFileSync(file, Buffer.alloc(1024 * 1024));
  return { file, format: 'raw', readOnly: false } as const;
}

/** Ports of IPv4 that somebody on this host listens on. */
function listeningPorts(): number[] {
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return rows.flatMap((row) => {
    const [, local = '', , state] = row.trim().split(/\s+/);
    return state === '0A' ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
}

describe.for(bothQemus)('%s QEMU', (which) => {
  test('says what it can do, and says the same from the cache', async (ctx) => {
    const file = needsEitherQemu(ctx, which);
    const capabilities = await capabilitiesOf(file);
    expect(capabilities.version.major).toBeGreaterThanOrEqual(7);
    expect(capabilities.netdevTypes).toEqual(expect.arrayContaining(['user', 'stream', 'dgram', 'tap']));
    expect(capabilities.netdevMembers['user']).toContain('hostfwd');
    expect(capabilities.options).toContain('sandbox');
    expect(capabilities.machines).toContain('q35');
    expect(capabilities.accelerators).toContain('tcg');
    expect(capabilities.bridgeHelper).toMatch(/^\/.*qemu-bridge-helper$/);
    expect(await capabilitiesOf(file)).toEqual(capabilities);
  });

  test('takes every option group at once, and tells how it ended', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const nic = aNic(capabilities, {
      forwards: [aForward({ hostPort: 'auto' })],
      restrict: true,
      hostname: 'web1',
      mtu: 1400,
    });
    const profile = aProfile({
      cdrom: aDisk('cd.iso').file,
      memoryMib: 64,
      boot: { order: ['disk', 'cdrom', 'network'] },
    });
    const disks = [aDisk('a.raw'), { ...aDisk('b.raw'), readOnly: true }];
    const qemu = start(
      anInput({
        capabilities,
        profile,
        disks,
        nics: [nic],
        display: 'vnc',
        extraArgs: ['-S', '-device', 'virtio-rng-pci'],
      }),
    );
    expect((await qemu.settled()).started, qemu.log()).toBe(true);
    await expect.poll(() => qemu.summary().paused).toBe(true);
    const client = await qemu.qmp();
    expect(await client.execute('query-name')).toEqual({ name: 'web1' });
    expect(await client.hmp('info usernet')).toMatch(/TCP\[HOST_FORWARD\].*127\.0\.0\.1/);
    expect(await client.hmp('info network')).toContain('macaddr=52:54:00:aa:bb:cc');
    expect(await client.hmp('info pci')).toMatch(/Bus\s+0, device\s+16, function 0:\s+Ethernet controller/);
    expect(await client.hmp('info vnc')).toContain(inDirectory('vnc'));
    await client.execute('cont');
    await expect.poll(() => qemu.summary().paused).toBe(false);
    await client.execute('quit');
    await qemu.ended();
    expect(qemu.status()).toBe(0);
    expect(qemu.summary().shutdownReason).toBe('host-qmp-quit');
  });

  test.for(['pc', 'microvm', 'q35'])('starts a %s', async (machine, ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const profile = aProfile({ machine, memoryMib: 64, ...(machine !== 'microvm' && { cdrom: aDisk('cd.iso').file }) });
    const qemu = start(
      anInput({ capabilities, profile, disks: [aDisk('a.raw')], nics: [aNic(capabilities)], extraArgs: ['-S'] }),
    );
    expect((await qemu.settled()).started, qemu.log()).toBe(true);
  });

  test('the boot order of once counts until the first reset alone', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const boot = { order: ['disk', 'cdrom'], once: 'cdrom' } as const;
    const profile = aProfile({ cdrom: aDisk('cd.iso').file, memoryMib: 64, boot });
    const qemu = start(anInput({ capabilities, profile, disks: [aDisk('a.raw')], extraArgs: ['-S'] }));
    await qemu.settled();
    const client = await qemu.qmp();
    const indexOf = (id: string) =>
      client.execute('qom-get', { path: `/machine/peripheral/${id}`, property: 'bootindex' });
    expect([await indexOf('cdrom0'), await indexOf('disk0')]).toEqual([3, 2]);
    client.close();
    expect(readFileSync(inDirectory('events'), 'utf8')).not.toContain('"error"');
  });

  test('UEFI starts, and its code is not written', async (ctx) => {
    needsFile(ctx, '/usr/share/OVMF/OVMF_CODE_4M.fd');
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const vars = inDirectory('vars.fd');
    writeFileSync(vars, readFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd'));
    const uefi = { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars };
    const qemu = start(anInput({ capabilities, uefi, profile: aProfile({ firmware: 'uefi' }), extraArgs: ['-S'] }));
    expect((await qemu.settled()).started, qemu.log()).toBe(true);
    const client = await qemu.qmp();
    expect(await client.hmp('info block uefi-code')).toContain('read-only');
    client.close();
  });

  test('ABUSE 20: a hostname that would be an option is a hostname', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const port = await freePort();
    const hostname = `web1,hostfwd=tcp:0.0.0.0:${port}-:22`;
    const told = [capabilities, { ...capabilities, version: { major: 6, minor: 1, micro: 0 } }];
    for (const [index, version] of told.entries()) {
      const where = inDirectory(`q${index}`);
      execFileSync('mkdir', [where]);
      const qemu = start(
        anInput({ capabilities: version, nics: [aNic(version, { hostname })], extraArgs: ['-S'] }),
        where,
      );
      expect((await qemu.settled()).started, qemu.log()).toBe(true);
      expect(listeningPorts()).not.toContain(port);
      const client = await qemu.qmp();
      expect(await client.hmp('info usernet')).not.toContain('HOST_FORWARD');
      client.close();
    }
  });

  test('ABUSE 21: a disk is the file of that very name', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const names = ['a,readonly=on.raw', 'a b.raw', 'nbd:localhost:1', '-x', 'fat:rw:', 'json:{}', 'ü%d.raw'];
    const disks = names.map(aDisk);
    const qemu = start(anInput({ capabilities, disks, extraArgs: ['-S'] }));
    expect((await qemu.settled()).started, qemu.log()).toBe(true);
    const client = await qemu.qmp();
    const nodes = (await client.execute('query-named-block-nodes')) as {
      'node-name': string;
      drv: string;
      file: string;
    }[];
    const opened = nodes.filter(({ drv }) => drv === 'file').map(({ file }) => file);
    expect(opened.toSorted()).toEqual(disks.map(({ file }) => file).toSorted());
    client.close();
  });

  test('ABUSE 29: the backing file of a header is not opened; a named base is', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const base = aDisk('base.raw');
    const top = inDirectory('top.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base.file, '-F', 'raw', top]);
    const disk = { file: top, format: 'qcow2', readOnly: false } as const;
    for (const [index, backing] of [[], [base]].entries()) {
      const where = inDirectory(`q${index}`);
      execFileSync('mkdir', [where]);
      const qemu = start(anInput({ capabilities, disks: [{ ...disk, backing }], extraArgs: ['-S'] }), where);
      expect((await qemu.settled()).started, qemu.log()).toBe(true);
      const client = await qemu.qmp();
      const nodes = (await client.execute('query-named-block-nodes')) as { file: string; drv: string }[];
      expect(nodes.filter(({ file, drv }) => drv === 'file' && file === base.file)).toHaveLength(backing.length);
      client.close();
      await qemu.dispose();
    }
  });

  test('ABUSE 35: a port that is taken is named by the words of QEMU', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const nic = aNic(capabilities, { forwards: [aForward({ hostPort: 'auto' })] }, { 'port:net0:0': port });
    const qemu = start(anInput({ capabilities, nics: [nic], extraArgs: ['-S'] }));
    expect((await qemu.settled()).started).toBe(false);
    await qemu.ended();
    expect(parseQemuFailure(qemu.log())).toMatchObject({
      code: 'in-use',
      forward: `tcp:127.0.0.1:${port}-10.0.2.15:80`,
    });
    server.close();
  });

  test('a disk that another QEMU has is said to be in use', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const disks = [aDisk('a.raw')];
    const [one, two] = [inDirectory('one'), inDirectory('two')];
    execFileSync('mkdir', [one, two]);
    const first = start(anInput({ capabilities, disks, extraArgs: ['-S'] }), one);
    await first.settled();
    const second = start(anInput({ capabilities, disks, extraArgs: ['-S'] }), two);
    await second.ended();
    const failure = parseQemuFailure(second.log());
    expect(failure).toMatchObject({ code: 'in-use' });
    expect(failure?.message).toContain(inDirectory('a.raw'));
  });

  test('ABUSE 65: a second client of the monitor waits in vain, and is told', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    const qemu = start(anInput({ capabilities, extraArgs: ['-S'] }));
    await qemu.settled();
    const first = await qemu.qmp();
    await expect(connectQmp(inDirectory('qmp'), { greetingTimeoutMs: 200 })).rejects.toMatchObject({ code: 'timeout' });
    first.close();
    const second = await connectQmp(inDirectory('qmp'));
    expect(second.version.major).toBe(capabilities.version.major);
    second.close();
  });

  test('the console is written to its log, with nobody attached', async (ctx) => {
    const capabilities = await capabilitiesOf(needsEitherQemu(ctx, which));
    start(anInput({ capabilities, profile: aProfile({ memoryMib: 64 }) }));
    await expect.poll(() => readFileSync(inDirectory('console.log'), 'utf8'), { timeout: 30_000 }).toContain('SeaBIOS');
  });
});

describe('what is no QEMU', () => {
  const fails = (file: string, timeoutMs = 10_000) =>
    expect(readCapabilities(createSystem(), { file, cacheDir: inDirectory('cache'), timeoutMs })).rejects;

  function aProgram(name: string, text: string): string {
    const file = inDirectory(name);
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  }

  test('ends with a clear error, whatever it does', async () => {
    await fails(aProgram('says', 'echo hello >&2; exit 3')).toMatchObject({
      code: 'qemu-failed',
      causes: ['it ended with status 3', 'hello'],
    });
    await fails(aProgram('crashes', 'kill -SEGV $$')).toMatchObject({ code: 'qemu-failed' });
    await fails(aProgram('hangs', 'exec sleep 60'), 300).toMatchObject({ code: 'timeout' });
    await fails('/bin/true').toMatchObject({ code: 'qemu-failed' });
  });

  test('a script around a QEMU is one', async (ctx) => {
    const file = aProgram('wrapper', `exec ${needsQemu(ctx)} "$@"`);
    const capabilities = await capabilitiesOf(file);
    expect(capabilities.file).toBe(file);
    expect(capabilities.options).toContain('sandbox');
  });
});
