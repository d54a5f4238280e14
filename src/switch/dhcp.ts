/**
 * The network's DHCP server (RFC 2131). Each member has the address that was written down for it, other MACs get one from the ranges. It is the only
 * server there is, so it says no at once to a guest that asks for an address of elsewhere.
 */
import { formatIpv4, formatMac, isHostOf, slirpMac, type AddressRange, type Subnet } from './address.ts';
import { planAddresses, type AddressPlan, type FixedAddress } from './address-plan.ts';
import {
  buildDhcpAnswer,
  dhcpOptions,
  dhcpTypes,
  encodeDomains,
  numberOption,
  parseDhcpRequest,
  type DhcpRequest,
} from './dhcp-message.ts';
import { buildDatagram, broadcastMac, type Datagram } from './frame.ts';
import { parseGuestName } from './host-name.ts';
import { LeaseTable, type Lease } from './lease-table.ts';
import type { Log } from './log.ts';

export interface DhcpSettings {
  readonly subnet: Subnet;
  readonly gateway: number;
  readonly dnsServer: number;
  readonly isolated: boolean;
  readonly ranges: readonly AddressRange[];
  readonly leaseS: number;
  readonly maxLeaseS: number;
  readonly hosts: readonly FixedAddress[];
  readonly reserved: readonly number[];
  readonly options: readonly { readonly code: number; readonly value: Buffer }[];
  readonly domain?: string;
  readonly search: readonly string[];
  readonly mtu?: number;
  readonly tftp?: { readonly server: string; readonly ip: number; readonly file?: string };
}

const offerS = 30;
const minLeaseS = 60;
const everybody = 0xffff_ffff;

export class DhcpServer {
  readonly #log: Log;
  readonly #onChange: () => void;
  readonly leases = new LeaseTable();
  #settings: DhcpSettings;
  #members: readonly FixedAddress[] = [];
  #plan: AddressPlan;

  /** `onChange` is called when a lease that counts is another one. */
  constructor(settings: DhcpSettings, log: Log, onChange: () => void) {
    this.#log = log;
    this.#onChange = onChange;
    this.#settings = settings;
    this.#plan = this.#makePlan();
  }

  /** Members come before the configuration's hosts: their addresses were promised to VMs that run. */
  update(settings: DhcpSettings, members: readonly FixedAddress[]): void {
    this.#settings = settings;
    this.#members = members;
    this.#plan = this.#makePlan();
    for (const fault of this.#plan.faults) this.#log.once(`address ${fault}`, `left out: ${fault}`);
    const gone = this.leases.keepOnly(this.#plan);
    if (gone.some(({ isOffer }) => !isOffer)) this.#onChange();
  }

  /** Takes over what was written down by the run before, as far as it is still allowed. */
  restore(leases: readonly Lease[], nowS: number): void {
    for (const lease of leases) if (this.#plan.allows(lease.mac, lease.ip)) this.leases.set(lease, nowS);
  }

  /** The answer in its envelope; undefined if there is none to give. */
  answer(datagram: Datagram, nowS: number): Buffer | undefined {
    const request = parseDhcpRequest(datagram.payload);
    // somebody who asks for another would take, or give back, that one's address
    if (request === undefined || request.isRelayed || request.mac !== datagram.sourceMac) return undefined;
    switch (request.type) {
      case dhcpTypes.discover:
        return this.#offer(request, nowS);
      case dhcpTypes.request:
        return this.#acknowledge(request, nowS);
      case dhcpTypes.inform:
        return this.#inform(request);
      case dhcpTypes.decline:
        this.#decline(request, nowS);
        return undefined;
      case dhcpTypes.release:
        this.#release(request, nowS);
        return undefined;
      default:
        return undefined;
    }
  }

  #makePlan(): AddressPlan {
    const { subnet, ranges, gateway, dnsServer, reserved, hosts } = this.#settings;
    return planAddresses({
      subnet,
      ranges,
      reserved: [gateway, dnsServer, ...reserved],
      fixed: [...this.#members, ...hosts].filter(({ ip }) => ip !== gateway && ip !== dnsServer),
    });
  }

  #offer(request: DhcpRequest, nowS: number): Buffer | undefined {
    const ip = this.#chooseFor(request, nowS);
    if (ip === undefined) return undefined;
    const known = this.leases.ofMac(request.mac);
    const before = known?.ip === ip ? known : { mac: request.mac, ip, expiresS: 0, isOffer: true };
    const offer = { ...before, expiresS: Math.max(before.expiresS, nowS + offerS) };
    if (!this.leases.set(offer, nowS)) return this.#exhausted();
    return this.#tell(dhcpTypes.offer, request, ip);
  }

  #chooseFor(request: DhcpRequest, nowS: number): number | undefined {
    const { mac } = request;
    const fixed = this.#plan.fixedOf(mac);
    if (fixed !== undefined) return fixed.ip;
    const wanted = numberOption(request, dhcpOptions.requestedAddress);
    for (const ip of [this.leases.ofMac(mac)?.ip, wanted])
      if (ip !== undefined && this.#mayHave(mac, ip, nowS)) return ip;
    return this.leases.choose(mac, this.#plan, nowS) ?? this.#exhausted();
  }

  #exhausted(): undefined {
    this.#log.once('exhausted', 'all addresses of the ranges are leased: a guest gets none');
    return undefined;
  }

  /** A fixed address is its owner's whatever happened before. */
  #mayHave(mac: number, ip: number, nowS: number): boolean {
    return this.#plan.fixedOf(mac)?.ip === ip || (this.#plan.allows(mac, ip) && this.leases.isFor(mac, ip, nowS));
  }

  #acknowledge(request: DhcpRequest, nowS: number): Buffer | undefined {
    const { mac, clientIp } = request;
    const server = numberOption(request, dhcpOptions.server);
    if (server !== undefined && server !== this.#settings.gateway) return undefined; // it has chosen another server
    const ip = numberOption(request, dhcpOptions.requestedAddress) ?? clientIp;
    if (ip === 0) return undefined;
    if (!this.#mayHave(mac, ip, nowS)) return this.#refuse(request);
    const known = this.leases.ofMac(mac);
    const hostName = this.#hostNameOf(request) ?? known?.hostName;
    const expiresS = nowS + this.#leaseTimeOf(request);
    const lease = { mac, ip, expiresS, isOffer: false, ...(hostName !== undefined && { hostName }) };
    if (!this.leases.set(lease, nowS)) return this.#exhausted();
    this.#onChange();
    return this.#tell(dhcpTypes.ack, request, ip);
  }

  #hostNameOf({ options }: DhcpRequest): string | undefined {
    const bytes = options.get(dhcpOptions.hostName);
    return bytes === undefined ? undefined : parseGuestName(bytes);
  }

  #leaseTimeOf(request: DhcpRequest): number {
    const { leaseS, maxLeaseS } = this.#settings;
    const wanted = numberOption(request, dhcpOptions.leaseTime) ?? leaseS;
    return Math.max(minLeaseS, Math.min(wanted, maxLeaseS));
  }

  #inform(request: DhcpRequest): Buffer | undefined {
    return isHostOf(this.#settings.subnet, request.clientIp) ? this.#tell(dhcpTypes.ack, request, 0) : undefined;
  }

  #decline(request: DhcpRequest, nowS: number): void {
    const lease = this.leases.ofMac(request.mac);
    if (lease === undefined || lease.ip !== numberOption(request, dhcpOptions.requestedAddress)) return;
    this.#log.once(
      `declined ${lease.ip}`,
      `${formatMac(lease.mac)} found ${formatIpv4(lease.ip)} in use by somebody else`,
    );
    this.leases.decline(lease, nowS);
    this.#onChange();
  }

  #release(request: DhcpRequest, nowS: number): void {
    const lease = this.leases.ofMac(request.mac);
    if (lease === undefined || lease.ip !== request.clientIp) return;
    this.leases.expire(lease, nowS);
    this.#onChange();
  }

  #refuse(request: DhcpRequest): Buffer {
    const payload = buildDhcpAnswer({
      request,
      yourIp: 0,
      clientIp: 0,
      nextServer: 0,
      options: [...this.#identity(dhcpTypes.nak), ...echoOf(request)],
    });
    return this.#send(payload, { mac: broadcastMac, ip: everybody });
  }

  /** An offer, or an acknowledgement; `ip` 0 is one without an address. */
  #tell(type: number, request: DhcpRequest, ip: number): Buffer {
    const { tftp } = this.#settings;
    const payload = buildDhcpAnswer({
      request,
      yourIp: ip,
      clientIp: type === dhcpTypes.ack ? request.clientIp : 0,
      nextServer: tftp?.ip ?? 0,
      ...(tftp?.file !== undefined && { bootFile: tftp.file }),
      options: [...this.#identity(type), ...(ip === 0 ? [] : this.#times(request)), ...this.#parameters(request)],
    });
    if (request.clientIp !== 0) return this.#send(payload, { mac: request.mac, ip: request.clientIp });
    if (request.wantsBroadcast) return this.#send(payload, { mac: broadcastMac, ip: everybody });
    return this.#send(payload, { mac: request.mac, ip });
  }

  #identity(type: number): (readonly [number, Buffer])[] {
    return [
      [dhcpOptions.messageType, Buffer.from([type])],
      [dhcpOptions.server, word(this.#settings.gateway)],
    ];
  }

  #times(request: DhcpRequest): (readonly [number, Buffer])[] {
    const leaseS = this.#leaseTimeOf(request);
    return [
      [dhcpOptions.leaseTime, word(leaseS)],
      [dhcpOptions.renewal, word(Math.floor(leaseS / 2))],
      [dhcpOptions.rebinding, word(Math.floor((leaseS * 7) / 8))],
    ];
  }

  /** What the client asked for comes first; what the configuration says itself stands in place of ours. */
  #parameters(request: DhcpRequest): (readonly [number, Buffer])[] {
    const values = new Map(this.#own(request.mac));
    for (const { code, value } of this.#settings.options) values.set(code, value);
    const wanted = [...(request.options.get(dhcpOptions.wanted) ?? [])];
    const place = (code: number): number => (wanted.includes(code) ? wanted.indexOf(code) : wanted.length);
    return [...values, ...echoOf(request)].toSorted(([a], [b]) => place(a) - place(b));
  }

  #own(mac: number): (readonly [number, Buffer])[] {
    const { subnet, gateway, dnsServer, isolated, domain, search, mtu, tftp } = this.#settings;
    const hostName = this.#plan.fixedOf(mac)?.hostName;
    return [
      [dhcpOptions.subnetMask, word(subnet.mask)],
      ...(isolated ? [] : [[dhcpOptions.router, word(gateway)] as const]),
      [dhcpOptions.nameServer, word(dnsServer)],
      [dhcpOptions.broadcast, word(subnet.broadcast)],
      ...(hostName === undefined ? [] : [[dhcpOptions.hostName, Buffer.from(hostName)] as const]),
      ...(domain === undefined ? [] : [[dhcpOptions.domainName, Buffer.from(domain)] as const]),
      ...(mtu === undefined ? [] : [[dhcpOptions.mtu, Buffer.from([mtu >> 8, mtu & 255])] as const]),
      ...(search.length === 0 ? [] : [[dhcpOptions.domainSearch, encodeDomains(search)] as const]),
      ...(tftp === undefined ? [] : [[dhcpOptions.tftpServer, Buffer.from(tftp.server)] as const]),
      ...(tftp?.file === undefined ? [] : [[dhcpOptions.bootFile, Buffer.from(tftp.file)] as const]),
    ];
  }

  #send(payload: Buffer, to: { readonly mac: number; readonly ip: number }): Buffer {
    const { gateway } = this.#settings;
    return buildDatagram({
      sourceMac: slirpMac(gateway),
      sourceIp: gateway,
      sourcePort: 67,
      destinationMac: to.mac,
      destinationIp: to.ip,
      destinationPort: 68,
      payload,
    });
  }
}

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** A client that names itself is told its name again (RFC 6842). */
function echoOf({ options }: DhcpRequest): (readonly [number, Buffer])[] {
  const id = options.get(dhcpOptions.clientId);
  return id === undefined ? [] : [[dhcpOptions.clientId, id]];
}
