/** `Profile + HostFacts → LaunchPlan`: every decision of a launch, pure. */
import { QrunError } from '../errors.ts';
import type { HostFacts } from '../host/facts.ts';
import { nicKindOf } from '../nic/registry.ts';
import type { AnyNicPlan } from '../nic/nic-kind.ts';
import { faultOfSubnets } from '../nic/user-subnets.ts';
import type { Nic, Profile } from '../profile/profile.ts';
import { buildArgv, type ArgvInput, type ArgvNic } from '../qemu/argv/build.ts';
import { buildMonitorInput } from '../qemu/argv/monitor.ts';
import { nicDeviceId } from '../qemu/argv/device-ids.ts';
import { pciSlots } from '../qemu/argv/machine-family.ts';
import { planSandbox } from '../qemu/argv/sandbox.ts';
import { validateArgs } from '../qemu/args-clash.ts';
import { renderVersion } from '../qemu/capabilities.ts';
import { planAccel } from './accel.ts';
import { nicDescriptors } from './descriptors.ts';
import { dropTo } from './drop-to.ts';
import { planDisks, requireFile, type DisksPlan } from './disks.ts';
import type { LaunchPlan, PlannedLink, PlannedNic, PlannedTap } from './launch-plan.ts';
import type { CopyStep, DirectoryStep, HookStep, OpenFileStep, Step, VmLockStep } from './step.ts';
import { requireSocketPath } from './socket-path.ts';
import type { VmFiles } from './vm-files.ts';

export interface LaunchInput {
  readonly files: VmFiles;
  /** Real ports of `auto` forwards by step id, once they are taken. */
  readonly ports: Readonly<Record<string, number>>;
}

/** @throws QrunError for what this host or this QEMU cannot do */
export function planLaunch(profile: Profile, facts: HostFacts, { files, ports }: LaunchInput): LaunchPlan {
  check(profile, facts, files);
  const { accel, notes: accelNotes } = planAccel(profile, facts);
  const disks = planDisks(profile, facts, profile.ephemeral);
  const nics = planNics(profile, facts, { files, ports });
  const sockets = { qmp: files.qmp, console: files.console, ...(profile.display === 'vnc' && { vnc: files.vnc }) };
  const uefi = profile.firmware === 'uefi' ? planUefi(facts, files) : undefined;
  const argvInput: ArgvInput = {
    profile,
    capabilities: facts.qemu,
    accel,
    disks: disks.disks,
    ...(uefi && { uefi: { code: uefi.code, vars: files.uefiVars } }),
    nics: nics.map(({ argv }) => argv),
    sockets,
    display: profile.display,
    extraArgs: profile.args,
  };
  const sandbox = planSandbox(argvInput).note;
  return {
    v: 1,
    vm: profile.name,
    profile: profile.file,
    accel,
    qemu: {
      file: facts.qemu.file,
      version: renderVersion(facts.qemu.version),
      argv: buildArgv(argvInput),
      fds: [...fdsOf(files), ...nics.flatMap(({ plan }) => plan.fds ?? [])],
      prefix: [
        ...lockMemory(facts, nics),
        ...dropTo(facts, [...new Set(nics.flatMap(({ plan }) => plan.keeps ?? []))]),
      ],
      ...envOf(nics),
    },
    nics: nics.map(({ planned }) => planned),
    links: linksOf(nics),
    taps: tapsOf(nics),
    networks: Object.values(facts.networks),
    steps: stepsOf({
      profile,
      facts,
      files,
      disks,
      nicSteps: withNames(profile, facts, { files, steps: nics.flatMap(({ plan }) => plan.steps) }),
      copies: uefi?.steps ?? [],
      monitorInput: buildMonitorInput(argvInput),
    }),
    sockets,
    logs: { qemu: files.qemuLog, console: files.consoleLog, events: files.events },
    console: profile.console,
    shutdownTimeoutS: profile.shutdown.timeoutS,
    notes: [
      ...accelNotes,
      ...disks.notes,
      ...nics.flatMap(({ plan }) => plan.notes ?? []),
      ...(sandbox === undefined ? [] : [sandbox]),
    ],
  };
}

function check(profile: Profile, facts: HostFacts, files: VmFiles): void {
  requireSocketPath(files.console);
  checkArgs(profile);
  checkFiles(profile, facts);
  checkSubnets(profile, facts);
}

function checkArgs(profile: Profile): void {
  const faults = validateArgs(profile.args, { nicIds: profile.nics.map(({ id }) => id), machine: profile.machine });
  if (faults.length === 0) return;
  throw new QrunError('invalid-profile', `${profile.name}: args clash with what qrun manages`, {
    causes: faults.map(
      ({ index, message }) => `args[${index}] ${JSON.stringify(profile.args[index] ?? '')}: ${message}`,
    ),
  });
}

function checkFiles(profile: Profile, facts: HostFacts): void {
  if (profile.kernel !== undefined) requireFile(facts, profile.kernel, 'kernel');
  if (profile.initrd !== undefined) requireFile(facts, profile.initrd, 'initrd');
  if (profile.cdrom !== undefined) requireFile(facts, profile.cdrom, 'cdrom');
}

interface NicOfPlan {
  readonly plan: AnyNicPlan;
  readonly planned: PlannedNic;
  readonly argv: ArgvNic;
}

/** A guest with one network on two of its cards answers on one of them. */
function checkSubnets({ name, nics }: Profile, { networks }: HostFacts): void {
  const fault = faultOfSubnets(nics, networks);
  if (fault === undefined) return;
  throw new QrunError('invalid-profile', `${name}: ${fault}`, { hint: 'give one of them another subnet' });
}

function planNics(profile: Profile, facts: HostFacts, { files, ports }: LaunchInput): NicOfPlan[] {
  const nextFd = nicDescriptors();
  return profile.nics.map((nic) => {
    const netdev = nic.id;
    const plan = nicKindOf(nic.kind).plan(nic, { profile, facts, netdevId: netdev, files, ports, nextFd });
    const mac = plan.mac ?? facts.macs[nic.id];
    const slot = facts.slots[nic.id];
    if (mac === undefined || slot === undefined) throw new Error(`no lease for ${nic.id}`);
    return {
      plan,
      planned: plannedNic({ nic, plan, mac, ports }),
      argv: { nic, plan, mac, slot: slot - pciSlots.nics.first },
    };
  });
}

/** Root raises QEMU's limit before it drops his rights; anybody else was told what is missing. */
function lockMemory({ runAs, tools, pciDoor }: HostFacts, nics: readonly NicOfPlan[]): string[] {
  const bytes = Math.max(0, ...nics.map(({ plan }) => (plan.netdev === 'none' ? plan.lockedBytes : 0)));
  const limit = pciDoor?.lockableBytes;
  if (runAs === undefined || limit === undefined || limit >= bytes) return [];
  return [tools['prlimit'] ?? 'prlimit', `--memlock=${bytes}:${bytes}`];
}

const linksOf = (nics: readonly NicOfPlan[]): PlannedLink[] =>
  nics.flatMap(({ plan, planned: { id: nic, kind } }) =>
    plan.netdev === 'none' || plan.link === undefined ? [] : [{ nic, kind, role: plan.link, netdev: plan.netdev }],
  );

const tapsOf = (nics: readonly NicOfPlan[]): PlannedTap[] =>
  nics.flatMap(({ plan: { tapOn }, planned: { id: nic } }) => (tapOn === undefined ? [] : [{ nic, bridge: tapOn }]));

function envOf(nics: readonly NicOfPlan[]): Pick<LaunchPlan['qemu'], 'env'> {
  const env: Record<string, string> = Object.assign({}, ...nics.map(({ plan }) => plan.env));
  return Object.keys(env).length > 0 ? { env } : {};
}

interface PlannedFrom {
  readonly nic: Nic;
  readonly plan: AnyNicPlan;
  readonly mac: PlannedNic['mac'];
  readonly ports: Readonly<Record<string, number>>;
}

function plannedNic({ nic, plan, mac, ports }: PlannedFrom): PlannedNic {
  return {
    id: nic.id,
    kind: nic.kind,
    model: nic.model,
    mac,
    netdev: plan.netdev === 'none' ? nicDeviceId(nic.id) : plan.netdev.id,
    source: plan.source,
    ...(plan.hostInterface !== undefined && { hostInterface: plan.hostInterface }),
    ...(plan.network !== undefined && { network: plan.network }),
    ...(plan.forwards !== undefined && {
      forwards: plan.forwards.map((forward) => ({ ...forward, hostPort: ports[forward.step] ?? forward.hostPort })),
    }),
  };
}

function planUefi(facts: HostFacts, files: VmFiles): { code: string; steps: CopyStep[] } {
  if (facts.uefi === undefined) {
    throw new QrunError('missing-feature', 'firmware: uefi needs UEFI firmware for QEMU, which was not found', {
      hint: 'sudo apt-get install ovmf',
    });
  }
  const owner = facts.runAs && { owner: { uid: facts.runAs.uid, gid: facts.runAs.gid } };
  return {
    code: facts.uefi.code,
    steps: [{ kind: 'copy', id: 'uefi-vars', needsRoot: false, from: facts.uefi.vars, to: files.uefiVars, ...owner }],
  };
}

function fdsOf(files: VmFiles): LaunchPlan['qemu']['fds'] {
  return [files.eventsInput, files.events, files.qemuLog, files.lock, files.consoleLog].map((path, fd) => ({
    fd,
    path,
  }));
}

/** Used up before the first of them is made. */
function withNames(
  { nics }: Profile,
  { linkDoor }: HostFacts,
  { files, steps }: { readonly files: VmFiles; readonly steps: readonly Step[] },
): Step[] {
  const seed = linkDoor?.seed;
  if (seed === undefined) return [...steps];
  const given = new Set<string>(nics.flatMap((nic) => (nic.kind === 'tap' ? (nic.device ?? []) : [])));
  const names = steps.flatMap((step) => (step.kind === 'link' && !given.has(step.name) ? [step.name] : []));
  return [{ kind: 'link-names', id: 'link-names', needsRoot: false, path: files.linkNames, seed, names }, ...steps];
}

interface StepsInput {
  readonly profile: Profile;
  readonly facts: HostFacts;
  readonly files: VmFiles;
  readonly disks: DisksPlan;
  readonly nicSteps: readonly Step[];
  readonly copies: readonly CopyStep[];
  readonly monitorInput: string;
}

/** In the order in which they are taken. The hook after the end comes first, so that it is the last that is given back. */
function stepsOf({ profile, facts, files, disks, nicSteps, copies, monitorInput }: StepsInput): Step[] {
  const lock: VmLockStep = { kind: 'vm-lock', id: 'lock', needsRoot: false, file: files.lock, fd: 3 };
  const runtime: DirectoryStep = {
    kind: 'directory',
    id: 'runtime',
    needsRoot: false,
    path: files.runtimeDir,
    ...(facts.runAs && { owner: { uid: facts.runAs.uid, gid: facts.runAs.gid } }),
  };
  return [
    lock,
    ...hookStep(profile, files, 'afterStop'),
    runtime,
    ...nicSteps,
    ...disks.steps,
    ...copies,
    { ...openStep(files.eventsInput, 0, 'read'), content: monitorInput },
    openStep(files.events, 1, 'append'),
    openStep(files.qemuLog, 2, 'append'),
    openStep(files.consoleLog, 4, 'append'),
    ...hookStep(profile, files, 'beforeStart'),
  ];
}

function openStep(path: string, fd: number, mode: 'read' | 'append'): OpenFileStep {
  return { kind: 'open-file', id: `fd:${fd}`, needsRoot: false, path, fd, mode, rotate: mode === 'append' };
}

function hookStep(profile: Profile, files: VmFiles, when: 'beforeStart' | 'afterStop'): HookStep[] {
  const argv = profile.hooks[when];
  if (argv === undefined) return [];
  return [
    {
      kind: 'hook',
      id: `hook:${when}`,
      needsRoot: false,
      when,
      argv,
      env: { QRUN_VM: profile.name, QRUN_PROFILE: profile.file, QRUN_VM_STATE: files.dir },
    },
  ];
}
