/**
 * What a test run must not leave: links, namespaces, mounts, rules, directories, and processes of its own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { rootsEnv } from './places.mjs';

const directories = 'directory in /tmp';

/** What the machine has that concerns us, as lists of lines. */
export function readMachine(run) {
  return {
    link: readdirSync('/sys/class/net'),
    'named network namespace': existsSync('/run/netns') ? readdirSync('/run/netns') : [],
    mount: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ')[4]),
    'firewall table': process.getuid() === 0 ? linesOf('nft', ['list', 'tables']) : [],
    // those of this run: others may test on this machine at the same time
    [directories]: readdirSync('/tmp').filter((name) => name.startsWith(`qt${run}-`) || name.startsWith(`qn${run}-`)),
  };
}

const linesOf = (file, args) =>
  (spawnSync(file, args, { env: rootsEnv(), encoding: 'utf8' }).stdout ?? '').split('\n').filter(Boolean);

/** Sentences about what is there now and was not before, and about living processes that carry the run's mark or name a directory of its. */
function findLeftovers(before, { run, directory }) {
  const now = readMachine(run);
  const things = Object.entries(now).flatMap(([kind, list]) =>
    list.filter((name) => !before[kind].includes(name)).map((name) => `${kind} ${name}`),
  );
  const processes = readProcesses(namesOf({ run, directory }));
  return [...things, ...processes.map(({ pid, command }) => `process ${pid} ${command}`)];
}

/** The same, of what lasts: what is ending by itself has some seconds for it, esbuild's own process and namespaces as well. */
export async function findLastingLeftovers(before, names, graceMs = 15_000) {
  const deadline = performance.now() + graceMs;
  for (;;) {
    const left = findLeftovers(before, names);
    if (left.length === 0 || performance.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Kills and removes what is certainly the run's own. */
export function removeLeftovers({ run, directory }) {
  for (const { pid } of readProcesses(namesOf({ run, directory }))) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it ended by itself
    }
  }
  for (const name of readMachine(run)[directories])
    rmSync(path.join('/tmp', name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

const namesOf = ({ run, directory }) => [`QRUN_TEST_RUN=${run}`, `/tmp/qt${run}-`, `/tmp/qn${run}-`, directory];

function readProcesses(names) {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => {
      const stat = readProc(pid, 'stat');
      const state = stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
      if (state === '' || state === 'Z' || state === 'X') return [];
      const command = readProc(pid, 'cmdline').replaceAll('\0', ' ');
      const known = command + readProc(pid, 'environ');
      return names.some((name) => known.includes(name)) ? [{ pid, command: command.slice(0, 160) }] : [];
    });
}

function readProc(pid, file) {
  try {
    return readFileSync(path.join('/proc', pid, file), 'latin1');
  } catch {
    return '';
  }
}
