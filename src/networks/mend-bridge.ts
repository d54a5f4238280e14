/** What `net up` mends of a network with a bridge of its own: the bridge, who is on it, what is set for it, and its rules. Guests notice a pause. */
import { readHostLink } from '../host/host-link.ts';
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import { isolatedCommand } from '../plan/bridge-commands.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { QrunError } from '../errors.ts';
import { readOwnAddresses } from '../host/own-addresses.ts';
import type { LinkStep, NftStep, SysctlStep } from '../plan/step.ts';
import { lastWords } from '../resources/link.ts';
import { missingTables } from '../resources/nft.ts';
import { runPrivileged } from '../resources/privilege.ts';
import { signalProgram } from '../resources/service-program.ts';
import { dotted, readSetting } from '../resources/sysctl.ts';
import { canonicalAddress } from '../subnet.ts';
import type { System } from '../system/system.ts';
import type { NetworkContext } from './context.ts';
import { lostBridge, uplinksOf } from './join-health.ts';
import { listMembers } from './members.ts';
import type { NetworkRecord } from './record.ts';
import { takeSteps } from './take-steps.ts';

/** Tables that somebody removed or emptied: `inet qrun_lan0`. None where that cannot be told. */
export const missingRules = (plan: NetworkPlan, system: System): string[] =>
  rulesOf(plan).flatMap((step) => (missingTables(step, system) ?? []).map(({ family, name }) => `${family} ${name}`));

/** What somebody has changed of a bridge that is there, and of what is set for it: `qr-lan0 (down)`, `10.0.0.1 on qr-lan0`, `net.ipv4.ip_forward`. */
export function alteredParts(plan: NetworkPlan): string[] {
  const bridge = bridgeStepOf(plan);
  if (bridge === undefined) return [];
  const link = readHostLink(bridge.name);
  if (link === undefined) return [];
  return [
    ...(link.up ? [] : [`${bridge.name} (down)`]),
    ...lostAddresses(bridge).map((address) => `${address} on ${bridge.name}`),
    ...settingsOf(plan).flatMap(({ values }) =>
      Object.entries(values)
        .filter(isAltered)
        .map(([key]) => dotted(key)),
    ),
  ];
}

const bridgeStepOf = ({ attach, steps }: NetworkPlan): LinkStep | undefined =>
  attach.by === 'bridge'
    ? steps.filter((step) => step.kind === 'link').find(({ name }) => name === attach.bridge)
    : undefined;

const settingsOf = ({ steps }: NetworkPlan): SysctlStep[] => steps.filter((step) => step.kind === 'sysctl');

/** A setting that this kernel has not got is nobody's doing. */
function isAltered([key, value]: readonly [string, string]): boolean {
  const now = readSetting(key);
  return now !== undefined && now !== value;
}

/** `address add 10.0.0.1/24 dev qr-lan0` */
const addressLine = /^address add (\S+)\/\d+ dev /;

function lostAddresses({ commands }: LinkStep): string[] {
  const own = readOwnAddresses();
  return commands.flatMap((line) => {
    const address = addressLine.exec(line)?.[1];
    return own === undefined || address === undefined || own.has(canonicalAddress(address) ?? address) ? [] : [address];
  });
}

/** With its addresses, and up: without those of IPv6 that went when it was down, nobody is announced to guests. */
function restoreBridge(step: LinkStep, system: System): void {
  const lines = step.commands.flatMap((line) => {
    if (addressLine.test(line)) return [line.replace('address add', 'address replace')];
    return line.endsWith(' up') ? [line] : [];
  });
  const { status, stderr } = runPrivileged(system, ['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  if (status === 0) return;
  throw new QrunError('host-failed', `${step.name} could not be set right: ${lastWords(stderr)}`, {
    hint: `ip address show dev ${step.name}`,
  });
}

/** Under the network's lock. */
export async function mendBridge(
  files: NetworkFiles,
  { plan, network, runId }: NetworkRecord,
  { system, warn }: NetworkContext,
): Promise<void> {
  if (plan.attach.by !== 'bridge') return;
  const { bridge } = plan.attach;
  requireBridge(network, plan);
  const isGone = readHostLink(bridge) === undefined;
  const altered = alteredParts(plan);
  const step = bridgeStepOf(plan);
  if (step !== undefined && altered.some((part) => part.includes(' '))) restoreBridge(step, system);
  const lost = new Set(missingRules(plan, system));
  const steps = plan.steps.filter((step) => {
    if (step.kind === 'nft') return step.tables.some(({ family, name }) => lost.has(`${family} ${name}`));
    if (step.kind === 'sysctl') return isGone || Object.entries(step.values).some(isAltered);
    return isGone && (step.kind === 'resolver' || (step.kind === 'link' && step.name === bridge));
  });
  await takeSteps(steps, { files, runId, system, warn });
  if (isGone) {
    warn(`network ${network}: ${bridge} had gone, and was made again`);
    renewDeaf(plan);
  }
  if (altered.length > 0) warn(`network ${network}: ${altered.join(' and ')} was changed, and is as it was`);
  if (lost.size > 0) warn(`network ${network}: the rules of ${[...lost].join(' and ')} had gone, and were made again`);
  rejoin(plan.attach, devicesOn(files, plan), { system, warn });
}

function requireBridge(network: string, plan: NetworkPlan): void {
  const lost = lostBridge(plan);
  if (lost === undefined) return;
  throw new QrunError('host-failed', `network ${network}: the bridge ${lost}, which qrun did not make, has gone`, {
    hint: `sudo qrun setup --bridge ${lost}, or whatever made it; then: sudo qrun net up ${network}`,
  });
}

/** dhcpd listens on the bridge that it began with: its keeper starts it again on the new one. */
function renewDeaf(plan: NetworkPlan): void {
  for (const step of plan.steps) if (step.kind === 'service') signalProgram(step, 'dhcpd', 'SIGKILL');
}

const rulesOf = ({ steps }: NetworkPlan): NftStep[] => steps.filter((step) => step.kind === 'nft');

interface Device {
  readonly name: string;
  readonly ofGuest: boolean;
}

const devicesOn = (files: NetworkFiles, plan: NetworkPlan): Device[] => [
  ...uplinksOf(plan).map(({ name }) => ({ name, ofGuest: false })),
  ...(hostNetworkOf(plan)?.ports.map(({ device }) => ({ name: device, ofGuest: true })) ?? []),
  ...listMembers(files).flatMap(({ device }) => (device === undefined ? [] : [{ name: device, ofGuest: true }])),
];

/** Those that guests have: nothing but the cable between them and the bridge was lost. */
function rejoin(
  { bridge, isolated }: Extract<NetworkPlan['attach'], { readonly by: 'bridge' }>,
  devices: readonly Device[],
  { system, warn }: Pick<NetworkContext, 'system' | 'warn'>,
): void {
  for (const { name: device, ofGuest } of devices) {
    const link = readHostLink(device);
    if (link === undefined || link.master === bridge) continue;
    // together: it is hardly on the bridge without being kept apart
    const lines = [
      `link set dev ${device} master ${bridge}`,
      ...(isolated && ofGuest ? [isolatedCommand(device)] : []),
      // a card that came again is down
      ...(ofGuest ? [] : [`link set dev ${device} up`]),
    ];
    const { status } = runPrivileged(system, ['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
    if (status === 0) warn(`${device} had left ${bridge}, and is on it again`);
  }
}
