/** `hostDns` with the two programs that are called resolvconf, and the C library that reads what they write. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { must, needsResolver, waitUntil } from '../harness/harness.ts';
import { createBridgedHost, everything, everythingAgain, textOf } from './a-bridged-host.ts';

/** The package as if it was installed, in the namespace alone, and a name server elsewhere that the host was told of. */
const install = (root: string, dir: string): string =>
  [
    `mkdir ${dir}/layers && mount -t tmpfs none ${dir}/layers`,
    ...(['etc', 'lib', 'sbin'] as const).flatMap((name) => {
      const [upper, work, over] = [
        `${dir}/layers/${name}`,
        `${dir}/layers/${name}.w`,
        name === 'etc' ? '/etc' : `/usr/${name}`,
      ];
      return [
        `mkdir ${upper} ${work} && cp -a ${root}/${name}/. ${upper}/`,
        `mount -t overlay none -o lowerdir=${over},upperdir=${upper},workdir=${work} ${over}`,
      ];
    }),
    'mount -t tmpfs none /run',
    'rm -f /etc/resolv.conf; echo "hosts: dns" >/etc/nsswitch.conf',
    `[ ! -e /etc/resolvconf/update.d ] || { mkdir -p /run/resolvconf/interface; ln -s ../run/resolvconf/resolv.conf /etc/resolv.conf; : >/run/resolvconf/enable-updates; }`,
    'ip address add 192.0.2.53/32 dev lo',
    "printf 'nameserver 192.0.2.53\\nsearch example.org\\n' | resolvconf -a eth0.dhcp",
  ].join('\n');

test.for(['openresolv', 'resolvconf'] as const)(
  '%s: names of the network and of elsewhere, then as before; killed before it was told',
  async (name, context) => {
    const unpacked = needsResolver(context, name);
    const bridged = await createBridgedHost(context);
    const { host, root } = bridged;
    const { namespace } = host;
    expect(namespace.run(['sh', '-ec', install(unpacked, namespace.dir)])).toMatchObject({ status: 0 });
    const log = path.join(namespace.dir, 'elsewhere.log');
    const elsewhere = root.startProgram([
      ...[
        'dnsmasq',
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        '--bind-interfaces',
        '--pid-file=',
      ],
      ...['--listen-address=192.0.2.53', '--local=/#/', '--address=/out.example/192.0.2.99', `--log-facility=${log}`],
    ]);
    expect(await waitUntil(() => textOf(log).includes('started'), 30_000)).toBe(true);
    const servers = (): string[] =>
      host
        .must('cat /etc/resolv.conf')
        .split('\n')
        .flatMap((line) => (line.startsWith('nameserver ') ? [line.slice(11)] : []));
    const program =
      "const { lookup } = require('node:dns'); for (const name of process.argv.slice(1)) lookup(name, (error, address) => console.log(name, error?.code ?? address))";
    const lookUp = async (...names: string[]): Promise<string[]> =>
      (await root.run([process.execPath, '-e', program, ...names])).stdout.trim().split('\n').toSorted();
    root.network(
      'lan0',
      'addresses: [10.10.120.1/24]\nhostDns: true\ndns: { domain: lan0.test, hosts: [{ ip: 10.10.120.7, names: [box] }] }\n',
    );
    const before = everything(bridged);
    expect(servers()).toEqual(['192.0.2.53']);
    await must(root, 'net', 'up', 'lan0');
    expect(servers()).toEqual(['10.10.120.1', '192.0.2.53']);
    expect(await lookUp('box.lan0.test', 'out.example', 'none.lan0.test')).toEqual([
      'box.lan0.test 10.10.120.7',
      'none.lan0.test ENOTFOUND',
      'out.example 192.0.2.99',
    ]);
    await must(root, 'net', 'down', 'lan0');
    expect(servers()).toEqual(['192.0.2.53']);
    // what it was never told it need not forget
    await root.qrun(['net', 'up', 'lan0'], { env: { QRUN_FAILPOINT: 'acquire:resolver:kill' } });
    await must(root, 'gc');
    expect(servers()).toEqual(['192.0.2.53']);
    expect(await everythingAgain(bridged, before)).toEqual([]);
    elsewhere.kill('SIGTERM');
    await elsewhere.end;
  },
);
