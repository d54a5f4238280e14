/** What `qrun doctor NAME` says of one profile: each of its NICs, and whether all of it can run. */
import { QrunError } from '../errors.ts';
import type { NicPlan } from '../nic/nic-kind.ts';
import { nicKindOf } from '../nic/registry.ts';
import { nicDescriptors } from '../plan/descriptors.ts';
import type { VmName } from '../names.ts';
import type { Nic, Profile } from '../profile/profile.ts';
import { lostInWords } from '../report/vm.ts';
import type { Check } from './doctor.ts';
import type { CheckedNic } from './doctor-ports.ts';
import { faultOfSudoIn } from './doctor-sudo.ts';
import { findLostWays, lostWayInWords } from './lost-ways.ts';
import { describeNicsNow } from './nics-now.ts';
import { readForLaunch, type LaunchContext, type Prepared } from './prepare.ts';
import { isRunningVm, readVm, socketsGone } from './vms.ts';

/** Which kinds of NICs a check concerns. All others concern every VM. */
const kindsOfCheck: Readonly<Record<string, readonly CheckedNic['kind'][]>> = {
  ping: ['user', 'passt', 'network'],
  loopback: ['user', 'mcast', 'stream', 'dgram', 'l2tpv3', 'network'],
  cables: ['mcast', 'stream', 'dgram', 'l2tpv3'],
  passt: ['passt'],
  vde: ['vde', 'network', 'port-vde'],
  bridge: ['bridge'],
  'bridge-conf': ['bridge'],
  'forward-policy': ['bridge', 'tap', 'port-tap', 'port-vde'],
  'bridge-netfilter': ['bridge', 'tap', 'port-tap', 'port-vde'],
  firewalld: ['bridge', 'tap', 'port-tap', 'port-vde'],
  'network-firewall': ['port-tap', 'port-vde', 'network'],
  tun: ['bridge', 'tap', 'port-tap'],
  vhost: ['tap', 'macvtap', 'port-tap', 'port-macvtap'],
  'link-rights': ['tap', 'macvtap'],
  taps: ['tap'],
  ports: ['port-tap', 'port-macvtap', 'port-vde'],
  'rp-filter': ['macvtap'],
  iommu: ['hostdev'],
  vfio: ['hostdev'],
  cards: ['hostdev'],
  setup: ['bridge', 'tap', 'macvtap', 'hostdev', 'port-tap', 'port-macvtap'],
  unmanaged: ['tap', 'macvtap', 'port-tap', 'port-macvtap'],
  config: ['tap', 'macvtap', 'hostdev'],
  'user-namespaces': [],
};

/** Of a profile; those on networks of root's are what they come to here. */
interface CheckedNics {
  readonly nics: readonly CheckedNic[];
}

/** @param profile undefined: all of the host is asked about */
export function concerns(id: string, profile: CheckedNics | undefined): boolean {
  const kinds = kindsOfCheck[id];
  if (profile === undefined || kinds === undefined) return true;
  return profile.nics.some(({ kind }) => kinds.includes(kind));
}

/** Bridges of the host's that its NICs are on. */
export const bridgesOfProfile = ({ nics }: CheckedNics): string[] => [
  ...new Set(
    nics.flatMap(({ kind, bridge }) =>
      ['bridge', 'tap', 'port-tap', 'port-vde'].includes(kind) && bridge !== undefined ? [bridge] : [],
    ),
  ),
];

/** @throws QrunError for a fault that is the file's, or a name that is not there: that is no fault of the host's */
export async function examineProfile(profile: Profile, name: string, context: LaunchContext): Promise<Check[]> {
  const found = await orFailure(() => readForLaunch(profile, context));
  if (found instanceof QrunError) {
    refuseFileFaults(found);
    return [checkOfRun(name, found)];
  }
  const nics = [
    ...found.profile.nics.map((nic) => checkOfNic(nic, planOf(nic, found))),
    ...(await examineRunning(profile.name, context)),
  ];
  const plan = await orFailure(() => found.replan({}));
  if (plan instanceof QrunError) {
    refuseFileFaults(plan);
    return [...nics, checkOfRun(name, plan)];
  }
  return [...nics, checkOfRun(name, faultOfSudoIn(plan.steps, context.system) ?? plan.notes)];
}

/** One that runs goes on with NICs whose links are gone, and nobody in it notices why. */
async function examineRunning(name: VmName, context: LaunchContext): Promise<Check[]> {
  const vm = readVm(context, name);
  if (!isRunningVm(vm)) return [];
  const nics = await describeNicsNow(name, vm.record.nics, { ...context, pid: vm.pid });
  const lost = nics.filter(({ link }) => link === 'lost');
  const ways = await findLostWays(vm.record, vm.pid, context);
  const isLost = vm.state === 'lost';
  const [mend = null] = [
    ...(lost.length === 0 && !isLost ? [] : [`qrun stop ${name}; then start it again`]),
    ...ways.map((way) => way.mend),
  ];
  const evidence = [
    ...(isLost ? [`${socketsGone}: neither its console nor its monitor can be reached`] : []),
    ...lost.map((nic) => `${nic.id}: ${lostInWords(nic)}`),
    ...ways.map(lostWayInWords),
  ];
  return [
    {
      id: 'running',
      what: `${name}, which runs`,
      state: mend === null ? 'ok' : 'warn',
      evidence: [`pid ${vm.pid}`, ...evidence].join('; '),
      mend,
    },
  ];
}

/** @throws QrunError what is wrong with the file, or a name that is not there: that is no fault of the host's */
export function refuseFileFaults(error: QrunError): void {
  if (['usage', 'unknown-name', 'invalid-name', 'invalid-profile'].includes(error.code)) throw error;
}

/** Each by itself: the plan of all ends at the first that cannot be. */
function planOf(nic: Nic, { profile, facts, files }: Pick<Prepared, 'profile' | 'facts' | 'files'>): PlanOfNic {
  try {
    const nextFd = nicDescriptors();
    return nicKindOf(nic.kind).plan(nic, { profile, facts, files, netdevId: nic.id, nextFd });
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
}

type PlanOfNic = Pick<NicPlan, 'source' | 'hostInterface' | 'notes'> | QrunError;

export function checkOfNic({ id, kind }: Pick<Nic, 'id' | 'kind'>, plan: PlanOfNic): Check {
  const base = { id: `nic-${id}`, what: `${id} (kind: ${kind})` };
  if (plan instanceof QrunError) return { ...base, ...failed(plan) };
  const { source, hostInterface, notes = [] } = plan;
  const through = hostInterface === undefined || hostInterface === source ? source : `${hostInterface} on ${source}`;
  return {
    ...base,
    state: notes.length === 0 ? 'ok' : 'warn',
    evidence: [through, ...notes].join('; '),
    mend: null,
  };
}

/** @param outcome what a run would say, or why there is none */
export function checkOfRun(name: string, outcome: readonly string[] | QrunError): Check {
  const base = { id: 'profile', what: `whether ${name} can run` };
  if (outcome instanceof QrunError) return { ...base, ...failed(outcome) };
  return {
    ...base,
    state: outcome.length === 0 ? 'ok' : 'warn',
    evidence: outcome.length === 0 ? 'it can' : `it can: ${outcome.join('; ')}`,
    mend: null,
  };
}

export const failed = (error: QrunError): Pick<Check, 'state' | 'evidence' | 'mend'> => ({
  state: 'fail',
  evidence: [error.message, ...error.causes].join(': '),
  mend: error.hint ?? null,
});

export async function orFailure<T>(act: () => T | Promise<T>): Promise<T | QrunError> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
}
