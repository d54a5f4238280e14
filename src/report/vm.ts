/** What tables say of a VM. */
import type { PlannedForward } from '../plan/launch-plan.ts';

/** `127.0.0.1:8080→80 …`, UDP marked. */
export function renderForwards(
  forwards: readonly Pick<PlannedForward, 'protocol' | 'hostAddress' | 'hostPort' | 'guestPort'>[],
): string {
  return forwards
    .map(({ protocol, hostAddress, hostPort, guestPort }) => {
      const host = hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
      return `${host}:${hostPort}→${guestPort}${protocol === 'udp' ? '/udp' : ''}`;
    })
    .join(' ');
}

/** Why a NIC's link is lost. */
export function lostInWords({
  kind,
  network,
  hostInterface,
}: {
  readonly kind: string;
  readonly network?: string;
  readonly hostInterface: string | null;
}): string {
  if (network !== undefined) return `it has lost the network ${network}`;
  return kind === 'passt' ? 'passt has ended' : `its interface ${hostInterface ?? ''} is gone`;
}

/** What brings links back. */
export const startAnew = (vms: readonly string[]): string =>
  `to have that back: qrun stop ${vms.join(' ')}; then start ${vms.length === 1 ? 'it' : 'them'} again`;

/** A date of today as its time, an older one as its day and time; local. */
export function sinceOf(iso: string, now: Date = new Date()): string {
  const date = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}
