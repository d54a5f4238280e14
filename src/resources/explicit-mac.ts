/** An address that the profile names: nobody allocates it, but it is checked that nobody else has it, and claimed so that nobody else gets it. */
import { QrunError } from '../errors.ts';
import type { ListedProfile } from '../host/profile-files.ts';
import type { Mac } from '../names.ts';
import type { Nic } from '../profile/profile.ts';
import type { RunningQemu } from '../system/qemus.ts';
import type { Claim } from './mac-claim.ts';

export interface ExplicitNic {
  readonly id: string;
  readonly mac: Mac;
  /** For messages: `/home/alice/web1.yaml: nics[1].mac`. */
  readonly at: string;
}

export function explicitNicsOf(nics: readonly Nic[], profileFile: string): ExplicitNic[] {
  return nics.flatMap(({ id, mac }, index) =>
    mac === undefined ? [] : [{ id, mac, at: `${profileFile}: nics[${index}].mac` }],
  );
}

/** @throws QrunError `invalid-profile` for one address on two NICs */
export function refuseTwice(nics: readonly ExplicitNic[]): void {
  const seen = new Map<Mac, ExplicitNic>();
  for (const nic of nics) {
    const other = seen.get(nic.mac);
    if (other !== undefined) {
      throw new QrunError('invalid-profile', `${nic.at}: ${nic.mac} is the address of NIC ${other.id} as well`, {
        hint: 'leave mac out, and the NIC gets one of its own',
      });
    }
    seen.set(nic.mac, nic);
  }
}

/** @throws QrunError `in-use` that names the other profile */
export function refuseOtherProfile(nic: ExplicitNic, profiles: ReadonlyMap<string, ListedProfile>): void {
  const other = profiles.get(nic.mac);
  if (other === undefined) return;
  throw taken(
    nic,
    `named by the profile ${other.name} as well (${other.file})`,
    `leave mac out, or: qrun edit ${other.name}`,
  );
}

/** `isOwn` tells this VM's own QEMU from others. @throws QrunError `in-use` that names the other VM */
export function refuseRunning(
  nic: ExplicitNic,
  running: readonly RunningQemu[],
  isOwn: (qemu: RunningQemu) => boolean,
): void {
  const other = running.find((qemu) => qemu.macs.includes(nic.mac) && !isOwn(qemu));
  if (other === undefined) return;
  const who =
    other.name === undefined ? `a running QEMU, pid ${other.pid}` : `the running VM ${other.name}, pid ${other.pid}`;
  throw taken(nic, `the address of ${who}`, 'leave mac out, or stop that VM');
}

/** The error for an address that is claimed by another VM: given to it, or named by its profile. */
export function claimedBy(nic: ExplicitNic, { vm, nic: id, explicit }: Omit<Claim, 'slot'>): QrunError {
  const other =
    explicit === undefined ? `if ${vm} is not wanted any more: qrun rm ${vm}` : `take it out of ${explicit.profile}`;
  return taken(nic, `the address of VM ${vm}, NIC ${id}`, `leave mac out, or ${other}`);
}

export function claimedOnHost(nic: ExplicitNic, who: string): QrunError {
  return taken(nic, `claimed on this host by ${who}`, 'leave mac out');
}

function taken({ at, mac }: ExplicitNic, how: string, hint: string): QrunError {
  return new QrunError('in-use', `${at}: ${mac} is ${how}`, { hint });
}
