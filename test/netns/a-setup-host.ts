/**
 * A fresh host for `qrun setup`, in a namespace of the test's own: an /etc that is a layer over the machine's, a copy of the bridge helper without
 * rights, an empty network. And a look at all that setup may touch, to be compared.
 */
import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { createHome, createNamespace, needsFile, needsRoot, type Home, type Namespace } from '../harness/harness.ts';
import { helperFile } from './a-bridge-host.ts';

export class SetupHost {
  readonly namespace: Namespace;
  /** Root's. */
  readonly home: Home;

  constructor(namespace: Namespace) {
    this.namespace = namespace;
    this.home = createHome({ as: 'root', namespace });
  }

  /** Root's, in the namespace. */
  must(...argv: readonly string[]): string {
    const result = this.namespace.run(argv);
    expect({ argv, ...result }).toMatchObject({ status: 0 });
    return result.stdout;
  }

  sh(script: string): string {
    return this.must('sh', '-ec', script);
  }

  async setup(...args: readonly string[]) {
    return await this.home.qrun(['setup', ...args]);
  }

  async mustSetup(...args: readonly string[]) {
    const result = await this.setup(...args);
    expect(result, result.stderr).toMatchObject({ status: 0 });
    return result;
  }

  /** Of /etc every file with what it is and holds; links, addresses, routes, rules, capabilities, the kernel's setting. */
  look(): Readonly<Record<string, string>> {
    return {
      // shadow's tools keep the text before of what they change
      etc: this.sh(
        "find /etc ! -name '*-' ! -name .pwd.lock ! -path '/etc/.*' -printf '%p %y %m %U %G %l\\n' | sort; find /etc -type f ! -name '*-' ! -name .pwd.lock -exec sha256sum {} + | sort -k 2",
      ),
      links: this.sh(
        'ip -d link | sed "s/ state [A-Z]*//; s/<[^>]*LOWER_UP[^>]*>/<>/; s/_timer *[0-9.]*//g; s/ qdisc [a-z]*//"',
      ),
      addresses: this.sh(
        "ip -brief address | grep -v '^lo ' || true; ip route; ip -6 route | grep -v 'proto kernel' || true",
      ),
      getcap: this.sh(`getcap ${helperFile}`),
      nft: existsSync('/usr/sbin/nft') ? this.must('nft', 'list', 'ruleset') : '',
      ping: this.must('cat', '/proc/sys/net/ipv4/ping_group_range'),
      record: this.sh(`ls -A ${path.join(this.home.dir, 'h')} 2>/dev/null || true`),
    };
  }
}

/** Skips where it cannot be. */
export async function createSetupHost(context: Parameters<typeof needsRoot>[0]): Promise<SetupHost> {
  needsRoot(context);
  needsFile(context, helperFile);
  if (!existsSync('/usr/sbin/setcap')) context.skip('no setcap');
  const namespace = await createNamespace();
  const host = new SetupHost(namespace);
  copyFileSync(helperFile, path.join(namespace.dir, 'helper'));
  const layer = path.join(namespace.dir, 'layer');
  const uids = systemUids();
  host.sh(
    [
      `mkdir ${layer}; mount -t tmpfs layer ${layer}; mkdir ${layer}/u ${layer}/w`,
      `mount -t overlay etc -o lowerdir=/etc,upperdir=${layer}/u,workdir=${layer}/w /etc`,
      'rm -rf /etc/qemu',
      // uids are the whole machine's: `userdel` keeps one that a process of another test's account of that number has
      `printf 'SYS_UID_MIN %s\\nSYS_UID_MAX %s\\n' ${uids.from} ${uids.to} >>/etc/login.defs`,
      `chmod 755 ${namespace.dir}/helper; mount --bind ${namespace.dir}/helper ${helperFile}`,
      // what others of this machine decided is no matter here
      'sysctl -q -w net.ipv4.ping_group_range="1 0"',
    ].join('\n'),
  );
  return host;
}

let hosts = 0;

/** Four of the numbers that system accounts have; others for other hosts of this process's, and most likely for those of other processes. */
function systemUids(): { readonly from: number; readonly to: number } {
  const from = 200 + 4 * ((process.pid * 31 + hosts++) % 170);
  return { from, to: from + 3 };
}
