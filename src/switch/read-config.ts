/** The switch's configuration: checked as a whole, because it decides who gets which address, and made into numbers. */
import { isHostOf, parseIpv4, parseMac, parseSubnet, type Subnet } from './address.ts';
import type { FixedAddress } from './address-plan.ts';
import type { SwitchConfig } from './config.ts';
import type { DhcpSettings } from './dhcp.ts';
import { isHostName } from './host-name.ts';
import { parseJson, readSmall } from './small-file.ts';
import type { NamedAddress } from './name-table.ts';

export interface Settings {
  readonly network: string;
  readonly ports: string;
  readonly gatewayPort: string;
  readonly members: string;
  readonly leases: string;
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly dnsServer: number;
  readonly isolated: boolean;
  readonly dhcp?: DhcpSettings;
  readonly domain?: string;
  readonly names: readonly NamedAddress[];
}

/** Why a configuration cannot be used, in words. */
export class ConfigFault extends Error {}

/** @throws ConfigFault */
export function readSettings(file: string): Settings {
  const text = readSmall(file);
  if (text === undefined) throw new ConfigFault('there is no such file, or it is too long');
  return parseSettings(text);
}

/** @throws ConfigFault */
export function parseSettings(text: string): Settings {
  const config = parseJson(text) as SwitchConfig | undefined;
  if (typeof config !== 'object' || config === null) throw new ConfigFault('it is no JSON document');
  if (config.v !== 1) throw new ConfigFault(`version ${String(config.v)} is not known`);
  try {
    return settingsOf(config);
  } catch (error) {
    if (error instanceof ConfigFault) throw error;
    throw new ConfigFault('something is missing in it, or is of another type', { cause: error });
  }
}

function settingsOf(config: SwitchConfig): Settings {
  const subnet = need(parseSubnet(config.subnet), 'subnet', config.subnet);
  const gateway = addressIn(subnet, 'gateway', config.gateway);
  const dnsServer = addressIn(subnet, 'dnsServer', config.dnsServer);
  const { isolated } = config;
  const domain = config.names.domain === undefined ? undefined : domainOf(config.names.domain);
  const dhcp = config.dhcp === undefined ? undefined : dhcpOf(config.dhcp, { subnet, gateway, dnsServer, isolated });
  return {
    network: textOf(config.network, 'network'),
    ports: textOf(config.ports, 'ports'),
    gatewayPort: textOf(config.gatewayPort, 'gatewayPort'),
    members: textOf(config.members, 'members'),
    leases: textOf(config.leases, 'leases'),
    subnet,
    gateway,
    dnsServer,
    isolated,
    ...(dhcp !== undefined && { dhcp }),
    ...(domain !== undefined && { domain }),
    names: config.names.hosts.map(({ ip, names }) => ({
      ip: need(parseIpv4(ip), 'names', ip),
      names: names.map(domainOf),
    })),
  };
}

type Place = Pick<DhcpSettings, 'subnet' | 'gateway' | 'dnsServer' | 'isolated'>;

function dhcpOf(dhcp: NonNullable<SwitchConfig['dhcp']>, place: Place): DhcpSettings {
  const { domain, mtu, tftp } = dhcp;
  return {
    ...place,
    ranges: dhcp.ranges.map(({ from, to }) => ({
      from: addressIn(place.subnet, 'ranges', from),
      to: addressIn(place.subnet, 'ranges', to),
    })),
    leaseS: secondsOf(dhcp.leaseS),
    maxLeaseS: Math.max(secondsOf(dhcp.maxLeaseS), secondsOf(dhcp.leaseS)),
    hosts: dhcp.hosts.map((host) => hostOf(host, place.subnet)),
    reserved: dhcp.reserved.map((ip) => need(parseIpv4(ip), 'reserved', ip)),
    options: dhcp.options.filter(({ code }) => !ownOptions.has(code)).map(optionOf),
    search: dhcp.search.map(domainOf),
    ...(domain !== undefined && { domain: domainOf(domain) }),
    ...(mtu !== undefined && { mtu: need(mtu >= 68 && mtu <= 65_535 ? mtu : undefined, 'mtu', String(mtu)) }),
    ...(tftp !== undefined && {
      tftp: {
        server: tftp.server,
        ip: parseIpv4(tftp.server) ?? 0,
        ...(tftp.file !== undefined && { file: tftp.file }),
      },
    }),
  };
}

/** Padding, end, and what an answer itself is made of. */
const ownOptions = new Set([0, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82, 255]);
const maxOptionSize = 1024;

function optionOf({ code, hex }: { readonly code: number; readonly hex: string }): { code: number; value: Buffer } {
  const good = Number.isInteger(code) && code > 0 && code < 255 && /^(?:[0-9a-fA-F]{2})*$/.test(hex);
  return need(
    good && hex.length <= 2 * maxOptionSize ? { code, value: Buffer.from(hex, 'hex') } : undefined,
    'options',
    hex,
  );
}

function hostOf(
  { mac, ip, name }: { readonly mac: string; readonly ip: string; readonly name?: string },
  subnet: Subnet,
): FixedAddress {
  return {
    mac: need(parseMac(mac), 'hosts', mac),
    ip: addressIn(subnet, 'hosts', ip),
    ...(name !== undefined && { hostName: domainOf(name) }),
  };
}

function need<T>(value: T | undefined, key: string, text: string): T {
  if (value === undefined) throw new ConfigFault(`${key}: ${JSON.stringify(text)} cannot be used`);
  return value;
}

function addressIn(subnet: Subnet, key: string, text: string): number {
  const ip = parseIpv4(text);
  return need(ip !== undefined && isHostOf(subnet, ip) ? ip : undefined, key, text);
}

function domainOf(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '');
  return need(isHostName(name) ? name : undefined, 'name', text);
}

const textOf = (value: unknown, key: string): string =>
  need(typeof value === 'string' && value !== '' ? value : undefined, key, String(value));

const secondsOf = (value: number): number =>
  need(
    Number.isFinite(value) && value > 0 ? Math.min(Math.floor(value), 0xffff_fffe) : undefined,
    'lease',
    String(value),
  );
