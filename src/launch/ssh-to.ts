/** `qrun ssh`: finds the way into a VM that runs, and hands the terminal to ssh. */
import { lstatSync, rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { shellWord, shellWords } from '../shell-word.ts';
import { buildSshArgs } from '../ssh/ssh-command.ts';
import { isChangedKey, knownKeysOf, scanArgs } from '../ssh/host-keys.ts';
import { chooseWayIn, sshPort, type GuestNetwork, type WayIn } from '../ssh/way-in.ts';
import { metAt } from './nics-now.ts';
import type { NetworkName } from '../network/network.ts';
import { addForwards } from '../networks/forwards.ts';
import { listUpNetworkNames } from '../networks/names.ts';
import { listMembers, type Member } from '../networks/members.ts';
import { readNicOnNetwork } from '../networks/nic-state.ts';
import { readNetworkRecord, type NetworkRecord } from '../networks/record.ts';
import { networkFiles } from '../plan/network-files.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { readTail } from '../system/files.ts';
import { runOnTerminal } from '../system/spawn.ts';
import { requireKnown, requireRunning, type RunningVm, type Where } from './vms.ts';

export interface SshOptions {
  readonly user?: string;
  readonly command: readonly string[];
  /** For ssh itself. */
  readonly own: readonly string[];
  /** The guest was installed anew: whatever key it has now is its own. */
  readonly forgetKey: boolean;
}

export interface SshContext extends Where {
  readonly warn: (message: string) => void;
  readonly note: (message: string) => void;
  readonly detail: (message: string) => void;
}

/** @returns ssh's own exit status @throws QrunError `unknown-name` when it does not run, `missing-feature` when there is no way in, `missing-tool` */
export async function sshTo(name: string, options: SshOptions, context: SshContext): Promise<number> {
  if (options.forgetKey) forgetKeys(name, context);
  const vm = requireRunning(context, name);
  const ssh = requireSsh(context);
  const way = await findWayIn(vm, context);
  const { user, command, own } = options;
  const knownHosts = vm.files.knownHosts;
  refuseNoFile(knownHosts);
  const args = buildSshArgs({ vm: vm.vm, way, knownHosts, ...(user !== undefined && { user }), command, own });
  context.detail(`by ${way.by}: ${shellWords([ssh, ...args])}`);
  const begun = performance.now();
  const status = await runOnTerminal(ssh, args);
  const tookS = (performance.now() - begun) / 1000;
  if (status === sshFailed) await tellChangedKey({ vm, way, tookS }, context);
  return status;
}

const longestScanS = 60;

/** ssh ends with that for every failure of its own; a command of the guest's may do so too. */
const sshFailed = 255;

function requireSsh({ system }: Where): string {
  const ssh = system.which('ssh');
  if (ssh !== undefined) return ssh;
  throw new QrunError('missing-tool', 'ssh was not found on PATH', { hint: 'sudo apt-get install openssh-client' });
}

async function findWayIn(vm: RunningVm, context: SshContext): Promise<WayIn> {
  const networks = networksOf(vm, context);
  const nics = vm.record.nics.map((nic) => ({ ...nic, addresses: metAt(nic, context) }));
  const choice = chooseWayIn({ nics, networks });
  if (choice.way !== undefined) return choice.way;
  if (choice.forwardOn === undefined) throw noWayIn(vm, networks);
  return await makeWayIn(vm, choice.forwardOn as NetworkName, context);
}

/** A forward from a free port of loopback, which stays for as long as the network is up: the next time finds it. */
async function makeWayIn({ vm }: RunningVm, network: NetworkName, context: SshContext): Promise<WayIn> {
  const [added] = await addForwards(network, [`auto:${vm}:${sshPort}`], context);
  if (added === undefined || added.hostPort === 'auto')
    throw new QrunError('host-failed', `${network}: no forward to ${vm}:${sshPort} could be added`, {
      hint: `qrun net forward ${network} auto:${vm}:${sshPort}`,
    });
  context.note(
    `${added.hostAddress}:${added.hostPort} leads to port ${sshPort} of ${vm} from now on; to undo that: qrun net forward ${network} ${added.hostPort} --remove`,
  );
  return { address: added.hostAddress, port: added.hostPort, by: `a new forward of the network ${network}` };
}

/** The managed networks that it is on, in the order of its NICs. */
function networksOf({ vm, record }: RunningVm, where: Where): GuestNetwork[] {
  const { places } = where;
  const order = record.nics.map(({ id }) => id);
  return listUpNetworkNames(places)
    .flatMap((name): { readonly place: number; readonly network: GuestNetwork }[] => {
      const files = networkFiles(places, name);
      const member = listMembers(files).find((one) => one.vm === vm);
      const up = member === undefined ? undefined : readNetworkRecord(files);
      if (member === undefined || up === undefined) return [];
      const nic = record.nics.find(({ id }) => id === member.nic);
      const known = [
        ...readNicOnNetwork({ ...member, network: name }, where).ips,
        ...(nic === undefined ? [] : metAt(nic, where)),
      ];
      return [{ place: order.indexOf(member.nic), network: guestNetwork(member, up, known) }];
    })
    .toSorted((left, right) => left.place - right.place)
    .map(({ network }) => network);
}

/** @param known where it is by what DHCP and the kernel say: it need not have taken the address that is kept for it */
function guestNetwork({ vm, ip }: Member, { plan, forwards }: NetworkRecord, known: readonly string[]): GuestNetwork {
  const address = ip !== undefined && known.includes(ip) ? ip : (known[0] ?? ip);
  return {
    name: plan.network,
    forwards: forwards.filter(({ guest, guestAddress }) => guest === vm || (ip !== undefined && guestAddress === ip)),
    ...(address !== undefined && { address }),
    // one of the user's own is behind its gateway; the host has an address on those of root's
    reachable: plan.scope === 'system' && plan.gateway !== undefined,
    // a gateway of vde takes them only when it starts
    takesForwards: plan.transport === 'hub' && ip !== undefined,
  };
}

function noWayIn({ vm, record }: RunningVm, [network]: readonly GuestNetwork[]): QrunError {
  const takes = record.nics.find(({ kind }) => kind === 'user' || kind === 'passt');
  const nic =
    takes === undefined ? 'a NIC { kind: user, forwards: ["auto:22"] }' : `forwards: ["auto:22"] to ${takes.id}`;
  const hint =
    takes === undefined && network !== undefined
      ? `qrun net edit ${network.name}, and add forwards: ["auto:${vm}:22"]; it counts from the network's next start`
      : `qrun edit ${vm}, and add ${nic}; it counts from the next start`;
  return new QrunError('missing-feature', `there is no way into ${vm}: no port of the host leads to its port 22`, {
    hint,
  });
}

/** ssh would follow a link, and wait for a FIFO. */
function refuseNoFile(file: string): void {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return;
  throw new QrunError('unsafe-state', `${file} is no regular file`, { hint: `rm ${shellWord(file)}` });
}

function forgetKeys(name: string, context: Where): void {
  const { knownHosts } = vmFiles(context.places, requireKnown(context, name));
  for (const file of [knownHosts, `${knownHosts}.old`]) rmSync(file, { force: true });
}

interface FailedSsh {
  readonly vm: RunningVm;
  readonly way: WayIn;
  /** Seconds until ssh failed: a guest that was slow then is slow now. */
  readonly tookS: number;
}

/** ssh has said what it found, in its own words; how to mend it here is ours to say. Only if the guest really has other keys now. */
async function tellChangedKey({ vm, way, tookS }: FailedSsh, { system, warn }: SshContext): Promise<void> {
  const known = knownKeysOf(readTail(vm.files.knownHosts, 65_536));
  if (known.length === 0 || system.which('ssh-keyscan') === undefined) return;
  const timeoutS = Math.min(5 + Math.ceil(4 * tookS), longestScanS);
  const { stdout } = await system.run('ssh-keyscan', scanArgs(way, known, timeoutS), { timeoutMs: timeoutS * 2000 });
  if (!isChangedKey(known, knownKeysOf(stdout))) return;
  warn(
    `the host key of ${vm.vm} is not the one of before; if its guest was installed anew: qrun ssh ${vm.vm} --forget-key`,
  );
}
