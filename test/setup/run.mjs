/**
 * `npm test`: does all set-up on a fresh clone, runs the tiers, says why tests were skipped, and proves that nothing is left behind.
 *
 *   node test/setup/run.mjs [prepare] [unit] [cli] [netns] [vm] [-- VITEST-ARGUMENTS]      default: all four tiers
 *
 * `prepare` only does the set-up, for `npx vitest --config test/vitest.config.ts --project cli FILE` by hand.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { findLastingLeftovers, readMachine, removeLeftovers } from './leftovers.mjs';
import { repository, rootsEnv } from './places.mjs';
import { prepareClone, prepareMachine, writeFacts } from './prepare.mjs';

const allTiers = ['unit', 'cli', 'netns', 'vm'];
const vitestFile = path.join(repository, 'node_modules/vitest/vitest.mjs');

function parseArguments(argv) {
  const cut = argv.indexOf('--');
  const [own, extra] = cut === -1 ? [argv, []] : [argv.slice(0, cut), argv.slice(cut + 1)];
  const unknown = own.find((word) => word !== 'prepare' && !allTiers.includes(word));
  if (unknown !== undefined) throw new Error(`unknown tier ${unknown}: ${allTiers.join(', ')} or prepare`);
  return { prepareOnly: own.includes('prepare'), tiers: own.length === 0 ? allTiers : own, extra };
}

async function main() {
  const { prepareOnly, tiers, extra } = parseArguments(process.argv.slice(2));
  prepareClone();
  if (tiers.join() === 'unit') {
    const tally = await runTiers(tiers, { extra, env: {} });
    return finish(tally, []);
  }
  const { facts, missing, temporary } = await prepareMachine({ install: !prepareOnly });
  if (prepareOnly) {
    writeFacts(facts);
    process.stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
    return 0;
  }
  // short: it is part of paths that sockets lie in
  const run = (process.pid + Date.now() * 100).toString(36).slice(-7);
  const env = { QRUN_TEST_RUN: run, QRUN_TEST_FACTS: writeFacts(facts, path.join(temporary, 'facts.json')) };
  const before = readMachine(run);
  const gated = tiers.filter((tier) => whyNot(tier, facts, missing) !== undefined);
  const tally = await runTiers(
    tiers.filter((tier) => !gated.includes(tier)),
    { extra, env },
  );
  for (const tier of gated) countAsSkipped(tally, { tier, why: whyNot(tier, facts, missing), env });
  const left = await findLastingLeftovers(before, { run, directory: temporary });
  removeLeftovers({ run, directory: temporary });
  rmSync(temporary, { recursive: true, force: true });
  return finish(tally, left);
}

/** Why a whole tier cannot run here. */
function whyNot(tier, facts, missing) {
  if (tier === 'unit') return undefined;
  if ('why' in facts.qemu) return facts.qemu.why;
  const needed = ['iproute2', 'nftables', 'util-linux'].filter((name) => missing.includes(name));
  return tier === 'netns' && needed.length > 0 ? `missing packages: ${needed.join(' ')}` : undefined;
}

async function runTiers(tiers, { extra, env }) {
  const empty = { passed: 0, failed: 0, skipped: 0, reasons: {}, errors: 0 };
  if (tiers.length === 0) return empty;
  const tallyFile = path.join('/tmp', `qrun-tally-${process.pid}.json`);
  const args = [
    vitestFile,
    'run',
    ...['--config', 'test/vitest.config.ts', '--passWithNoTests', '--no-color'],
    ...['--reporter=default', `--reporter=${path.join(import.meta.dirname, 'tally-reporter.mjs')}`],
    ...tiers.flatMap((tier) => ['--project', tier]),
    ...extra,
  ];
  const status = await runToEnd(process.execPath, args, { ...rootsEnv(), ...env, QRUN_TEST_TALLY: tallyFile });
  const tally = existsSync(tallyFile) ? JSON.parse(readFileSync(tallyFile, 'utf8')) : { ...empty, errors: 1 };
  rmSync(tallyFile, { force: true });
  // vitest failed for a reason that is no test's
  const unseen = tally.errors > 0 || (status !== 0 && tally.failed === 0);
  return unseen ? { ...tally, failed: tally.failed + Math.max(1, tally.errors) } : tally;
}

/** A signal for us is one for the tests: they end, and what they leave is removed as ever. */
function runToEnd(file, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: repository, env, stdio: ['ignore', 'inherit', 'inherit'] });
    const pass = (signal) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass);
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 255));
  });
}

function countAsSkipped(tally, { tier, why, env }) {
  const args = [vitestFile, 'list', '--config', 'test/vitest.config.ts', '--project', tier, '--json'];
  const { stdout } = spawnSync(process.execPath, args, {
    cwd: repository,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const begin = stdout.indexOf('[');
  const tests = begin === -1 ? [] : JSON.parse(stdout.slice(begin));
  tally.skipped += tests.length;
  tally.reasons[`${tier}: ${why}`] = tests.length;
}

function finish(tally, left) {
  const reasons = Object.entries(tally.reasons);
  if (reasons.length > 0) process.stdout.write('\nSkipped, and why:\n');
  for (const [reason, count] of reasons) process.stdout.write(`  ${String(count).padStart(4)}  ${reason}\n`);
  if (left.length > 0)
    process.stdout.write(`\nLeft behind by the tests:\n${left.map((line) => `  ${line}\n`).join('')}`);
  const failed = tally.failed + (left.length > 0 ? 1 : 0);
  process.stdout.write(`\n${tally.passed} passed, ${failed} failed, ${tally.skipped} skipped\n`);
  return failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.stdout.write('\n0 passed, 1 failed, 0 skipped\n');
  process.exitCode = 1;
}
