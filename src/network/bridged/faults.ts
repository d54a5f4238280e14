/** What a network of the host's with a bridge of its own cannot honour: refused with the reason, never ignored. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../consistency.ts';
import { valueAt, writtenForwards, writtenHosts } from '../written.ts';

interface Refusal {
  readonly path: readonly string[];
  readonly why: string;
}

const refused: readonly Refusal[] = [
  { path: ['hostDns'], why: 'to tell the resolver of the host is not implemented yet' },
  { path: ['autostart'], why: 'nothing takes it up when the host starts yet: sudo qrun net up' },
];

export function bridgedFaults(written: WrittenMap): PathFault[] {
  return [
    ...refused.flatMap(({ path, why }): PathFault[] =>
      valueAt(written, path) !== true
        ? []
        : [{ path, at: 'key', message: `${path.join('.')} cannot be honoured: ${why}` }],
    ),
    ...whoFaults(written),
    ...nameFaults(written),
    ...serverFaults(written),
    ...foreignFaults(written),
  ];
}

function whoFaults(written: WrittenMap): PathFault[] {
  const at = (path: readonly string[], message: string): PathFault => ({ path, at: 'key', message });
  const given = ['owner', 'group'].filter((key) => typeof written[key] === 'string');
  if (isHarmless(written['ports']))
    return given.map((key) => at([key], `${key} says who may take ports: write "ports" too`));
  if (given.length === 0 && ['owner', 'group'].every((key) => isHarmless(written[key])))
    return [at(['ports'], 'who may take a port must be said: "owner" or "group"')];
  return given.length === 2 ? [at(['group'], 'either "owner" or "group" says who may take a port, not both')] : [];
}

/** It stands in a list of dnsmasq's, and in the paths of settings. */
function nameFaults(written: WrittenMap): PathFault[] {
  const path = ['bridge', 'name'];
  const name = valueAt(written, path);
  if (typeof name !== 'string' || /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return [];
  return [{ path, at: 'value', message: 'a bridge that qrun makes has a name of letters, digits, "_", "." and "-"' }];
}

function serverFaults(written: WrittenMap): PathFault[] {
  const path = ['dhcp', 'server'];
  if (valueAt(written, path) !== 'dhcpd') return [];
  return [{ path, at: 'value', message: 'dhcpd is not implemented yet: dnsmasq answers DHCP' }];
}

/** Which port another user's VM takes is not known before it runs. */
function foreignFaults(written: WrittenMap): PathFault[] {
  const why = 'is another user’s: its address is that of the port that it takes (qrun net info)';
  return [
    ...writtenHosts(written).flatMap(({ vm, path }): PathFault[] =>
      vm?.includes('/') === true ? [{ path: [...path, 'vm'], at: 'value', message: `${vm} ${why}` }] : [],
    ),
    ...writtenForwards(written).flatMap(({ forward, path }): PathFault[] =>
      forward.guest.includes('/') ? [{ path, at: 'value', message: `${forward.guest} ${why}` }] : [],
    ),
  ];
}
