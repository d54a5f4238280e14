/**
 * Literal addresses and `host:port` pairs as a profile writes them. Nothing is looked up.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface HostPort {
  /** A literal address, or a name where the caller takes one; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
}

export type Parsed<T> = { readonly value: T } | { readonly fault: string };

export const isIpv4Literal = isIPv4;

/** Without a zone: `fe80::1%eth0` would name an interface by the back door. */
export function isIpv6Literal(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

export function isIpLiteral(text: string): boolean {
  return isIpv4Literal(text) || isIpv6Literal(text);
}

/** 1 to 65535 in plain decimal digits: `010` is a fault, for nobody knows what it was meant to be. */
export function parsePort(text: string): Parsed<number> {
  const port = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) return { fault: `${JSON.stringify(text)} is no port: a port is 1 to 65535` };
  return { value: port };
}

/** `ADDRESS:PORT` or `[IPV6]:PORT`; the host may also be a name of letters, digits, `.` and `-`. */
export function parseHostPort(text: string): Parsed<HostPort> {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(text);
  if (match === null) {
    const hint = isIpv6Literal(text.replace(/:[0-9]+$/, '')) ? ', and an IPv6 address is in brackets' : '';
    return { fault: `${JSON.stringify(text)} is not an address and a port, such as 127.0.0.1:5000${hint}` };
  }
  const [, bracketed, plain, portText = ''] = match;
  const port = parsePort(portText);
  if ('fault' in port) return port;
  if (bracketed !== undefined) {
    if (!isIpv6Literal(bracketed)) return { fault: `${JSON.stringify(bracketed)} is no IPv6 address` };
    return { value: { host: bracketed, port: port.value } };
  }
  const host = plain ?? '';
  const fault = faultOfHost(host);
  return fault === undefined ? { value: { host, port: port.value } } : { fault };
}

function faultOfHost(host: string): string | undefined {
  if (host === '') return 'the address is missing: without one it would be every address of this host';
  // what is all digits and dots was meant as an address, and libc reads 010.0.0.1 or 1 as addresses too
  if (/^[0-9.]+$/.test(host)) return isIpv4Literal(host) ? undefined : `${JSON.stringify(host)} is no IPv4 address`;
  if (/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host)) return undefined;
  return `${JSON.stringify(host)} is no address and no host name`;
}

export function renderHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** 224.0.0.0/4 or ff00::/8 */
export function isMulticast(address: string): boolean {
  if (isIpv4Literal(address)) return Number(address.split('.')[0]) >> 4 === 14;
  return isIpv6Literal(address) && /^ff[0-9a-f]{2}:/i.test(address);
}
