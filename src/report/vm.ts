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

/** A date of today as its time, an older one as its day and time; local. */
export function sinceOf(iso: string, now: Date = new Date()): string {
  const date = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}
