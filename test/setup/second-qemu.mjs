/**
 * QEMU of Debian's next release beside the machine's own: fetched by apt into a directory of ours, unpacked, and made to find its own libraries,
 * modules and firmware there. Neither root nor a chroot nor anything installed is needed.
 *
 *   node test/setup/second-qemu.mjs       prints the binary's path
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { privateApt, readCodename, refreshLists, runTool } from './apt.mjs';

/** What comes after what; a release that is not listed has no second QEMU. */
const nextRelease = { bookworm: 'trixie', trixie: 'forky' };
const packages = ['patchelf', 'qemu-system-x86'];
/** Raised when this file builds something else than before. */
const recipe = 1;

/**
 * @param {{cacheDir: string, say?: (text: string) => void}} options
 * @returns {{file: string, version: string}}
 */
export function buildSecondQemu({ cacheDir, say = () => {} }) {
  if (process.arch !== 'x64') throw new Error(`the second QEMU is for x86-64, this is ${process.arch}`);
  const suite = nextRelease[readCodename()];
  if (suite === undefined) throw new Error(`no release after ${readCodename()} is known`);
  // libraries are found by absolute path, so the directory is final from the beginning, and a mark tells that it is complete
  const target = path.join(cacheDir, `qemu-${suite}-${recipe}`);
  const mark = path.join(target, 'complete.json');
  if (!existsSync(mark) || JSON.parse(readFileSync(mark, 'utf8')).at !== target) {
    say(`fetching QEMU of Debian ${suite}`);
    rmSync(target, { recursive: true, force: true });
    buildInto(target, { cacheDir, suite });
  }
  return JSON.parse(readFileSync(mark, 'utf8'));
}

function buildInto(target, { cacheDir, suite }) {
  mkdirSync(target, { recursive: true, mode: 0o755 });
  const apt = mkdtempSync(path.join(cacheDir, 'apt-'));
  const root = path.join(target, 'root');
  try {
    const { env, archives } = privateApt(apt, { suite });
    refreshLists(env);
    runTool('apt-get', ['-qq', '-y', '--no-install-recommends', '--download-only', 'install', ...packages], { env });
    for (const name of readdirSync(archives))
      if (name.endsWith('.deb')) runTool('dpkg-deb', ['-x', path.join(archives, name), root]);
  } finally {
    rmSync(apt, { recursive: true, force: true });
  }
  useOwnLibraries(root);
  const file = writeWrapper(target, root);
  const version = runTool(file, ['--version']).split('\n')[0];
  const mark = path.join(target, 'complete.json');
  writeFileSync(`${mark}.new`, JSON.stringify({ at: target, file, version }));
  chmodSync(`${mark}.new`, 0o644);
  renameSync(`${mark}.new`, mark);
}

const libraries = 'usr/lib/x86_64-linux-gnu';

/** The programs get the fetched loader and library path; the loader runs patchelf itself, which cannot run otherwise. */
function useOwnLibraries(root) {
  const lib = path.join(root, libraries);
  const loader = path.join(lib, 'ld-linux-x86-64.so.2');
  for (const file of programsOf(root)) {
    const patchelf = [path.join(root, 'usr/bin/patchelf'), '--set-interpreter', loader, '--force-rpath', '--set-rpath'];
    runTool(loader, ['--library-path', lib, ...patchelf, `${lib}:${lib}/pulseaudio`, file]);
  }
}

const programsOf = (root) =>
  [
    ...readdirSync(path.join(root, 'usr/bin')).map((name) => path.join(root, 'usr/bin', name)),
    path.join(root, 'usr/lib/qemu/qemu-bridge-helper'),
  ]
    .filter((file) => /\/qemu-[^/]*$/.test(file) && existsSync(file) && lstatSync(file).isFile())
    .filter((file) => readFileSync(file).subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')));

/** Debian builds QEMU for one place only: modules are named by the environment, firmware by `-L`. */
function writeWrapper(target, root) {
  const directory = path.join(target, 'bin');
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, 'qemu-system-x86_64');
  const firmware = ['qemu', 'seabios'].map((name) => `-L '${root}/usr/share/${name}'`);
  writeFileSync(
    file,
    [
      '#!/bin/sh',
      `export QEMU_MODULE_DIR='${root}/${libraries}/qemu'`,
      `exec '${root}/usr/bin/qemu-system-x86_64' ${firmware.join(' ')} -L '${root}/usr/lib/ipxe/qemu' "$@"`,
      '',
    ].join('\n'),
  );
  chmodSync(file, 0o755);
  return file;
}

if (process.argv[1] === import.meta.filename) {
  const { cacheDir, testUser } = await import('./places.mjs');
  const say = (text) => process.stderr.write(`${text}\n`);
  process.stdout.write(`${buildSecondQemu({ cacheDir: cacheDir(testUser()), say }).file}\n`);
}
