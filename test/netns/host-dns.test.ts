/** `hostDns`: whoever resolves names for the host is told of a network's name server, and forgets it. Fake tools show what they are told. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, must, refused } from '../harness/harness.ts';
import { createBridgedHost, everything, textOf, type BridgedHost } from './a-bridged-host.ts';

type Tool = 'resolvectl' | 'resolvconf';

const lan0 = 'addresses: [10.10.120.1/24, "fd00:120::1/64"]\nhostDns: true\ndns: { domain: lan0.test }\n';

interface ToldHost extends BridgedHost {
  /** What was told since the last look, a line each. */
  readonly told: () => string[];
}

/** @param dead what of the tools fails */
async function createToldHost(
  context: Parameters<typeof createBridgedHost>[0],
  tools: readonly Tool[],
  dead = 'none',
): Promise<ToldHost> {
  const bridged = await createBridgedHost(context);
  const { namespace } = bridged.host;
  const log = path.join(namespace.dir, 'told');
  const places = createHome({ as: 'root', namespace });
  const bin = places.mkdir('bin');
  for (const tool of tools) {
    const input = tool === 'resolvconf' ? '[ "$1" != -a ] || { tr "\\n" " "; echo; } >>"$log"' : ':';
    const lines = [
      '#!/bin/sh',
      `log=${log}`,
      `echo "${tool} $*" >>"$log"`,
      input,
      `case "$*" in ${dead}) echo "no such thing" >&2; exit 1;; esac`,
    ];
    places.write(`bin/${tool}`, `${lines.join('\n')}\n`, 0o755);
  }
  const env = { PATH: `${bin}:${bridged.root.env['PATH'] ?? ''}` };
  const root = createHome({ as: 'root', namespace, env });
  root.network('lan0', lan0);
  return {
    ...bridged,
    root,
    told: () => {
      const text = textOf(log);
      namespace.run(['rm', '-f', log]);
      return text.split('\n').filter((line) => line !== '' && line !== 'resolvectl dns');
    },
  };
}

const made: Readonly<Record<Tool, readonly string[]>> = {
  resolvectl: [
    'resolvectl dnssec qr-lan0 no',
    'resolvectl dnsovertls qr-lan0 no',
    'resolvectl domain qr-lan0 ~lan0.test',
    'resolvectl dns qr-lan0 10.10.120.1 fd00:120::1',
  ],
  resolvconf: ['resolvconf -a lo.qr-lan0', 'nameserver 10.10.120.1 nameserver fd00:120::1 '],
};
const undone: Readonly<Record<Tool, string>> = {
  resolvectl: 'resolvectl revert qr-lan0',
  resolvconf: 'resolvconf -d lo.qr-lan0 -f',
};
const flat = (lines: readonly string[]): string => lines.join(' ').replaceAll(/ +/g, ' ').trim();

test.for(['resolvectl', 'resolvconf'] as const)('%s is told at up, and again at down; once', async (tool, context) => {
  const host = await createToldHost(context, [tool]);
  const { root } = host;
  const before = everything(host);
  await must(root, 'net', 'up', 'lan0');
  expect(flat(host.told())).toBe(flat(made[tool]));
  await must(root, 'net', 'up', 'lan0');
  expect(host.told()).toEqual([]);
  // one whose link went has forgotten it
  host.host.must('ip link del qr-lan0');
  await must(root, 'net', 'up', 'lan0');
  expect(flat(host.told())).toBe(flat(made[tool]));
  await must(root, 'net', 'down', 'lan0');
  expect(host.told()).toEqual([undone[tool]]);
  await root.qrun(['net', 'down', 'lan0']);
  expect(host.told()).toEqual([]);
  expect(everything(host)).toEqual(before);
});

test('killed before and after the step, it is undone by gc, once; failed, by itself', async (context) => {
  const host = await createToldHost(context, ['resolvconf']);
  const { root } = host;
  const before = everything(host);
  for (const [point, gone] of [
    ['acquire:resolver', []],
    ['acquired:resolver', [undone.resolvconf]],
  ] as const) {
    const killed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:kill` } });
    expect({ point, status: killed.status }).toEqual({ point, status: 137 });
    host.told();
    await must(root, 'gc');
    expect(host.told()).toEqual(gone);
    await must(root, 'gc');
    expect(host.told()).toEqual([]);
    expect(everything(host)).toEqual(before);
    const failed = await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: `${point}:throw` } });
    expect(failed.status).toBe(3);
    expect(host.told().filter((line) => line.includes(' -d '))).toEqual(gone);
    expect(everything(host)).toEqual(before);
  }
  await must(root, 'net', 'up', 'lan0');
  await root.qrun(['net', 'down', 'lan0'], { env: { QRUN_FAILPOINT: 'released:resolver:kill' } });
  await must(root, 'net', 'down', 'lan0');
  expect(everything(host)).toEqual(before);
});

test('systemd-resolved that does not run is passed over; one that refuses is an error, and nothing stays', async (context) => {
  const both = await createToldHost(context, ['resolvectl', 'resolvconf'], 'dns');
  await must(both.root, 'net', 'up', 'lan0');
  expect(both.told().join(' ')).toContain('resolvconf -a lo.qr-lan0');
  await must(both.root, 'net', 'down', 'lan0');
  const deaf = await createToldHost(context, ['resolvectl'], 'domain*');
  const before = everything(deaf);
  expect(await refused(deaf.root, 'net', 'up', 'lan0')).toEqual({
    status: 3,
    stderr: expect.stringContaining('the host was not told who knows lan0.test: no such thing'),
  });
  expect(deaf.told().at(-1)).toBe(undone.resolvectl);
  expect(everything(deaf)).toEqual(before);
});

test('what it takes: a domain, and somebody to be told', async (context) => {
  const { root } = await createToldHost(context, []);
  const missing = await refused(root, 'net', 'up', 'lan0');
  expect(missing).toEqual({ status: 3, stderr: expect.stringContaining('neither systemd-resolved nor resolvconf') });
  expect(missing.stderr).toContain('sudo apt-get install resolvconf');
  root.network('lan0', 'addresses: [10.10.120.1/24]\nhostDns: true\n');
  expect(await refused(root, 'net', 'up', 'lan0')).toEqual({
    status: 2,
    stderr: expect.stringContaining('write "dns.domain" too'),
  });
});
