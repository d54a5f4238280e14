/**
 * The two programs that Debian has by the name of resolvconf, fetched and unpacked: to install one of them would change the machine's own resolver.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { privateApt, readCodename, refreshLists, runTool } from './apt.mjs';

const packages = ['openresolv', 'resolvconf'];
/** Raised when this file makes something else than before. */
const recipe = 1;

/**
 * @param {{cacheDir: string, say?: (text: string) => void}} options
 * @returns {{openresolv: string, resolvconf: string}} directories that are as `/` would be
 */
export function buildResolvers({ cacheDir, say = () => {} }) {
  const target = path.join(cacheDir, `resolvers-${readCodename()}-${recipe}`);
  const mark = path.join(target, 'complete.json');
  if (!existsSync(mark) || JSON.parse(readFileSync(mark, 'utf8')).at !== target) {
    say(`fetching ${packages.join(' and ')}`);
    rmSync(target, { recursive: true, force: true });
    unpackInto(target, cacheDir);
    writeFileSync(mark, JSON.stringify({ at: target }));
  }
  return Object.fromEntries(packages.map((name) => [name, path.join(target, name)]));
}

function unpackInto(target, cacheDir) {
  mkdirSync(target, { recursive: true, mode: 0o755 });
  const apt = mkdtempSync(path.join(cacheDir, 'apt-'));
  try {
    const { env } = privateApt(apt);
    refreshLists(env);
    runTool('apt-get', ['-qq', 'download', ...packages], { env, cwd: apt });
    for (const file of readdirSync(apt).filter((one) => one.endsWith('.deb')))
      runTool('dpkg-deb', ['-x', path.join(apt, file), path.join(target, file.slice(0, file.indexOf('_')))]);
  } finally {
    rmSync(apt, { recursive: true, force: true });
  }
}
