/** The parts of the switch put together: configuration, members, leases and ports on one side, frames on the other. */
import { createChunkPool } from './chunk-pool.ts';
import { DhcpServer } from './dhcp.ts';
import { watchDirectory } from './directory-watch.ts';
import { answerDns, answerDns6 } from './dns.ts';
import { Guard, type GuardOptions } from './guard.ts';
import { createLeaseFile, parseLeases, type LeaseFile } from './lease-file.ts';
import type { FixedAddress } from './address-plan.ts';
import type { Log } from './log.ts';
import { MemberSet, type Member } from './member-set.ts';
import { buildNameTable, type NamedAddress, type NameTable } from './name-table.ts';
import { PortSet } from './port-set.ts';
import { ConfigFault, readSettings, type Settings } from './read-config.ts';
import { readSmall, signatureOf } from './small-file.ts';
import { Switch } from './switch.ts';

const configEveryMs = 2000;

const nowS = (): number => Date.now() / 1000;

/** @throws ConfigFault if there is nothing to begin with */
export function runSwitch(configFile: string, log: Log): void {
  const network = new NetworkProcess(configFile, log);
  // before the first connection: whoever sees that may send a signal
  process.on('SIGHUP', () => network.reload());
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      network.finish();
      process.exit(0);
    });
  network.start();
}

class NetworkProcess {
  readonly #configFile: string;
  readonly #log: Log;
  readonly #members: MemberSet;
  readonly #switch: Switch;
  readonly #ports: PortSet;
  readonly #leaseFile: LeaseFile;
  readonly #guard: Guard;
  #settings: Settings;
  #configSignature: string;
  #dhcp: DhcpServer | undefined;
  #names: NameTable | undefined;

  constructor(configFile: string, log: Log) {
    this.#configFile = configFile;
    this.#log = log;
    this.#configSignature = signatureOf(configFile);
    this.#settings = readSettings(configFile);
    this.#guard = new Guard(guardOptions(this.#settings));
    const { members, ports: directory, gatewayPort: gateway, leases: file } = this.#settings;
    this.#members = new MemberSet(members, log);
    this.#leaseFile = createLeaseFile({ file, log, leases: () => this.#dhcp?.leases.all ?? [] });
    this.#switch = new Switch({
      log,
      nowMs: () => performance.now(),
      guard: this.#guard,
      vmOfMac: (mac) => this.#members.vmOfMac(mac),
      vmOfPort: (port) => this.#members.vmOfPort(port),
      answerDhcp: (datagram) => this.#dhcp?.answer(datagram, nowS()),
      answerDns: (datagram) => answerDns(datagram, this.#knownNames(), this.#settings),
      answerDns6: (frame) => answerDns6(frame, this.#knownNames(), this.#settings),
    });
    const plug = this.#switch.plug.bind(this.#switch);
    const unplug = this.#switch.unplug.bind(this.#switch);
    this.#ports = new PortSet({ directory, gateway, pool: createChunkPool(), log, plug, unplug });
  }

  start(): void {
    const { network, members, ports, leases } = this.#settings;
    this.#members.scan();
    this.#apply();
    const text = readSmall(leases);
    const known = text === undefined ? [] : parseLeases(text);
    if (known === undefined) this.#log.say(`${leases} is damaged: beginning without it`);
    this.#dhcp?.restore(known ?? [], nowS());
    this.#log.say(`network ${network}, ${known?.length ?? 0} leases known`);
    const log = this.#log;
    watchDirectory({ directory: members, log, look: () => this.#lookAtMembers() });
    watchDirectory({ directory: ports, log, look: () => this.#lookAtPorts() });
    // a SIGHUP is lost on a process that is just being started
    setInterval(() => {
      if (signatureOf(this.#configFile) !== this.#configSignature) this.reload();
    }, configEveryMs);
  }

  /** A configuration that cannot be used changes nothing. Where things lie is decided at the start. */
  reload(): void {
    this.#configSignature = signatureOf(this.#configFile);
    try {
      this.#settings = readSettings(this.#configFile);
      this.#log.say('configuration read again');
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error;
      this.#log.say(`going on as before, because ${this.#configFile} cannot be used: ${error.message}`);
    }
    this.#members.scan();
    this.#apply();
    this.#ports.scan();
  }

  finish(): void {
    this.#leaseFile.finish();
  }

  /** A VM's member file is there before its socket is. */
  #lookAtPorts(): void {
    this.#lookAtMembers();
    this.#ports.scan();
  }

  #lookAtMembers(): void {
    if (this.#members.scan()) this.#apply();
  }

  #apply(): void {
    const { dhcp } = this.#settings;
    if (dhcp === undefined) this.#dhcp = undefined;
    else {
      this.#dhcp ??= new DhcpServer(dhcp, this.#log, () => {
        this.#names = undefined;
        this.#leaseFile.changed();
      });
      this.#dhcp.update(dhcp, this.#members.all.flatMap(fixedAddressOf));
    }
    this.#names = undefined;
    this.#guard.update(guardOptions(this.#settings));
    this.#switch.checkPlaces();
  }

  #knownNames(): NameTable {
    return (this.#names ??= this.#nameTable());
  }

  #nameTable(): NameTable {
    const { domain, names, dhcp } = this.#settings;
    const leases = this.#dhcp?.leases.all ?? [];
    return buildNameTable({
      ...(domain !== undefined && { domain }),
      written: [...names, ...this.#members.all.flatMap(namedAddressOf), ...(dhcp?.hosts ?? []).flatMap(namedAddressOf)],
      said: leases.filter(({ isOffer, expiresS }) => !isOffer && expiresS > nowS()).flatMap(namedAddressOf),
    });
  }
}

const guardOptions = ({ gateway, dnsServer, isolated, dhcp }: Settings): GuardOptions => ({
  gateway,
  dnsServer,
  isolated,
  hasDhcp: dhcp !== undefined,
});

const fixedAddressOf = ({ mac, ip, hostName }: Member): FixedAddress[] =>
  ip === undefined ? [] : [{ mac, ip, ...(hostName !== undefined && { hostName }) }];

const namedAddressOf = ({ ip, hostName }: { readonly ip?: number; readonly hostName?: string }): NamedAddress[] =>
  ip === undefined || hostName === undefined ? [] : [{ ip, names: [hostName] }];
