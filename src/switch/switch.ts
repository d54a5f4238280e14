/**
 * The switch of a `transport: hub` network.
 *
 * Theory of operation. Every guest's QEMU waits on a unix stream socket of its own (`-netdev stream,server=on`), and so does a QEMU without a guest
 * that has nothing but slirp in it: the gateway. The switch connects to all of them and passes frames from one to another. That it connects, and not
 * they, has two reasons: QEMU writes to a connection that it accepted and waits if nobody reads, so the one who reads must be the one who never waits,
 * which is us; and whoever was killed, the switch or the gateway, comes back and finds everything again by looking at the directory.
 *
 * A frame's way: a connection reads as much as there is into a chunk, and its FrameReader finds the frames in it (frame-reader.ts). For each, the
 * guard says whether it may pass (guard.ts), the table notes where its source is (mac-table.ts), and the destination is looked up there. Frames that
 * follow one another in the chunk to one destination are sent as one stretch, out of the chunk where they were read: nothing is copied unless the
 * receiver is slow. Then its queue takes a megabyte, all queues together sixteen, and what is more is lost (send-queue.ts); nobody is ever waited
 * for.
 *
 * The gateway is not like the others. slirp takes whatever frame it is shown for its own, whatever the destination: shown a TCP segment between two
 * guests it answers with a reset. So it gets what is addressed to its MACs, 52:55:… and 52:56:…, and of what goes to all only ARP and the discovery of
 * IPv6; a frame whose destination is not known yet goes to the guests alone.
 *
 * DHCP, names, and who has the gateway's addresses are answered here (dhcp.ts, dns.ts), so they work when the gateway does not. The answers come from
 * slirp's own MACs, so the guests see one machine, and slirp's DHCP server is never asked.
 *
 * Guests are hostile. What they send is checked before it is read; tables, queues and the log have bounds; no guest can speak as the gateway, hand
 * out addresses or routes, or take another member's MAC.
 */
import { formatMac, isStation, slirpMac } from './address.ts';
import type { FrameSink } from './frame-reader.ts';
import { arpOperations, buildArpReply, envelopeSize, ethernetSize, macAt, parseArp, parseDatagram } from './frame.ts';
import type { Datagram } from './frame.ts';
import { isGatewayPrefix, type Guard } from './guard.ts';
import type { Log } from './log.ts';
import { MacTable } from './mac-table.ts';

/** What the switch needs of a port. */
export interface SwitchPort {
  readonly name: string;
  readonly isGateway: boolean;
  /** Takes whole envelopes, or loses them. */
  send(bytes: Buffer, start: number, end: number): void;
}

export interface SwitchOptions {
  readonly log: Log;
  readonly nowMs: () => number;
  readonly guard: Guard;
  /** The VM whose NIC has this MAC, and the VM whose port this is, if they are known. */
  readonly vmOfMac: (mac: number) => string | undefined;
  readonly vmOfPort: (port: string) => string | undefined;
  /** Answers in their envelopes; undefined: none. */
  readonly answerDhcp: (datagram: Datagram) => Buffer | undefined;
  readonly answerDns: (datagram: Datagram) => Buffer | 'pass' | undefined;
  /** The whole frame, over IPv6. */
  readonly answerDns6: (frame: Buffer) => Buffer | 'pass' | undefined;
}

/** Two ports that use one MAC within so short a time are two guests, and not one that has moved. */
const moveMs = 10_000;

export class Switch {
  readonly #ports = new Set<SwitchPort>();
  readonly #table = new MacTable<SwitchPort>();
  readonly #options: SwitchOptions;
  #gateway: SwitchPort | undefined;
  #nowMs = 0;
  /** Frames of one chunk that go to one port and lie behind one another. */
  #run: { readonly to: SwitchPort; readonly chunk: Buffer; readonly start: number; end: number } | undefined;

  constructor(options: SwitchOptions) {
    this.#options = options;
  }

  get knownMacs(): number {
    return this.#table.size;
  }

  /** The VMs are others than before: MACs that are now where they may not be are forgotten. */
  checkPlaces(): void {
    this.#table.forgetWhere((mac, port) => !this.#mayUse(mac, port));
  }

  /** From now on the port gets frames; those that it sends go into the sink. */
  plug(port: SwitchPort): FrameSink {
    this.#ports.add(port);
    if (port.isGateway) this.#gateway = port;
    this.#nowMs = this.#options.nowMs();
    return {
      frame: (chunk, start, end) => this.#take(port, chunk, { start, end }),
      flush: () => {
        this.#flush();
        this.#nowMs = this.#options.nowMs();
      },
    };
  }

  unplug(port: SwitchPort): void {
    this.#ports.delete(port);
    this.#table.forgetPort(port);
    if (this.#gateway === port) this.#gateway = undefined;
  }

  #take(from: SwitchPort, chunk: Buffer, place: Place): void {
    const at = place.start + envelopeSize;
    if (place.end - at < ethernetSize) return;
    const sourcePrefix = chunk.readUInt16BE(at + 6);
    if (from.isGateway !== isGatewayPrefix(sourcePrefix)) {
      if (!from.isGateway) this.#tellSpoof(from);
      return;
    }
    if (from.isGateway) {
      if (this.#options.guard.judgeGateway(chunk, at, place.end)) this.#deliver(from, chunk, place);
      return;
    }
    if (!this.#learn(macAt(chunk, at + 6), from)) return;
    const verdict = this.#options.guard.judgeGuest(chunk, at, place.end);
    if (verdict === 'pass') this.#deliver(from, chunk, place);
    else if (verdict === 'guests') this.#deliver(from, chunk, { ...place, hidesFromGateway: true });
    else if (verdict === 'spoof') this.#tellSpoof(from);
    else if (verdict !== 'drop') this.#answer(verdict, from, { chunk, place });
  }

  #tellSpoof({ name }: SwitchPort): void {
    this.#options.log.once(
      `spoof ${name}`,
      `port ${name} sends what only the gateway may: in its name, or as a server of DHCP or a router. Such frames are dropped`,
    );
  }

  /** Gives false if the port may not use this address. */
  #learn(mac: number, port: SwitchPort): boolean {
    if (this.#table.refresh(mac, port, this.#nowMs)) return true;
    if (!isStation(mac)) return false;
    if (!this.#mayUse(mac, port)) {
      this.#options.log.once(
        `stolen ${mac} ${port.name}`,
        `port ${port.name} uses ${formatMac(mac)}, which belongs to another VM: its frames are dropped`,
      );
      return false;
    }
    const moved = this.#table.learn(mac, port, this.#nowMs);
    if (moved !== undefined && moved.agoMs < moveMs)
      this.#options.log.once(`twice ${mac}`, `${formatMac(mac)} is used on ports ${moved.port.name} and ${port.name}`);
    return true;
  }

  /** A VM may use the MAC of one NIC on another of its own (bonding does); nobody else may. */
  #mayUse(mac: number, port: SwitchPort): boolean {
    const vm = this.#options.vmOfMac(mac);
    return vm === undefined || vm === this.#options.vmOfPort(port.name);
  }

  #deliver(from: SwitchPort, chunk: Buffer, place: Place): void {
    const at = place.start + envelopeSize;
    const prefix = chunk.readUInt16BE(at);
    const isGroup = (prefix & 0x0100) !== 0;
    if (!isGroup && isGatewayPrefix(prefix)) {
      if (this.#gateway !== undefined && !from.isGateway && place.hidesFromGateway !== true)
        this.#send(this.#gateway, chunk, place);
      return;
    }
    const to = isGroup ? undefined : this.#table.find(macAt(chunk, at), this.#nowMs);
    if (to !== undefined) {
      if (to !== from) this.#send(to, chunk, place);
    } else if (!isGroup || !isReservedGroup(chunk, at)) {
      const showsGateway = isGroup && place.hidesFromGateway !== true;
      this.#flush();
      for (const port of this.#ports)
        if (port !== from && (!port.isGateway || showsGateway)) port.send(chunk, place.start, place.end);
    }
  }

  #send(to: SwitchPort, chunk: Buffer, { start, end }: Place): void {
    const run = this.#run;
    if (run !== undefined && run.to === to && run.chunk === chunk && run.end === start) run.end = end;
    else {
      this.#flush();
      this.#run = { to, chunk, start, end };
    }
  }

  #flush(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    run.to.send(run.chunk, run.start, run.end);
  }

  #answer(
    verdict: 'arp' | 'dhcp' | 'dns' | 'dns6',
    from: SwitchPort,
    frame: { readonly chunk: Buffer; readonly place: Place },
  ): void {
    const { chunk, place } = frame;
    const at = place.start + envelopeSize;
    const answer =
      verdict === 'arp' ? answerArp(chunk, at, place.end) : this.#serve(verdict, chunk.subarray(at, place.end));
    if (answer === 'pass') this.#deliver(from, chunk, place);
    else if (answer !== undefined) from.send(answer, 0, answer.length);
  }

  #serve(verdict: 'dhcp' | 'dns' | 'dns6', frame: Buffer): Buffer | 'pass' | undefined {
    if (verdict === 'dns6') return this.#options.answerDns6(frame);
    const datagram = parseDatagram(frame);
    if (datagram === undefined) return undefined;
    return verdict === 'dhcp' ? this.#options.answerDhcp(datagram) : this.#options.answerDns(datagram);
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly hidesFromGateway?: boolean;
}

/** The gateway's addresses are where slirp says that they are, whether it runs or not. */
function answerArp(chunk: Buffer, at: number, end: number): Buffer | undefined {
  const arp = parseArp(chunk, at + ethernetSize, end);
  if (arp?.operation !== arpOperations.request) return undefined;
  return buildArpReply(arp.targetIp, slirpMac(arp.targetIp), { mac: macAt(chunk, at + 6), ip: arp.senderIp });
}

/** 01:80:c2:00:00:01 to 0f are for the one cable; a bridge passes on none of them, but does the spanning tree, which is :00. */
const isReservedGroup = (chunk: Buffer, at: number): boolean =>
  chunk.readUInt32BE(at) === 0x0180_c200 && chunk.readUInt16BE(at + 4) > 0 && chunk.readUInt16BE(at + 4) < 16;
