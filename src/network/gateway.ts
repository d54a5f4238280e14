/**
 * The gateway of a network without root: a QEMU without a guest, whose user networking (slirp) is a port of the switch. It makes the guests' connections
 * anew as an ordinary program, answers names, and listens for forwards. https://www.qemu.org/docs/master/system/invocation.html (-netdev user)
 */
import { QrunError } from '../errors.ts';
import type { Netdev } from '../nic/nic-kind.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { netdevArgs } from '../qemu/argv/device.ts';
import { planSandbox } from '../qemu/argv/sandbox.ts';
import { renderVersion, type QemuCapabilities } from '../qemu/capabilities.ts';
import { escapeComma } from '../qemu/option.ts';
import { shellWord } from '../shell-word.ts';
import { parseInterfaceAddress, renderAddress } from '../subnet.ts';
import type { NetworkLayout } from './layout.ts';
import type { NetworkForward } from './network-plan.ts';
import type { Network } from './network.ts';

/** The id of its user networking, which `hostfwd_add` asks for. */
export const gatewayNetdev = 'out';

export interface GatewayInput {
  readonly network: Pick<Network, 'name' | 'forward' | 'addresses' | 'dhcp'>;
  readonly layout: NetworkLayout;
  readonly files: Pick<NetworkFiles, 'gatewayMonitor' | 'gatewayPort'>;
  readonly qemu: QemuCapabilities;
  readonly forwards: readonly NetworkForward[];
  /** Two more back ends that it joins with one another. */
  readonly bridge?: readonly [Netdev, Netdev];
}

/** @throws QrunError `missing-feature` */
export function buildGatewayArgv(input: GatewayInput): string[] {
  const { network, files, qemu, bridge } = input;
  const port: Netdev = { type: 'stream', id: 'lan', server: true, addr: { type: 'unix', path: files.gatewayPort } };
  const netdevs = [...joined(0, userNetdev(input), port), ...(bridge === undefined ? [] : joined(1, ...bridge))];
  requireSupport(input, netdevs);
  return [
    qemu.file,
    '-nodefaults',
    '-no-user-config',
    '-name',
    `guest=${escapeComma(`${network.name}-gateway`)}`,
    ...planSandbox({ capabilities: qemu, nics: [], display: 'none' }).args,
    '-machine',
    'none',
    '-display',
    'none',
    '-chardev',
    `socket,id=qmp,path=${escapeComma(files.gatewayMonitor)},server=on,wait=off`,
    '-mon',
    'chardev=qmp,mode=control',
    ...netdevs.flatMap((netdev) => netdevArgs(netdev, qemu.version)),
  ];
}

/** A hub of two: what comes in at one goes out at the other. */
function joined(hubid: number, ...ends: readonly [Netdev, Netdev]): Netdev[] {
  return ends.flatMap((netdev) => [netdev, { type: 'hubport', id: `${netdev.id}-port`, hubid, netdev: netdev.id }]);
}

function requireSupport({ network, qemu }: GatewayInput, netdevs: readonly Netdev[]): void {
  const types = [...new Set(netdevs.map(({ type }) => type))];
  const missing = types.filter((type) => !qemu.netdevTypes.includes(type));
  if (missing.length === 0) return;
  throw new QrunError(
    'missing-feature',
    `network ${network.name}: ${qemu.file} (${renderVersion(qemu.version)}) has no back end ${missing.join(' and ')}, which the gateway takes`,
    { hint: 'use a QEMU from 7.2 on that is built with what is missing (QRUN_QEMU)' },
  );
}

function userNetdev({ network, layout, forwards }: GatewayInput): Netdev {
  const { subnet, gateway, dnsServer = gateway } = layout;
  return {
    type: 'user',
    id: gatewayNetdev,
    net: subnet.cidr,
    host: gateway,
    dns: dnsServer,
    // its own DHCP is never heard by a guest, but must have a beginning that is neither of the two
    dhcpstart: spare(layout),
    ...ipv6Of(network),
    ...(network.forward === 'isolated' && { restrict: true }),
    ...(network.dhcp?.tftp !== undefined && { tftp: network.dhcp.tftp.root }),
    ...(forwards.length > 0 && { hostfwd: forwards.map((forward) => ({ str: rule(forward) })) }),
  };
}

function spare({ subnet, gateway, dnsServer }: NetworkLayout): string {
  const candidates = [1, 2, 3].map((offset) => subnet.at(offset));
  return candidates.find((address) => address !== gateway && address !== dnsServer) ?? subnet.at(3);
}

function ipv6Of({ addresses }: Pick<Network, 'addresses'>): Record<string, string | number | boolean> {
  const own = addresses.map(parseInterfaceAddress).find((one) => one?.subnet.family === 6);
  if (own === undefined) return { ipv6: false };
  return {
    'ipv6-prefix': own.subnet.at(0),
    'ipv6-prefixlen': own.subnet.prefix,
    'ipv6-host': renderAddress(own.address),
    // its own default, unless the gateway has that place
    'ipv6-dns': own.subnet.at(own.address.value === own.subnet.first + 3n ? 2 : 3),
  };
}

function rule({ protocol, hostAddress, hostPort, guestAddress, guestPort }: NetworkForward): string {
  return `${protocol}:${hostAddress}:${hostPort === 'auto' ? 0 : hostPort}-${guestAddress}:${guestPort}`;
}

/** Run again whenever it ends: so it is a file, which is written anew when a forward comes or goes. */
export function renderGatewayScript(network: string, argv: readonly string[]): string {
  const words = argv.map(shellWord).join(' \\\n  ');
  return `#!/bin/sh\n# The gateway of the network ${network}: written by qrun, and run again whenever it ends.\nexec ${words}\n`;
}
