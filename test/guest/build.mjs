/**
 * Builds the test guest: Debian's cloud kernel and an initramfs of busybox, the modules that QEMU's devices need and `root/`. Needs node and apt,
 * neither root nor anything installed. The same packages and scripts give the same bytes; they are kept under a key of both.
 *
 *   node test/guest/build.mjs [--force]      prints the files as JSON
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { downloadPackage, readCandidates, runTool } from '../setup/apt.mjs';
import { buildCpio } from './cpio.mjs';
import { buildMasquerade } from './masquerade.mjs';
import { readModules, renderAliases, renderDependencies } from './modules.mjs';
import { buildUdpEcho } from './udp-echo.mjs';

const here = import.meta.dirname;

/** By name; what a kernel has built in or has not at all is left out. */
const wantedModules = [
  ...['virtio_pci', 'virtio_net', 'virtio_blk', 'virtio_scsi', 'virtio_console', 'virtio-rng', 'virtio_balloon'],
  ...[
    'vmxnet3',
    'e1000',
    'e1000e',
    '8139cp',
    'igb',
    'sd_mod',
    'sr_mod',
    'ata_piix',
    'ahci',
    'isofs',
    'vfat',
    'nls_ascii',
  ],
  ...['evdev', 'button', 'qemu_fw_cfg', '8021q'],
  // for a guest that is a router
  ...['crc32c_generic', 'nft_chain_nat', 'nft_masq'],
];

/** Words for the kernel that make it quick and quiet under emulation. */
export const guestAppend = 'console=ttyS0 quiet nokaslr mitigations=off panic=-1';

/**
 * @typedef {{vmlinuz: string, initrd: string, append: string, kernel: string, busybox: string}} Guest
 */

/**
 * @param {{cacheDir: string, force?: boolean, say?: (text: string) => void}} options
 * @returns {Guest}
 */
export function buildGuest({ cacheDir, force = false, say = () => {} }) {
  if (process.arch !== 'x64') throw new Error(`the test guest is for x86-64, this is ${process.arch}`);
  const base = path.join(cacheDir, 'guest');
  mkdirSync(path.join(base, 'packages'), { recursive: true });
  const scripts = hashOf(
    scriptFiles().map((file) => `${path.relative(here, file)} ${modeOf(file)}\n${readFileSync(file, 'utf8')}`),
  );
  let packages;
  try {
    packages = readPackages(base);
  } catch (error) {
    // without a mirror: what was built of the same scripts before
    const kept = readKept(base, scripts);
    if (kept === undefined) throw error;
    return kept;
  }
  const target = path.join(base, `${scripts}-${hashOf(Object.values(packages.versions))}`);
  if (force || !existsSync(path.join(target, 'guest.json'))) {
    say(`building the guest of ${packages.kernel} ${packages.versions[packages.kernel]}`);
    buildInto(target, { ...packages, base });
  }
  return readGuest(target);
}

/** The kernel is what Debian's meta package depends on; the machine's own lists are asked first, then lists of our own. */
function readPackages(base) {
  const meta = 'linux-image-cloud-amd64';
  const apt = path.join(base, 'apt');
  const kernelBy = (env) => /^\s*Depends: (linux-image-\S+)/m.exec(tryTool('apt-cache', ['depends', meta], env))?.[1];
  let kernel = kernelBy({});
  if (kernel === undefined) kernel = kernelBy(readCandidates([meta], apt).env);
  if (kernel === undefined) throw new Error(`${meta} depends on no kernel`);
  const { versions, env } = readCandidates([kernel, 'busybox-static'], apt);
  return { kernel, versions, env };
}

function tryTool(file, args, env) {
  try {
    return runTool(file, args, { env });
  } catch {
    return '';
  }
}

function buildInto(target, { base, kernel, versions, env }) {
  const work = mkdtempSync(path.join(tmpdir(), 'qrun-guest-'));
  try {
    const directory = path.join(base, 'packages');
    const [kernelRoot, busyboxRoot] = [kernel, 'busybox-static'].map((name) => {
      const unpacked = path.join(work, name);
      runTool('dpkg-deb', ['-x', downloadPackage(name, versions[name], { directory, env }), unpacked]);
      return unpacked;
    });
    const release = kernel.replace('linux-image-', '');
    const busybox = ['bin', 'usr/bin']
      .map((at) => path.join(busyboxRoot, at, 'busybox'))
      .find((file) => existsSync(file));
    if (busybox === undefined) throw new Error('no busybox in busybox-static');
    const output = path.join(work, 'output');
    mkdirSync(output);
    copyFileSync(path.join(kernelRoot, `boot/vmlinuz-${release}`), path.join(output, 'vmlinuz'));
    const modules = readModules(modulesDirectory(kernelRoot, release), wantedModules);
    const archive = buildCpio(entriesOf({ busybox, release, modules }));
    // the header's time is zero; level 6 unpacks as fast as any other
    writeFileSync(path.join(output, 'initrd.gz'), gzipSync(archive, { level: 6 }));
    const facts = { kernel: `${release} ${versions[kernel]}`, busybox: versions['busybox-static'] };
    writeFileSync(path.join(output, 'guest.json'), `${JSON.stringify(facts)}\n`);
    for (const name of readdirSync(output)) chmodSync(path.join(output, name), 0o644);
    publish(output, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Appears under its name complete or not at all; another build that was faster is as good. */
function publish(output, target) {
  const beside = mkdtempSync(`${target}.`);
  for (const name of readdirSync(output)) copyFileSync(path.join(output, name), path.join(beside, name));
  chmodSync(beside, 0o755);
  rmSync(target, { recursive: true, force: true });
  try {
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    if (!existsSync(path.join(target, 'guest.json'))) throw error;
  }
}

function modulesDirectory(kernelRoot, release) {
  const found = ['lib', 'usr/lib']
    .map((lib) => path.join(kernelRoot, lib, 'modules', release))
    .find((at) => existsSync(at));
  if (found === undefined) throw new Error(`no modules of ${release} in its package`);
  return found;
}

function entriesOf({ busybox, release, modules }) {
  const files = new Map([
    ['bin/busybox', { mode: 0o100755, data: readFileSync(busybox) }],
    ['bin/udp-echo', { mode: 0o100755, data: buildUdpEcho() }],
    ['bin/masquerade', { mode: 0o100755, data: buildMasquerade() }],
    ['dev/console', { mode: 0o020600, device: [5, 1] }],
    ['etc/passwd', { mode: 0o100644, data: Buffer.from('root::0:0:root:/:/bin/sh\n') }],
  ]);
  for (const directory of ['proc', 'sys', 'run', 'tmp', 'mnt']) files.set(directory, { mode: 0o040755 });
  for (const applet of runTool(busybox, ['--list']).split('\n').filter(Boolean))
    if (applet !== 'busybox') files.set(`bin/${applet}`, { mode: 0o120777, data: Buffer.from('busybox') });
  for (const file of rootFiles())
    files.set(path.relative(path.join(here, 'root'), file), { mode: modeOf(file), data: readFileSync(file) });
  const at = `lib/modules/${release}`;
  for (const { file, data } of modules) files.set(`${at}/${file}`, { mode: 0o100644, data });
  files.set(`${at}/modules.dep`, { mode: 0o100644, data: Buffer.from(renderDependencies(modules)) });
  files.set(`${at}/modules.alias`, { mode: 0o100644, data: Buffer.from(renderAliases(modules)) });
  for (const file of [...files.keys()])
    for (let above = path.dirname(file); above !== '.'; above = path.dirname(above))
      if (!files.has(above)) files.set(above, { mode: 0o040755 });
  return [...files].map(([name, entry]) => ({ path: name, ...entry }));
}

/** Only whether it runs counts: the rest of a mode is the umask of whoever cloned. */
const modeOf = (file) => ((statSync(file).mode & 0o100) === 0 ? 0o100644 : 0o100755);

const rootFiles = () =>
  readdirSync(path.join(here, 'root'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted();

const scriptFiles = () => [
  ...rootFiles(),
  ...['build.mjs', 'cpio.mjs', 'elf.mjs', 'masquerade.mjs', 'modules.mjs', 'udp-echo.mjs'].map((name) =>
    path.join(here, name),
  ),
];

const hashOf = (texts) => createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 12);

function readGuest(target) {
  const facts = JSON.parse(readFileSync(path.join(target, 'guest.json'), 'utf8'));
  return {
    vmlinuz: path.join(target, 'vmlinuz'),
    initrd: path.join(target, 'initrd.gz'),
    append: guestAppend,
    ...facts,
  };
}

function readKept(base, scripts) {
  const [kept] = readdirSync(base)
    .filter((name) => name.startsWith(`${scripts}-`) && existsSync(path.join(base, name, 'guest.json')))
    .toSorted((one, other) => statSync(path.join(base, other)).mtimeMs - statSync(path.join(base, one)).mtimeMs);
  return kept === undefined ? undefined : readGuest(path.join(base, kept));
}

if (process.argv[1] === import.meta.filename) {
  const { cacheDir, testUser } = await import('../setup/places.mjs');
  const say = (text) => process.stderr.write(`${text}\n`);
  const guest = buildGuest({ cacheDir: cacheDir(testUser()), force: process.argv.includes('--force'), say });
  process.stdout.write(`${JSON.stringify(guest, null, 2)}\n`);
}
