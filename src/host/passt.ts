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
  return {
    file,
    recent: isRecent(system, file),
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
