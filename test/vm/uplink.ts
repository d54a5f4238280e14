/** A host with a way out, in namespaces of the test's own: beyond its uplink is a server, and nothing leaves the machine. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { createNamespace, Running, testFacts, type Namespace } from '../harness/harness.ts';

export interface Uplink {
  /** Where qrun runs: 192.0.2.1 on `up0`, and loopback. */
  readonly host: Namespace;
  /** Where 192.0.2.2 is, on `up1`. */
  readonly beyond: Namespace;
  /** At 192.0.2.2: its stdout says who asked. */
  readonly outside: Running;
  /** On the host's own loopback. */
  readonly local: Running;
  readonly local6: Running;
}

export const hostAddress = '192.0.2.1';
export const outsideAddress = '192.0.2.2';

export async function createUplink(): Promise<Uplink> {
  const host = await createNamespace();
  const beyond = await createNamespace();
  for (const argv of [
    ['ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1', 'netns', String(beyond.pid)],
    ['ip', 'addr', 'add', `${hostAddress}/24`, 'dev', 'up0'],
    ['ip', 'link', 'set', 'up0', 'up'],
    ['ip', 'route', 'add', 'default', 'via', outsideAddress],
    ['sysctl', '-qw', 'net.ipv4.ping_group_range=0 2147483647'],
    ['mount', '--bind', resolvConf(host), '/etc/resolv.conf'],
  ])
    expect(host.run(argv)).toMatchObject({ status: 0, stderr: '' });
  for (const argv of [
    ['ip', 'addr', 'add', `${outsideAddress}/24`, 'dev', 'up1'],
    ['ip', 'link', 'set', 'up1', 'up'],
  ])
    expect(beyond.run(argv)).toMatchObject({ status: 0, stderr: '' });
  return {
    host,
    beyond,
    outside: await startServer(beyond, [outsideAddress, outsideAddress]),
    local: await startServer(host, ['127.0.0.1']),
    local6: await startServer(host, ['::1']),
  };
}

function resolvConf({ dir }: Namespace): string {
  const file = path.join(dir, 'resolv.conf');
  writeFileSync(file, `nameserver ${outsideAddress}\n`);
  return file;
}

async function startServer(namespace: Namespace, args: readonly string[]): Promise<Running> {
  const program = path.join(import.meta.dirname, 'outside.mjs');
  const server = new Running(namespace.wrap([testFacts().node, program, ...args]), {
    env: { PATH: '/usr/bin:/bin', QRUN_NS: namespace.dir },
    cwd: '/',
    timeoutMs: 600_000,
  });
  onTestFinished(() => server.kill('SIGKILL'));
  await server.waitFor(/^ready$/m);
  return server;
}
