/** What somebody has changed of a network's own bridge that is there, of who is on it, and of what is set for it; and what sets it right. Read only. */
import path from 'node:path';
import { readHostLink, type HostLink } from '../host/host-link.ts';
import { readOwnAddresses } from '../host/own-addresses.ts';
import { attributeOf } from '../host/sysfs.ts';
import { namesIn } from '../system/glance.ts';
import { parseLinkAlias } from '../link-name.ts';
import { isBridged } from '../network/bridged/mode.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { isolatedCommand } from '../plan/bridge-commands.ts';
import type { LinkStep, SysctlStep } from '../plan/step.ts';
import { dotted, readSetting } from '../resources/sysctl.ts';
import { canonicalAddress } from '../subnet.ts';

export interface BridgeFault {
  /** `qr-lan0 (down)`, `10.0.0.1 on qr-lan0`, … */
  readonly what: string;
  /** For `ip -batch`. */
  readonly lines?: readonly string[];
  /** Below /proc/sys, and what is to be written there, before all else. */
  readonly setting?: readonly [string, string];
}

export const bridgeStepOf = ({ attach, steps }: NetworkPlan): LinkStep | undefined =>
  attach.by === 'bridge'
    ? steps.filter((step) => step.kind === 'link').find(({ name }) => name === attach.bridge)
    : undefined;

/** None for a bridge that is gone, or that is not qrun's. */
export function readBridgeFaults(plan: NetworkPlan): BridgeFault[] {
  const step = bridgeStepOf(plan);
  const link = step === undefined ? undefined : readHostLink(step.name);
  if (step === undefined || link === undefined) return isolationFaults(plan);
  return [
    ...(link.alias === step.alias ? [] : [aliasFault(step)]),
    ...settingFaults(step),
    ...(link.up ? [] : [{ what: `${link.name} (down)`, lines: step.commands.filter((line) => line.endsWith(' up')) }]),
    ...addressFaults(step),
    ...wireFaults(step, link),
    ...mtuFaults(step, { link, plan }),
    ...isolationFaults(plan),
  ];
}

const aliasFault = ({ name, alias }: LinkStep): BridgeFault => ({
  what: `${name} (alias)`,
  lines: [`link set dev ${name} alias ${alias}`],
});

/** `address add 10.0.0.1/24 dev qr-lan0` */
const addressLine = /^address add (\S+)\/\d+ dev /;

/** Without IPv6 it keeps no address of it, and takes none. */
function settingFaults({ name, commands }: LinkStep): BridgeFault[] {
  const key = `net/ipv6/conf/${name}/disable_ipv6`;
  const has6 = commands.some((line) => addressLine.exec(line)?.[1]?.includes(':') === true);
  return has6 && readSetting(key) === '1' ? [{ what: dotted(key), setting: [key, '0'] }] : [];
}

function addressFaults({ name, commands }: LinkStep): BridgeFault[] {
  const own = readOwnAddresses();
  return commands.flatMap((line): BridgeFault[] => {
    const address = addressLine.exec(line)?.[1];
    if (own === undefined || address === undefined || own.has(canonicalAddress(address) ?? address)) return [];
    return [{ what: `${address} on ${name}`, lines: [line.replace('address add', 'address replace')] }];
  });
}

/** `link add name qr-lan0 address 02:… type bridge stp_state 0 forward_delay 0` */
const madeLine = / address (\S+) type bridge stp_state (\d+) forward_delay (\d+)/;
/** With STP the kernel takes no less; in hundredths of a second. */
const leastDelay = 200;

function wireFaults({ name, commands }: LinkStep, link: HostLink): BridgeFault[] {
  const [, mac = '', stp = '', delay = ''] = madeLine.exec(commands[0] ?? '') ?? [];
  if (mac === '') return [];
  const now = (file: string): string => attributeOf(path.join('/sys/class/net', name, 'bridge', file));
  const wanted = stp === '0' ? Number(delay) : Math.max(Number(delay), leastDelay);
  const set = `link set dev ${name}`;
  // without STP first: with it not every delay is taken
  const way = [`${set} type bridge stp_state ${stp}`, `${set} type bridge forward_delay ${wanted}`];
  return [
    ...(link.mac === mac ? [] : [{ what: `${name} (MAC ${link.mac})`, lines: [`${set} address ${mac}`] }]),
    ...(isOther(now('stp_state'), Number(stp))
      ? [{ what: `${name} (STP ${stp === '0' ? 'on' : 'off'})`, lines: way }]
      : []),
    ...(isOther(now('forward_delay'), wanted)
      ? [{ what: `${name} (forward delay ${Number(now('forward_delay')) / 100} s)`, lines: way }]
      : []),
  ];
}

const isOther = (text: string, wanted: number): boolean => text !== '' && Number(text) !== wanted;

const mtuLine = / mtu (\d+)$/;
const standardMtu = 1500;

/** One that was not set follows its ports: those of guests have that of the network, a card may have a larger one. */
function mtuFaults(
  { name, commands }: LinkStep,
  { link, plan }: { readonly link: HostLink; readonly plan: NetworkPlan },
): BridgeFault[] {
  const written = commands.map((line) => mtuLine.exec(line)?.[1]).find((mtu) => mtu !== undefined);
  if (written === undefined && !isBridged(plan.forward)) return [];
  const wanted = Number(written ?? standardMtu);
  return link.mtu === wanted
    ? []
    : [{ what: `${name} (MTU ${link.mtu})`, lines: [`link set dev ${name} mtu ${wanted}`] }];
}

/** Ports that hear each other, and are not to. */
function isolationFaults({ attach, steps }: NetworkPlan): BridgeFault[] {
  if (attach.by !== 'bridge' || !attach.isolated) return [];
  const own = new Set(
    steps.flatMap((step) =>
      step.kind === 'link' && step.commands.includes(isolatedCommand(step.name)) ? [step.name] : [],
    ),
  );
  const attribute = (device: string, file: string): string => attributeOf(path.join('/sys/class/net', device, file));
  // a tap of a VM's of root's
  const isGuest = (device: string): boolean => {
    const { vm = 'net/', role } = parseLinkAlias(attribute(device, 'ifalias')) ?? {};
    return role === 'tap' && !vm.startsWith('net/');
  };
  return namesIn(path.join('/sys/class/net', attach.bridge, 'brif'))
    .filter((device) => own.has(device) || isGuest(device))
    .filter((device) => attribute(device, 'brport/isolated') === '0')
    .map((device) => ({ what: `${device} (not isolated)`, lines: [isolatedCommand(device)] }));
}

/** `net.ipv4.ip_forward` */
export const alteredSettings = ({ steps }: NetworkPlan): string[] =>
  steps
    .filter((step): step is SysctlStep => step.kind === 'sysctl')
    .flatMap(({ values }) =>
      Object.entries(values)
        .filter(isAltered)
        .map(([key]) => dotted(key)),
    );

/** A setting that this kernel has not got is nobody's doing. */
export function isAltered([key, value]: readonly [string, string]): boolean {
  const now = readSetting(key);
  return now !== undefined && now !== value;
}
