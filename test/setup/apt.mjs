/**
 * Debian packages fetched and unpacked without installing them and without root: an apt configuration with directories of its own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Runs a tool to its end and returns its stdout. @throws Error with its last words */
export function runTool(file, args, { env = {}, cwd } = {}) {
  const result = spawnSync(file, args, {
    cwd,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 256 << 20,
  });
  if (result.error !== undefined) throw new Error(`${file}: ${result.error.message}`);
  if (result.status !== 0) {
    const words = `${result.stderr}${result.stdout}`.trim().split('\n').slice(-5).join('\n');
    throw new Error(`${file} ${args.slice(0, 4).join(' ')} … ended with ${result.status ?? result.signal}: ${words}`);
  }
  return result.stdout;
}

/** Codename of the running Debian, such as `bookworm`. */
export function readCodename() {
  return /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'bookworm';
}

/**
 * The environment of an apt with its own lists and archives in `directory`. With `suite` it looks at that release of Debian, through the
 * machine's own mirrors; nothing counts as installed, so that a download brings all dependencies.
 */
export function privateApt(directory, { suite = readCodename() } = {}) {
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(path.join(directory, name), { recursive: true });
  const file = (name) => path.join(directory, name);
  writeFileSync(file('status'), '');
  writeFileSync(file('debian.sources'), renderSources(suite));
  const settings = {
    'Dir::State': directory,
    'Dir::State::Lists': file('lists'),
    'Dir::State::status': file('status'),
    'Dir::Cache': directory,
    'Dir::Cache::archives': file('archives'),
    'Dir::Etc::Parts': '/dev/null',
    'Dir::Etc::Main': '/dev/null',
    'Dir::Etc::SourceList': file('debian.sources'),
    'Dir::Etc::SourceParts': '/dev/null',
    'APT::Sandbox::User': '',
    'APT::Install-Recommends': 'false',
    'APT::Install-Suggests': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  const own = Object.entries(settings).map(([key, value]) => `${key} "${value}";`);
  // the machine's proxies and certificates stay in force
  writeFileSync(file('conf'), [runTool('apt-config', ['dump', 'Acquire']), ...own, ''].join('\n'));
  return { env: { APT_CONFIG: file('conf') }, archives: file('archives') };
}

/** The machine's Debian sources, with another release's name in them. */
export function renderSources(suite) {
  const codename = readCodename();
  const rename = (name) => name.replace(new RegExp(`^${codename}(?=$|[-/])`), suite);
  const entries = readSources()
    .filter(({ types, suites }) => types.includes('deb') && suites.some((name) => name.split(/[-/]/)[0] === codename))
    .map(({ uris, suites, signedBy }) =>
      [
        'Types: deb',
        `URIs: ${uris}`,
        `Suites: ${suites.map(rename).join(' ')}`,
        'Components: main',
        ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy}`]),
      ].join('\n'),
    );
  const known =
    entries.length > 0
      ? entries
      : [`Types: deb\nURIs: http://deb.debian.org/debian\nSuites: ${suite}\nComponents: main`];
  return `${[...new Set(known)].join('\n\n')}\n`;
}

function readSources() {
  const parts = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(parts)
      ? readdirSync(parts)
          .toSorted()
          .map((name) => path.join(parts, name))
      : []),
  ].filter((file) => existsSync(file));
  return files.flatMap((file) => {
    const text = readFileSync(file, 'utf8').replaceAll(/^#.*\n?/gm, '');
    return file.endsWith('.sources') ? parseStanzas(text) : file.endsWith('.list') ? parseLines(text) : [];
  });
}

/** The deb822 form: `Key: value` stanzas. */
function parseStanzas(text) {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const value = (key) => new RegExp(`^${key}:[ \\t]*(.*)$`, 'im').exec(stanza)?.[1]?.trim();
    const uris = value('URIs');
    if (uris === undefined) return [];
    const words = (key) => (value(key) ?? '').split(/\s+/).filter(Boolean);
    const signedBy = value('Signed-By');
    return [
      {
        types: words('Types'),
        uris,
        suites: words('Suites'),
        signedBy: signedBy?.startsWith('/') ? signedBy : undefined,
      },
    ];
  });
}

/** The one-line form: `deb [options] URI SUITE COMPONENT…`. */
function parseLines(text) {
  return [...text.matchAll(/^deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)/gm)].map(([, options, uris, suite]) => ({
    types: ['deb'],
    uris,
    suites: [suite],
    signedBy: /signed-by=(\S+)/.exec(options ?? '')?.[1],
  }));
}

/**
 * The version of each package that would be fetched, from the machine's own lists, or from lists of our own in `directory` if it has none.
 * @returns {{env: Record<string, string>, versions: Record<string, string>}}
 */
export function readCandidates(names, directory) {
  const own = candidatesOf(names, {});
  if (own !== undefined) return { env: {}, versions: own };
  const { env } = privateApt(directory);
  const known = candidatesOf(names, env);
  if (known !== undefined) return { env, versions: known };
  refreshLists(env);
  const fetched = candidatesOf(names, env);
  if (fetched === undefined) throw new Error(`apt knows no ${names.join(', ')}`);
  return { env, versions: fetched };
}

export const refreshLists = (env) => void runTool('apt-get', ['-qq', 'update'], { env });

function candidatesOf(names, env) {
  const text = runTool('apt-cache', ['policy', ...names], { env });
  const versions = {};
  for (const block of text.split(/^(?=\S)/m)) {
    const name = /^(\S+):/.exec(block)?.[1];
    const candidate = /^\s+Candidate: (\S+)/m.exec(block)?.[1];
    if (name !== undefined && candidate !== undefined && candidate !== '(none)') versions[name] = candidate;
  }
  return names.every((name) => versions[name] !== undefined) ? versions : undefined;
}

/** Downloads `NAME=VERSION` into `directory` and returns the file; one that is there already is not fetched again. */
export function downloadPackage(name, version, { directory, env }) {
  const file = path.join(directory, `${name}_${version.replaceAll(':', '%3a')}.deb`);
  if (existsSync(file)) return file;
  const temporary = path.join(directory, `.fetch-${process.pid}`);
  mkdirSync(temporary, { recursive: true });
  try {
    const args = ['-qq', '-o', 'APT::Sandbox::User=', 'download', `${name}=${version}`];
    try {
      runTool('apt-get', args, { env, cwd: temporary });
    } catch {
      // the lists are older than the mirror: the version they name is gone
      const { env: fresh } = privateApt(path.join(directory, 'apt'));
      refreshLists(fresh);
      runTool('apt-get', args, { env: fresh, cwd: temporary });
    }
    const [fetched] = readdirSync(temporary);
    if (fetched === undefined) throw new Error(`apt-get download ${name}=${version} brought nothing`);
    renameSync(path.join(temporary, fetched), file);
    return file;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
