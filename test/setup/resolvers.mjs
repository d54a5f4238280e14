/**
 * Who resolves names for a host: the two programs that Debian has by the name of resolvconf, and systemd-resolved with the bus that it is told on.
 * Fetched and unpacked: to install one of them would change the machine's own resolver.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { privateApt, readCodename, refreshLists, runTool } from './apt.mjs';

/** Each in a directory of its own, with those of its libraries that a machine may not have. */
const packages = {
  openresolv: ['openresolv'],
  resolvconf: ['resolvconf'],
  'systemd-resolved': [
    ...['systemd-resolved', 'libsystemd-shared', 'libip4tc2', 'libkmod2', 'libnss-resolve'],
    ...['dbus-daemon', 'dbus-system-bus-common', 'libdbus-1-3', 'libapparmor1', 'libcap-ng0', 'libexpat1'],
  ],
};
/** Raised when this file makes something else than before. */
const recipe = 2;

/**
 * @param {{cacheDir: string, say?: (text: string) => void}} options
 * @returns {{openresolv: string, resolvconf: string, 'systemd-resolved': string}} directories that are as `/` would be
 */
export function buildResolvers({ cacheDir, say = () => {} }) {
  const target = path.join(cacheDir, `resolvers-${readCodename()}-${recipe}`);
  const mark = path.join(target, 'complete.json');
  if (!existsSync(mark) || JSON.parse(readFileSync(mark, 'utf8')).at !== target) {
    say(`fetching ${Object.keys(packages).join(', ')}`);
    rmSync(target, { recursive: true, force: true });
    unpackInto(target, cacheDir);
    writeFileSync(mark, JSON.stringify({ at: target }));
  }
  return Object.fromEntries(Object.keys(packages).map((name) => [name, path.join(target, name)]));
}

function unpackInto(target, cacheDir) {
  mkdirSync(target, { recursive: true, mode: 0o755 });
  const apt = mkdtempSync(path.join(cacheDir, 'apt-'));
  try {
    const { env } = privateApt(apt);
    refreshLists(env);
    runTool('apt-get', ['-qq', 'download', ...Object.values(packages).flat()], { env, cwd: apt });
    const files = readdirSync(apt);
    for (const [directory, names] of Object.entries(packages))
      for (const file of files.filter((one) => one.endsWith('.deb') && names.includes(one.slice(0, one.indexOf('_')))))
        runTool('dpkg-deb', ['-x', path.join(apt, file), path.join(target, directory)]);
  } finally {
    rmSync(apt, { recursive: true, force: true });
  }
}
