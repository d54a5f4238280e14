/** A whole switch without sockets: ports that keep what they are sent. */
import { DhcpServer, type DhcpSettings } from '../../../src/switch/dhcp.ts';
import { answerDns, answerDns6 } from '../../../src/switch/dns.ts';
import type { FrameSink } from '../../../src/switch/frame-reader.ts';
import { Guard } from '../../../src/switch/guard.ts';
import { createLog, type Log } from '../../../src/switch/log.ts';
import { buildNameTable, type NameTable } from '../../../src/switch/name-table.ts';
import { Switch, type SwitchPort } from '../../../src/switch/switch.ts';
import { envelop, framesOf, ipOf, macOf } from './a-frame.ts';

export const subnet = { network: ipOf('10.44.0.0'), broadcast: ipOf('10.44.0.255'), mask: ipOf('255.255.255.0') };

export const dhcpSettings = (more: Partial<DhcpSettings> = {}): DhcpSettings => ({
  subnet,
  gateway: ipOf('10.44.0.1'),
  dnsServer: ipOf('10.44.0.3'),
  isolated: false,
  ranges: [{ from: ipOf('10.44.0.100'), to: ipOf('10.44.0.109') }],
  leaseS: 3600,
  maxLeaseS: 7200,
  hosts: [],
  reserved: [],
  options: [],
  search: [],
  ...more,
});

export function keptLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, ...createLog({ write: (line) => void lines.push(line), now: () => new Date(0) }) };
}

/** A port, its sink, and all frames that were sent to it. */
export interface FakePort extends SwitchPort {
  readonly sink: FrameSink;
  readonly got: Buffer[];
  /** How often bytes were handed over. */
  readonly sends: number;
  /** Sends these frames in one read. */
  say(...frames: readonly Buffer[]): void;
  /** What it got since the last time. */
  heard(): Buffer[];
}

export interface FakeNetworkOptions {
  readonly isolated?: boolean;
  readonly dhcp?: Partial<DhcpSettings> | false;
  /** VM and MAC by port. */
  readonly members?: Readonly<Record<string, { readonly vm: string; readonly mac: string; readonly ip?: string }>>;
}

export function fakeNetwork({ isolated = false, dhcp = {}, members = {} }: FakeNetworkOptions = {}) {
  const log = keptLog();
  const clock = { ms: 0 };
  const settings = dhcpSettings({ isolated, ...(dhcp === false ? {} : dhcp) });
  const server = new DhcpServer(settings, log, () => {});
  const inNumbers = () => Object.values(members).map(({ vm, mac, ip }) => ({ vm, mac: macOf(mac), ip }));
  const known = inNumbers();
  server.update(
    settings,
    known.flatMap(({ vm, mac, ip }) => (ip === undefined ? [] : [{ mac, ip: ipOf(ip), hostName: vm }])),
  );
  const names: NameTable = buildNameTable({
    domain: 'lab.test',
    written: known.flatMap(({ vm, ip }) => (ip === undefined ? [] : [{ ip: ipOf(ip), names: [vm] }])),
    said: [],
  });
  const hub = new Switch({
    log,
    nowMs: () => clock.ms,
    guard: new Guard({ gateway: settings.gateway, dnsServer: settings.dnsServer, isolated, hasDhcp: dhcp !== false }),
    vmOfMac: (mac) => inNumbers().find((one) => one.mac === mac)?.vm,
    vmOfPort: (port) => members[port]?.vm,
    answerDhcp: (datagram) => (dhcp === false ? undefined : server.answer(datagram, clock.ms / 1000)),
    answerDns: (datagram) => answerDns(datagram, names, settings),
    answerDns6: (frame) => answerDns6(frame, names, settings),
  });
  function plug(name: string, isGateway = false): FakePort {
    const got: Buffer[] = [];
    const port = {
      name,
      isGateway,
      got,
      sends: 0,
      send: (bytes: Buffer, start: number, end: number): void => {
        port.sends += 1;
        got.push(...framesOf(Buffer.from(bytes.subarray(start, end))));
      },
      say: (...frames: readonly Buffer[]): void => {
        const bytes = envelop(...frames);
        let at = 0;
        for (const one of frames) {
          port.sink.frame(bytes, at, at + 4 + one.length);
          at += 4 + one.length;
        }
        port.sink.flush();
      },
      heard: (): Buffer[] => got.splice(0),
    } as FakePort & { sink: FrameSink; sends: number };
    port.sink = hub.plug(port);
    return port;
  }
  return { hub, plug, log, clock, dhcp: server, gateway: () => plug('gateway', true) };
}
