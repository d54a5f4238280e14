/** `qrun doctor`: every prerequisite, with the evidence and the one command that mends it. Reads; the only thing it runs is a smoke guest under KVM, for 3 s at most. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readGroups, readIdentity, readRunAs } from '../host/accounts.ts';
import { readKvm } from '../host/kvm.ts';
import { runKvmSmoke } from '../host/kvm-smoke.ts';
import { readSettings } from '../host/settings.ts';
import { findUefi } from '../host/uefi.ts';
import { mendOfKvm } from '../plan/accel.ts';
import type { Profile } from '../profile/profile.ts';
import type { Settings } from '../profile/settings.ts';
import { renderVersion, type QemuCapabilities } from '../qemu/capabilities.ts';
import { qemuOf } from '../qemu/binary.ts';
import { readCapabilities } from '../qemu/probe.ts';
import { shellWord } from '../shell-word.ts';
import { collect } from './collect.ts';
import { examineBridges } from './doctor-bridge.ts';
import { examineFirewall } from './doctor-firewall.ts';
import { examineCards } from './doctor-cards.ts';
import { examineLinks } from './doctor-links.ts';
import { examineCables } from './doctor-nics.ts';
import { examinePrograms } from './doctor-passt.ts';
import { asOnCards, examinePorts, nicsOnHost, type CheckedNic } from './doctor-ports.ts';
import {
  bridgesOfProfile,
  checkOfRun,
  concerns,
  examineProfile,
  failed,
  orFailure,
  refuseFileFaults,
} from './doctor-profile.ts';
import { examineSession } from './doctor-session.ts';
import { checkOfSettings, examineSetup } from './doctor-setup.ts';
import { examineUnits } from './doctor-units.ts';
import { ensureState, loadProfile, type LaunchContext } from './prepare.ts';

export interface Check {
  /** Stable, for scripts: `qemu`, `kvm`, `ping`, … */
  readonly id: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly what: string;
  /** What was seen. */
  readonly evidence: string;
  /** The one command that mends it. */
  readonly mend: string | null;
}

type Finding = Omit<Check, 'id' | 'what' | 'mend'> & { readonly mend?: string | null };

/**
 * @param name a profile: what concerns it alone, and whether it can run here
 * @throws QrunError for a profile that is not there or has faults
 */
export async function examine(context: LaunchContext, name?: string): Promise<Check[]> {
  const profile = name === undefined ? undefined : await orFailure(() => loadProfile(name, {}, context));
  if (profile instanceof QrunError) refuseFileFaults(profile);
  const known = profile instanceof QrunError ? undefined : profile;
  const settings = await orFailure(() => readSettings(context.places, context.system));
  const onHost = known && (await asOnCards(known, context));
  const checked = onHost && { profile: onHost, nics: await nicsOnHost(onHost, context) };
  const checks = (await examineHost(context, checked, settings)).filter(({ id }) => concerns(id, checked));
  if (name === undefined || profile === undefined) return checks;
  if (profile instanceof QrunError) return [...checks, checkOfRun(name, profile)];
  // what needs it cannot be looked at
  if (settings instanceof QrunError && concerns('config', profile)) return [...checks, checkOfRun(name, settings)];
  return [...checks, ...(await examineProfile(profile, name, context))];
}

/** Programs are started for what concerns the profile alone. */
async function examineHost(
  context: LaunchContext,
  checked: { readonly profile: Profile; readonly nics: readonly CheckedNic[] } | undefined,
  settings: Settings | QrunError,
): Promise<Check[]> {
  const { system, places } = context;
  const profile = checked?.profile;
  const qemu = await orFailure(() => readCapabilities(system, qemuOf(context)));
  const there = qemu instanceof QrunError ? undefined : qemu;
  const asked = (id: string): boolean => concerns(id, checked);
  const sudo = settings instanceof QrunError ? 'never' : settings.sudo;
  return [
    ...(await examineQemu(context, qemu)),
    ...examineCables(there),
    ...(asked('passt') || asked('vde') ? examinePrograms(system, there) : []),
    ...(asked('bridge') ? await examineBridges(system, there) : []),
    ...(asked('forward-policy') || asked('network-firewall')
      ? await examineFirewall(context, checked && bridgesOfProfile(checked))
      : []),
    ...(asked('tun') || asked('vhost') ? examineLinks(system, sudo, profile) : []),
    ...(asked('ports') ? await examinePorts(context, profile && networksOf(profile)) : []),
    ...(asked('iommu') ? examineCards(profile) : []),
    ...(asked('setup') ? examineSetup(system, places) : []),
    checkOfSettings(settings, places.config),
    ...examineSession(system),
    ...examineUnits(context),
    check('state', 'state directory', state(context)),
    check('leftovers', 'left behind by dead runs', await leftovers(context)),
  ];
}

const networksOf = ({ nics }: Profile): string[] => [
  ...new Set(nics.flatMap((nic) => (nic.kind === 'network' ? [nic.network] : []))),
];

async function examineQemu(context: LaunchContext, qemu: QemuCapabilities | QrunError): Promise<Check[]> {
  return [
    check(
      'qemu',
      'QEMU',
      qemu instanceof QrunError
        ? failed(qemu)
        : { state: 'ok', evidence: `${renderVersion(qemu.version)} ${qemu.package} at ${qemu.realFile}` },
    ),
    check('sandbox', "QEMU's system call filter", qemu instanceof QrunError ? failed(qemu) : sandbox(qemu)),
    check('kvm', 'hardware virtualization (KVM)', qemu instanceof QrunError ? failed(qemu) : await kvm(context, qemu)),
    tool(context, { name: 'flock', what: 'the VM lock', debianPackage: 'util-linux', otherwise: 'fail' }),
    tool(context, {
      name: 'qemu-img',
      what: 'creating disks, ephemeral runs',
      debianPackage: 'qemu-utils',
      otherwise: 'warn',
    }),
    ...(context.system.uid === 0
      ? [
          tool(context, {
            name: 'setpriv',
            what: "dropping root's QEMU",
            debianPackage: 'util-linux',
            otherwise: 'fail',
          }),
          check('run-as', "the user of root's QEMU", runAs(context)),
        ]
      : []),
    check('uefi', 'UEFI firmware (firmware: uefi)', uefi(qemu instanceof QrunError ? undefined : qemu.file)),
    check('ping', 'ping from guests with user networking', ping(groupsOfQemu(context))),
  ];
}

function check(id: string, what: string, { state: found, evidence, mend }: Finding): Check {
  return { id, state: found, what, evidence, mend: mend ?? null };
}

function sandbox({ options }: QemuCapabilities): Finding {
  return options.includes('sandbox')
    ? { state: 'ok', evidence: '-sandbox is built in' }
    : { state: 'warn', evidence: 'this QEMU is built without -sandbox' };
}

async function kvm({ system, places }: LaunchContext, qemu: QemuCapabilities): Promise<Finding> {
  // root's QEMU is another user's, and so is the guest that is tried
  const account = system.uid === 0 ? await orFailure(() => readRunAs(system, undefined)) : undefined;
  if (account instanceof QrunError) return { state: 'warn', evidence: 'there is no user to try it as' };
  const facts = readKvm({ cacheDir: places.cache, qemu, runAs: account });
  if (!facts.present)
    return {
      state: 'warn',
      evidence: 'there is no /dev/kvm: guests are emulated',
      mend: 'sudo modprobe kvm_intel || sudo modprobe kvm_amd',
    };
  if (!facts.openable)
    return {
      state: 'warn',
      evidence: `${account?.name ?? 'this user'} may not open /dev/kvm: guests are emulated`,
      mend: mendOfKvm({ user: readIdentity(system), runAs: account, kvm: facts }),
    };
  const verdict = await runKvmSmoke(system, { qemu, cacheDir: places.cache, runAs: account });
  if (verdict === 'works') return { state: 'ok', evidence: '/dev/kvm works: a smoke guest ran' };
  return {
    state: 'warn',
    evidence: '/dev/kvm opens, but a smoke guest did not run to its end within 3 s: accel: auto uses TCG',
    mend: 'accel: tcg in the profile, or another host',
  };
}

interface Tool {
  readonly name: string;
  readonly what: string;
  readonly debianPackage: string;
  readonly otherwise: 'warn' | 'fail';
}

function tool({ system }: LaunchContext, { name, what, debianPackage, otherwise }: Tool): Check {
  const file = system.which(name);
  const missing: Finding = {
    state: otherwise,
    evidence: `there is no ${name}`,
    mend: `sudo apt-get install ${debianPackage}`,
  };
  return check(name, what, file === undefined ? missing : { state: 'ok', evidence: file });
}

function runAs({ system }: LaunchContext): Finding {
  try {
    const account = readRunAs(system, undefined);
    return { state: 'ok', evidence: `${account.name} (uid ${account.uid})` };
  } catch (error) {
    if (error instanceof QrunError) return failed(error);
    throw error;
  }
}

function uefi(qemu: string | undefined): Finding {
  const found = qemu === undefined ? undefined : findUefi(qemu);
  return found === undefined
    ? { state: 'warn', evidence: 'not found', mend: 'sudo apt-get install ovmf' }
    : { state: 'ok', evidence: found.code };
}

/** slirp sends a guest's ping through a ping socket, which the kernel allows to a range of groups only; `1 0` is none. */
function ping(groups: readonly number[]): Finding {
  const text = readSysctl('/proc/sys/net/ipv4/ping_group_range');
  const [low, high] = text.split(/\s+/).map(Number);
  const allowed = low !== undefined && high !== undefined && groups.some((group) => group >= low && group <= high);
  const evidence = `net.ipv4.ping_group_range is ${text.replace(/\s+/, ' ')}`;
  return allowed
    ? { state: 'ok', evidence }
    : {
        state: 'warn',
        evidence: `${evidence}: guests get no answer`,
        mend: 'sudo sysctl -w net.ipv4.ping_group_range="0 2147483647"',
      };
}

/** The kernel asks for the groups of the process that pings, which is QEMU: root's is another user's. */
function groupsOfQemu({ system }: LaunchContext): readonly number[] {
  if (system.uid !== 0) return [system.gid, ...(process.getgroups?.() ?? [])];
  try {
    return readGroups(readRunAs(system, undefined));
  } catch (error) {
    if (error instanceof QrunError) return []; // that check says it
    throw error;
  }
}

function readSysctl(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '1 0';
  }
}

function state(context: LaunchContext): Finding {
  try {
    ensureState(context);
    accessSync(context.places.state, constants.W_OK);
    return { state: 'ok', evidence: context.places.state };
  } catch (error) {
    if (error instanceof QrunError) return failed(error);
    return {
      state: 'fail',
      evidence: `${context.places.state} cannot be written`,
      mend: `ls -ld ${shellWord(context.places.state)}`,
    };
  }
}

async function leftovers(context: LaunchContext): Promise<Finding> {
  const found = await collect(context, undefined, true);
  if (found.length === 0) return { state: 'ok', evidence: 'nothing' };
  return { state: 'warn', evidence: found.map(({ vm, what }) => `${vm}: ${what}`).join(', '), mend: 'qrun gc' };
}
