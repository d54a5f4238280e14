/**
 * Port forwards as people write them: `[HOSTADDR:]HOSTPORT:[GUEST:]GUESTPORT[/tcp|/udp]`.
 */
import { faultOfIfName } from '../names.ts';
import { isIpLiteral, isIpv4Literal, isIpv6Literal, parsePort, renderHost } from './address.ts';
import type { Forward } from './profile.ts';
import { withBrackets } from './unbracketed.ts';

const grammar = '[HOSTADDR:]HOSTPORT:[GUEST:]GUESTPORT[/tcp|/udp]';

/** What an editor checks; parseForward says more. */
export const forwardPattern =
  '^((\\[[0-9A-Fa-f:.]+\\]|%[^:/%\\s]+|[0-9.]+):)?(auto|[0-9]+):((\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][A-Za-z0-9_.-]*):)?[0-9]+(/tcp|/udp)?$';

/** And of a forward into a network of root's, whose guest may be `alice/web1`. */
export const guestForwardPattern = forwardPattern.replace(
  '|[A-Za-z0-9][A-Za-z0-9_.-]*)',
  '|([A-Za-z_][A-Za-z0-9_.-]*/)?[A-Za-z0-9][A-Za-z0-9_.-]*)',
);

export interface ForwardForms {
  /** The guest may be another user's VM, `alice/web1`. */
  readonly users?: boolean;
}

export function parseForward(text: string, forms: ForwardForms = {}): Forward | { readonly fault: string } {
  const last = text.lastIndexOf('/');
  // behind the last part: one before it belongs to a name
  const slash = forms.users === true && last < text.lastIndexOf(':') ? -1 : last;
  const protocol = slash < 0 ? 'tcp' : text.slice(slash + 1);
  if (protocol !== 'tcp' && protocol !== 'udp') {
    return { fault: `${JSON.stringify(protocol)} is no protocol of a forward: /tcp or /udp` };
  }
  const parts = partsOf(slash < 0 ? text : text.slice(0, slash));
  if (parts === undefined || parts.length < 2 || parts.length > 4) {
    const meant = withBrackets(text, (one) => isForward(one, forms));
    const help = meant === undefined ? `${grammar}, such as 8080:80, and IPv6 in brackets` : `write ${meant}`;
    return { fault: `${JSON.stringify(text)} is no forward: ${help}` };
  }
  const hostAddress = parts.length > 2 ? parts[0] : undefined;
  const hostPort = parts[parts.length > 2 ? 1 : 0] ?? '';
  const guest = parts.length === 4 ? parts[2] : undefined;
  return checked({ protocol, hostAddress, hostPort, guest, guestPort: parts.at(-1) ?? '' }, forms);
}

/** Into a network three parts are a port, a guest and its port. */
const isForward = (text: string, forms: ForwardForms): boolean =>
  [text, ...(forms.users === true ? [`127.0.0.1:${text}`] : [])].some((one) => !('fault' in parseForward(one, forms)));

interface ForwardParts {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string | undefined;
  readonly hostPort: string;
  readonly guest: string | undefined;
  readonly guestPort: string;
}

function checked(parts: ForwardParts, forms: ForwardForms): Forward | { readonly fault: string } {
  const { protocol, hostAddress, guest } = parts;
  const addressFault = hostAddress === undefined ? undefined : faultOfHostAddress(hostAddress);
  if (addressFault !== undefined) return { fault: addressFault };
  const hostPort = parts.hostPort === 'auto' ? { value: 'auto' as const } : parsePort(parts.hostPort);
  if ('fault' in hostPort) return { fault: `${hostPort.fault}, or auto on the host's side` };
  const guestFault = guest === undefined ? undefined : faultOfGuest(guest, forms);
  if (guestFault !== undefined) return { fault: guestFault };
  const guestPort = parsePort(parts.guestPort);
  if ('fault' in guestPort) return guestPort;
  return {
    protocol,
    hostAddress: hostAddress === undefined ? '127.0.0.1' : unbracketed(hostAddress),
    hostPort: hostPort.value,
    ...(guest !== undefined && { guest: unbracketed(guest) }),
    guestPort: guestPort.value,
  };
}

/** Splits at colons outside of brackets; undefined when the brackets are not in order. */
function partsOf(text: string): readonly string[] | undefined {
  const parts: string[] = [];
  let rest = text;
  for (;;) {
    const match = /^(\[[^[\]]*\]|[^:[\]]*)(:|$)/.exec(rest);
    if (match === null) return undefined;
    parts.push(match[1] ?? '');
    if (match[2] === '') return parts;
    rest = rest.slice(match[0].length);
  }
}

const unbracketed = (text: string): string => (text.startsWith('[') ? text.slice(1, -1) : text);

function faultOfHostAddress(text: string): string | undefined {
  if (text.startsWith('%')) return faultOfIfName(text.slice(1));
  if (text.startsWith('[')) {
    return isIpv6Literal(unbracketed(text)) ? undefined : `${JSON.stringify(text)} is no IPv6 address`;
  }
  if (isIpv4Literal(text)) return undefined;
  return `${JSON.stringify(text)} is no address of this host: an IPv4 address, an IPv6 address in brackets, or %eth0 for those of an interface`;
}

function faultOfGuest(text: string, { users = false }: ForwardForms): string | undefined {
  const bare = unbracketed(text);
  if (text.startsWith('[')) return isIpv6Literal(bare) ? undefined : `${JSON.stringify(text)} is no IPv6 address`;
  if (/^[0-9.]+$/.test(text) && !/^[0-9]+$/.test(text)) {
    return isIpv4Literal(text) ? undefined : `${JSON.stringify(text)} is no IPv4 address`;
  }
  const named = users ? text.replace(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\//, '') : text;
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/.test(named)) return undefined;
  return `${JSON.stringify(text)} is no guest: an address, or the name of a VM`;
}

/** True when the guest's side is left out or a literal address: all that user networking can be told. */
export function isGuestLiteral(forward: Forward): boolean {
  return forward.guest === undefined || isIpLiteral(forward.guest);
}

/** The shortest way to write it that parses back to the same value. */
export function renderForward({ protocol, hostAddress, hostPort, guest, guestPort }: Forward): string {
  const host = hostAddress === '127.0.0.1' && guest === undefined ? [] : [renderHost(hostAddress)];
  const parts = [...host, hostPort, ...(guest === undefined ? [] : [renderHost(guest)]), guestPort];
  return `${parts.join(':')}${protocol === 'udp' ? '/udp' : ''}`;
}
