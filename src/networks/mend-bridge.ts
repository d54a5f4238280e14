/** What `net up` mends of a network with a bridge of its own: the bridge, who is on it, what is set for it, and its rules. Guests notice a pause. */
import { readHostLink } from '../host/host-link.ts';
import { readJournal } from '../journal/journal.ts';
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import { isolatedCommand } from '../plan/bridge-commands.ts';
import type { NftTable } from '../plan/nft-commands.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { QrunError } from '../errors.ts';
import { lastWords } from '../resources/link.ts';
import { missingTables, type MissingTable } from '../resources/nft.ts';
import { runPrivileged } from '../resources/privilege.ts';
import { signalProgram } from '../resources/service-program.ts';
import { writeSetting } from '../resources/sysctl.ts';
import type { System } from '../system/system.ts';
import { alteredSettings, bridgeStepOf, isAltered, readBridgeFaults, type BridgeFault } from './bridge-health.ts';
import type { NetworkContext } from './context.ts';
import { lostBridge, uplinksOf } from './join-health.ts';
import { listMembers } from './members.ts';
import type { NetworkRecord } from './record.ts';
import { takeSteps } from './take-steps.ts';

/** Tables that somebody removed, emptied or changed: `inet qrun_lan0`, `inet qrun_lan0 (changed)`. None where that cannot be told. */
export const missingRules = (plan: NetworkPlan, system: System): string[] =>
  readFaultyTables(plan, system).map((table) => `${tableInWords(table)}${table.why === 'changed' ? ' (changed)' : ''}`);

/** Of what is missing, one that `missingRules` has told. */
export const isRules = (part: string): boolean => /^(inet|bridge) /.test(part);

const readFaultyTables = (plan: NetworkPlan, system: System): MissingTable[] =>
  plan.steps.flatMap((step) => (step.kind === 'nft' ? (missingTables(step, system) ?? []) : []));

const tableInWords = ({ family, name }: NftTable): string => `${family} ${name}`;
const isSameTable = (one: NftTable, other: NftTable): boolean => tableInWords(one) === tableInWords(other);

/** What somebody has changed of a bridge that is there, and of what is set for it: `qr-lan0 (down)`, `10.0.0.1 on qr-lan0`, `net.ipv4.ip_forward`. */
export function alteredParts(plan: NetworkPlan): string[] {
  const bridge = bridgeStepOf(plan);
  if (bridge !== undefined && readHostLink(bridge.name) === undefined) return [];
  return [...readBridgeFaults(plan).map(({ what }) => what), ...alteredSettings(plan)];
}

/** With its addresses, and up: without those of IPv6 that went when it was down, nobody is announced to guests. */
function restoreBridge(name: string, faults: readonly BridgeFault[], system: System): void {
  for (const { setting } of faults) if (setting !== undefined) writeSetting(...setting);
  const lines = faults.flatMap(({ lines: some = [] }) => some);
  if (lines.length === 0) return;
  const { status, stderr } = runPrivileged(system, ['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  if (status === 0) return;
  throw new QrunError('host-failed', `${name} could not be set right: ${lastWords(stderr)}`, {
    hint: `ip address show dev ${name}`,
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
  requireOwnBridge(files, plan);
  const faults = readBridgeFaults(plan);
  const settings = isGone ? [] : alteredSettings(plan);
  restoreBridge(bridge, faults, system);
  const tables = readFaultyTables(plan, system);
  const steps = plan.steps.filter((step) => {
    if (step.kind === 'nft') return step.tables.some((table) => tables.some((one) => isSameTable(one, table)));
    if (step.kind === 'sysctl') return isGone || Object.entries(step.values).some(isAltered);
    return isGone && (step.kind === 'resolver' || (step.kind === 'link' && step.name === bridge));
  });
  await takeSteps(steps, { files, runId, system, warn });
  if (isGone) {
    warn(`network ${network}: ${bridge} had gone, and was made again`);
    renewDeaf(plan);
  }
  const altered = [...faults.map(({ what }) => what), ...settings];
  if (altered.length > 0) warn(`network ${network}: ${altered.join(' and ')} was changed, and is as it was`);
  for (const [why, words] of [
    [false, 'had gone, and were made again'],
    [true, 'were changed, and are as they were'],
  ] as const) {
    const some = tables.filter((table) => (table.why === 'changed') === why).map(tableInWords);
    if (some.length > 0) warn(`network ${network}: the rules of ${some.join(' and ')} ${words}`);
  }
  rejoin(plan.attach, devicesOn(files, plan), { system, warn });
}

function requireBridge(network: string, plan: NetworkPlan): void {
  const lost = lostBridge(plan);
  if (lost === undefined) return;
  throw new QrunError('host-failed', `network ${network}: the bridge ${lost}, which qrun did not make, has gone`, {
    hint: `sudo qrun setup --bridge ${lost}, or whatever made it; then: sudo qrun net up ${network}`,
  });
}

/** Of the same name, and with another alias: whether it is the one that was made, its number says. @throws QrunError `in-use` */
function requireOwnBridge(files: NetworkFiles, plan: NetworkPlan): void {
  const step = bridgeStepOf(plan);
  const link = step === undefined ? undefined : readHostLink(step.name);
  if (step === undefined || link === undefined || link.alias === step.alias) return;
  const made = readJournal(files.journal)?.entries.find((entry) => entry.step.id === step.id)?.record;
  if (made?.['index'] === link.index) return;
  throw new QrunError('in-use', `there is an interface ${step.name} by now, and it is not network ${plan.network}'s`, {
    hint: `ip -details link show dev ${step.name}`,
  });
}

/** dhcpd listens on the bridge that it began with: its keeper starts it again on the new one. */
function renewDeaf(plan: NetworkPlan): void {
  for (const step of plan.steps) if (step.kind === 'service') signalProgram(step, 'dhcpd', 'SIGKILL');
}

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
