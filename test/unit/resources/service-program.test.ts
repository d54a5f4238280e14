import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { ServiceStep } from '../../../src/plan/step.ts';
import { isOwn } from '../../../src/resources/service-program.ts';
import { killMarked, type Marked } from '../../../src/system/marked.ts';
import { readProcess } from '../../../src/system/processes.ts';

const dhcpd = ['/usr/sbin/dhcpd', '-4', '-cf', '/s/dhcpd.conf', 'qr-lan0'];
const script = ['/bin/sh', '-c', 'exec "$@"', 'qrun-dhcpd', '/s/leases'];
const program = { name: 'dhcpd', argv: [...script, ...dhcpd], restart: true } as const;
const stepOf = (programs: ServiceStep['programs']): ServiceStep => ({
  kind: 'service',
  id: 'service',
  needsRoot: true,
  title: 'qrun-net lan0',
  network: 'lan0',
  mark: 'm',
  programs,
  log: '/s/log',
  awaits: [],
});
const marked = (argv: readonly string[], name = 'dhcpd'): Marked => {
  const own = readProcess(process.pid);
  if (own === undefined) throw new Error('no process');
  return { ...own, argv, variables: { QRUN_SERVICE: 'm', QRUN_SERVICE_PROGRAM: name } };
};

test('a program that keeps its arguments is known by them: as it is, and as the shell that becomes it', () => {
  const step = stepOf([{ ...program, exact: true }]);
  const keeper = ['/bin/sh', '-c', 'while', 'qrun-keeper', 'dhcpd', ...program.argv];
  for (const argv of [dhcpd, program.argv, keeper, ['sleep', '0.05'], ['date', '+%F %T']])
    expect(isOwn(step, marked(argv)), argv.join(' ')).toBe(true);
  for (const argv of [
    ['sleep', '600'],
    [],
    ['qr-lan0'],
    dhcpd.with(3, '/other/dhcpd.conf'),
    [...dhcpd, 'qr-lan1'],
    ['bash'],
  ])
    expect(isOwn(step, marked(argv)), argv.join(' ')).toBe(false);
  // who watches has no name, and starts whatever ends the network
  expect(isOwn(step, { ...marked(['qrun', '__net-end']), variables: { QRUN_SERVICE: 'm' } })).toBe(true);
  expect(isOwn(stepOf([program]), marked(['whatever', 'it', 'calls', 'itself']))).toBe(true);
});

test('a number that is somebody else’s by now gets no signal', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const found = readProcess(child.pid ?? 0);
  expect(found).toBeDefined();
  if (found === undefined) return;
  killMarked({ ...found, startTime: found.startTime - 1, variables: {} });
  // the first of the two would have come first
  killMarked({ ...found, variables: {} }, 'SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
});
