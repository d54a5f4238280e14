/**
 * `npm run demo`: from a clone to a guest that answers, and back to nothing. Does all set-up, boots a real Linux guest through qrun as an ordinary
 * user, shows boot, lease and MAC, asks the guest over HTTP through a forward, lets it power itself off, and proves that nothing is left.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildGuest } from '../guest/build.mjs';
import { installCommand, installMissing } from '../setup/packages.mjs';
import { asUser, cacheDir, repository, testUser } from '../setup/places.mjs';
import { placeQrun, prepareClone } from '../setup/prepare.mjs';

const vm = 'demo';
const begin = performance.now();
const tell = (text) => process.stdout.write(`${text}\n`);
const indent = (text) => text.trimEnd().replaceAll(/^/gm, '    ');

function title(text) {
  const seconds = ((performance.now() - begin) / 1000).toFixed(1).padStart(5);
  tell(`\n${seconds} s  ${text}`);
}

/** What a person is told, without a stack trace. */
class DemoError extends Error {}

function check(holds, sentence) {
  tell(`    ${holds ? 'yes' : 'NO '}  ${sentence}`);
  if (!holds) throw new DemoError(`not so: ${sentence}`);
}

function prepare() {
  title('Set-up: dependencies, build, packages, guest');
  process.umask(0o022);
  const say = (text) => tell(`    ${text}`);
  const missing = installMissing({ say, demo: true });
  if (missing.length > 0)
    throw new DemoError(`please install what is missing, then again:\n    ${installCommand(missing)}`);
  prepareClone();
  const user = testUser();
  const cache = cacheDir(user);
  const guest = buildGuest({ cacheDir: cache, say });
  tell(`    guest: Debian's kernel ${guest.kernel}, busybox ${guest.busybox}`);
  tell(`    qrun runs as ${user === undefined ? 'you' : `the ordinary user ${user.name}`}`);
  return { user, guest, ...placeQrun({ user, cache, install: false }) };
}

/** A directory for all that this qrun keeps, with the profile and the guest's files beside it. */
function makeHome({ user, guest }) {
  const home = mkdtempSync('/tmp/qrun-demo-');
  const profiles = path.join(home, 'config/profiles');
  for (const name of ['config', 'config/profiles', 'state', 'runtime', 'cache'])
    mkdirSync(path.join(home, name), { mode: 0o700 });
  copyFileSync(path.join(repository, 'profiles/demo.yaml'), path.join(profiles, `${vm}.yaml`));
  copyFileSync(guest.vmlinuz, path.join(profiles, 'vmlinuz'));
  copyFileSync(guest.initrd, path.join(profiles, 'initrd.gz'));
  if (user !== undefined)
    for (const entry of ['.', ...readdirSync(home, { recursive: true })])
      chownSync(path.join(home, entry), user.uid, user.gid);
  return home;
}

class Qrun {
  #prefix;
  #options;

  constructor({ user, bin, node }, home) {
    this.#prefix = [...asUser(user), node, bin];
    const at = (name) => path.join(home, name);
    const places = { CONFIG: 'config', STATE: 'state', RUNTIME: 'runtime', CACHE: 'cache', HOST: 'host' };
    const env = Object.fromEntries(Object.entries(places).map(([key, name]) => [`QRUN_${key}_DIR`, at(name)]));
    const { PATH = '', QRUN_QEMU } = process.env;
    const search = `${PATH}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`;
    this.#options = {
      cwd: home,
      env: { PATH: search, HOME: home, LANG: 'C.UTF-8', ...env, ...(QRUN_QEMU && { QRUN_QEMU }) },
    };
  }

  /** Runs to the end. @returns {string} stdout, or what it told a person if there is none */
  run(...args) {
    const { status, stdout, stderr } = this.#spawnSync(args);
    if (status !== 0) throw new DemoError(`qrun ${args.join(' ')} ended with ${status}\n${indent(stderr)}`);
    return stdout === '' ? stderr : stdout;
  }

  json(...args) {
    return JSON.parse(this.run(...args, '--json'));
  }

  /** What doctor says about one thing; it also tries KVM with a guest of its own, and keeps what it learned. */
  diagnose(id) {
    return JSON.parse(this.#spawnSync(['doctor', '--json']).stdout || '[]').find((one) => one.id === id);
  }

  /** Attached to the console, as a person would run it. */
  start(...args) {
    const [file, ...rest] = [...this.#prefix, ...args];
    return spawn(file, rest, { ...this.#options, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  #spawnSync(args) {
    const [file, ...rest] = [...this.#prefix, ...args];
    return spawnSync(file, rest, { ...this.#options, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

const worthShowing = /Linux version|SeaBIOS|Command line:|Hypervisor|Memory:|Run \/init|Power down|qrun-guest:/;

// oxlint-disable-next-line no-control-regex -- what a BIOS sends to clear the screen
const stripEscapes = (text) => text.replaceAll(/\u001b(?:\[[0-9;?]*[a-zA-Z]|c)/g, '');

// the kernel's first line comes right behind what the BIOS was saying
const readable = (line) =>
  stripEscapes(line)
    .replace(/^Probing EDD.*?(?=\[ )/, '')
    .trimEnd()
    .slice(0, 140);

/** Shows the lines of the boot that tell something. */
function watchConsole(child) {
  const console = { text: '', errors: '', hidden: 0, shown: 0, over: false };
  child.stderr.setEncoding('utf8').on('data', (text) => (console.errors += text));
  child.stdout.setEncoding('utf8').on('data', (text) => {
    console.text += text;
    const lines = console.text.split('\n').slice(0, -1);
    for (const line of lines.slice(console.shown)) {
      if (worthShowing.test(line)) tell(`    ${readable(line)}`);
      else console.hidden++;
    }
    console.shown = lines.length;
  });
  console.ended = new Promise((resolve) =>
    child.once('close', (status) => {
      console.over = true;
      resolve(status);
    }),
  );
  return console;
}

async function boot(qrun) {
  const kvm = qrun.diagnose('kvm');
  title('Boot');
  if (kvm !== undefined) tell(`    ${kvm.what}: ${kvm.evidence}`);
  tell(`    $ qrun ${vm}`);
  const console = watchConsole(qrun.start('run', vm));
  await waitForText(console, /qrun-guest: up[^\n]*\n/, 60_000);
  tell(`    (and ${console.hidden} more lines of the kernel's)`);
  return console;
}

async function waitForText(console, pattern, timeoutMs) {
  const deadline = performance.now() + timeoutMs;
  while (!pattern.test(console.text)) {
    if (console.over) throw new DemoError(`qrun ${vm} ended before the guest was up\n${indent(console.errors)}`);
    if (performance.now() > deadline)
      throw new DemoError(`the guest did not say ${pattern.source} within ${timeoutMs / 1000} s`);
    await delay(50);
  }
}

/** The address that the guest was given, the MAC that qrun leased, and the answer through the forward. */
async function askGuest(qrun, console) {
  title('The lease and the MAC address');
  const [, guestMac, ip] = /qrun-guest: net eth0 mac=(\S+) ip=(\S+)/.exec(console.text) ?? [];
  const [machine] = qrun.json('ps');
  const [nic] = machine.nics;
  tell(indent(qrun.run('ps')));
  check(ip !== undefined, `the guest was given ${ip} by DHCP`);
  check(nic.mac === guestMac, `the guest's card has the MAC that qrun leased: ${nic.mac}`);

  const port = nic.forwards[0].hostPort;
  title(`HTTP from the host: http://127.0.0.1:${port}/`);
  const page = await fetchPage(`http://127.0.0.1:${port}/`);
  tell(indent(page));
  check(
    page.includes(`qrun-guest ${vm}`) && page.includes(nic.mac),
    'the guest itself answered, with its name and MAC',
  );
  return { pid: machine.pid, port, mac: nic.mac };
}

async function fetchPage(url) {
  // a connection that is kept alive would be one more thing that is left
  const headers = { connection: 'close' };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(10_000) });
  return response.text();
}

async function stop(qrun, console) {
  title('Power-off');
  tell(`    $ qrun stop ${vm}`);
  tell(indent(qrun.run('stop', vm)));
  const status = await console.ended;
  const { lastRun } = qrun.json('ls').find(({ name }) => name === vm);
  check(lastRun.reason === 'guest-shutdown', 'the guest powered itself off');
  check(status === 0, 'the qrun that was attached ended with 0');
}

async function prove(qrun, { home, port, mac }) {
  title('Nothing is left');
  const busy = await fetchPage(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );
  check(qrun.json('ps').length === 0, 'qrun ps: no VM runs');
  check((await waitForNoProcess(home)).length === 0, 'no process of the run lives: no QEMU, no helper, no qrun');
  check(!busy, `port ${port} is closed`);
  check(readdirSync(path.join(home, 'runtime')).length === 0, 'no socket is left');
  check(qrun.run('show', vm, '--json').includes(mac), `kept on purpose: ${mac} is this VM's in its next run too`);
}

/** Processes that name the demo's directory in their arguments or environment, after a moment to end. */
async function waitForNoProcess(home) {
  let found = readProcesses(home);
  for (let turn = 0; found.length > 0 && turn < 50; turn++) {
    await delay(50);
    found = readProcesses(home);
  }
  return found;
}

function readProcesses(home) {
  const read = (pid, file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => read(pid, 'cmdline').includes(home) || read(pid, 'environ').includes(home))
    .filter((pid) => !/\) [ZX] /.test(read(pid, 'stat')));
}

async function main() {
  const facts = prepare();
  const home = makeHome(facts);
  const qrun = new Qrun(facts, home);
  try {
    const console = await boot(qrun);
    const { port, mac } = await askGuest(qrun, console);
    await stop(qrun, console);
    await prove(qrun, { home, port, mac });
    title('Done.');
  } finally {
    try {
      qrun.run('kill', vm);
    } catch {
      // there is nothing to kill: it ended, or never began
    }
    for (const directory of [home, facts.temporary])
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

try {
  await main();
} catch (error) {
  process.stdout.write(`\nThe demo failed: ${error instanceof DemoError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
