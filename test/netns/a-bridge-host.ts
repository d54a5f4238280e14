/** A host that was prepared for `kind: bridge`, in a namespace of the test's own: a copy of the real helper with its right, bridge.conf, a bridge. */
import { copyFileSync, chmodSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { createNamespace, needsFile, needsRoot, waitUntil, type Namespace } from '../harness/harness.ts';

/** Where Debian's QEMU looks for it. */
export const helperFile = '/usr/lib/qemu/qemu-bridge-helper';

export interface BridgeHostOptions {
  /** Text of bridge.conf; null: there is none. */
  readonly conf?: string | null;
  /** What the helper is given. */
  readonly rights?: 'capability' | 'setuid' | 'mixed' | 'none';
  readonly tunMode?: string;
  /** Address of the host on br0, with its length. */
  readonly address?: string;
  readonly mtu?: number;
}

export class BridgeHost {
  readonly namespace: Namespace;

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  /** Root's, in the namespace. */
  must(...argv: readonly string[]): string {
    const result = this.namespace.run(argv);
    expect({ argv, ...result }).toMatchObject({ status: 0 });
    return result.stdout;
  }

  conf(text: string, mode = 0o644, name = 'bridge.conf'): string {
    const file = path.join(this.namespace.dir, 'qemu', name);
    writeFileSync(file, text, { mode });
    chmodSync(file, mode);
    return file;
  }

  noConf(): void {
    this.must('rm', '-f', '/etc/qemu/bridge.conf');
  }

  rights(rights: NonNullable<BridgeHostOptions['rights']>): void {
    const file = path.join(this.namespace.dir, 'helper');
    chmodSync(file, rights === 'setuid' || rights === 'mixed' ? 0o4755 : 0o755);
    // it fails where there is nothing to remove
    this.namespace.run(['setcap', '-r', file]);
    if (rights === 'capability' || rights === 'mixed') this.must('setcap', 'cap_net_admin=ep', file);
  }

  /** Every link with what it is, for a comparison of before and after; the MAC of a bridge follows its ports. */
  links(): string[] {
    const rows: unknown = JSON.parse(this.must('ip', '-j', '-details', 'link'));
    if (!Array.isArray(rows)) throw new Error('ip gave no list');
    return rows.map((row: { ifname: string; flags: string[]; mtu: number; master?: string }) =>
      [row.ifname, row.mtu, row.master ?? '-', row.flags.includes('UP') ? 'up' : 'down'].join(' '),
    );
  }

  /** The links when they are as they were: the kernel takes a tap away a moment after the lock of the QEMU that had it. */
  async linksAgain(before: readonly string[]): Promise<string[]> {
    await waitUntil(() => this.links().join() === before.join(), 30_000);
    return this.links();
  }

  /** Names of the taps that there are. */
  taps(): string[] {
    return this.links().flatMap((row) => /^tap\d+/.exec(row)?.[0] ?? []);
  }
}

/** Skips where it cannot be. */
export async function createBridgeHost(
  context: Parameters<typeof needsRoot>[0],
  { conf = 'allow br0\n', rights = 'capability', tunMode = '666', address, mtu }: BridgeHostOptions = {},
): Promise<BridgeHost> {
  needsRoot(context);
  needsFile(context, helperFile);
  if (!existsSync('/usr/sbin/setcap')) context.skip('no setcap');
  const namespace = await createNamespace({ tunMode });
  const host = new BridgeHost(namespace);
  copyFileSync(helperFile, path.join(namespace.dir, 'helper'));
  host.rights(rights);
  host.must('mount', '--bind', path.join(namespace.dir, 'helper'), helperFile);
  host.must('ip', 'link', 'add', 'br0', 'address', '52:54:00:ff:00:01', 'type', 'bridge', 'forward_delay', '0');
  if (mtu !== undefined) host.must('ip', 'link', 'set', 'br0', 'mtu', String(mtu));
  if (address !== undefined) host.must('ip', 'address', 'add', address, 'dev', 'br0');
  host.must('ip', 'link', 'set', 'br0', 'up');
  if (conf !== null) host.conf(conf);
  return host;
}
