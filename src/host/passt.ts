/** What is known of passt before it is started. It is asked once for each start of a VM that wants it: some 5 ms. */
import { existsSync } from 'node:fs';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import type { PasstFact } from './facts.ts';

const resolverFile = '/etc/resolv.conf';
const confinement = { profile: '/etc/apparmor.d/usr.bin.passt', switch: '/sys/module/apparmor/parameters/enabled' };

/** Undefined: it is not installed. */
export function readPasst(system: Pick<System, 'which' | 'runNow'>): PasstFact | undefined {
  const file = system.which('passt');
  if (file === undefined) return undefined;
  const recent = isRecent(system, file);
  return {
    file,
    recent,
    ...(!recent && !hasDefaultRoute() && { unrouted: true }),
    loopbackDns: hasLoopbackDns(textOf(resolverFile)),
    confined: existsSync(confinement.profile) && textOf(confinement.switch).startsWith('Y'),
  };
}

/** Distributions build it without a version, so an option tells that came with what is asked for. */
function isRecent({ runNow }: Pick<System, 'runNow'>, file: string): boolean {
  const { stdout, stderr } = runNow(file, ['--help'], { timeoutMs: 30_000 });
  return `${stdout}${stderr}`.includes('--map-guest-addr');
}

/** Name servers, and all of them on this host's loopback: systemd-resolved's 127.0.0.53 and its like. */
export function hasLoopbackDns(text: string): boolean {
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, server]) => server ?? '');
  return servers.length > 0 && servers.every((server) => server.startsWith('127.') || server === '::1');
}

/** A destination and a mask of nothing but zeroes, by an interface that is up and not loopback. Of the main table: passt looks at no other. */
export function hasDefaultRoute(ipv4 = textOf('/proc/net/route'), ipv6 = textOf('/proc/net/ipv6_route')): boolean {
  return (
    /^[^\s*]\S*\s+00000000\s+\S+\s+[0-9A-F]*[13579BDF]\s+\d+\s+\d+\s+\d+\s+00000000\s/im.test(ipv4) ||
    ipv6.split('\n').some((line) => /^0{32} 00 /.test(line) && !line.trimEnd().endsWith(' lo'))
  );
}
