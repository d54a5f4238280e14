/** Which accelerator a run gets: KVM when this user can really use it, else TCG, and that is said. */
import { QrunError } from '../errors.ts';
import type { HostFacts, RunAs } from '../host/facts.ts';
import type { Profile } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';

export interface AccelChoice {
  readonly accel: 'kvm' | 'tcg';
  readonly notes: readonly string[];
}

/** @throws QrunError `missing-feature` or `permission` for `accel: kvm` that cannot be had: it never falls back */
export function planAccel(profile: Profile, facts: Pick<HostFacts, 'kvm' | 'user' | 'runAs'>): AccelChoice {
  const { kvm } = facts;
  if (profile.accel === 'tcg') return { accel: 'tcg', notes: [] };
  const fault = faultOfKvm(facts);
  if (profile.accel === 'kvm') {
    if (fault !== undefined) throw fault;
    const broken =
      kvm.verdict === 'broken' ? ['KVM failed its smoke test on this host (qrun doctor): the guest may hang'] : [];
    return { accel: 'kvm', notes: broken };
  }
  if (fault !== undefined)
    return {
      accel: 'tcg',
      notes: [`without KVM (${fault.message}): the guest is emulated (TCG), which is slow and is no security boundary`],
    };
  if (kvm.verdict === 'broken') {
    return {
      accel: 'tcg',
      notes: [
        'KVM failed its smoke test on this host (qrun doctor): the guest is emulated (TCG), which is slow and is no security boundary',
      ],
    };
  }
  return { accel: 'kvm', notes: [] };
}

function faultOfKvm({ kvm, user, runAs }: Pick<HostFacts, 'kvm' | 'user' | 'runAs'>): QrunError | undefined {
  if (!kvm.present) {
    return new QrunError('missing-feature', 'there is no /dev/kvm', {
      hint: 'switch on virtualization in the firmware, or: sudo modprobe kvm_intel || sudo modprobe kvm_amd; or say accel: tcg',
    });
  }
  if (kvm.openable) return undefined;
  return new QrunError('permission', `${runAs?.name ?? user.name} may not open /dev/kvm`, {
    hint: `${mendOfKvm({ user, runAs, kvm })}   # ${runAs === undefined && kvm.groupless !== true ? 'and log in again; ' : ''}or: accel: tcg`,
  });
}

/** Root's QEMU is somebody else's; as nobody it is in no group at all, whatever /etc/group says. */
export function mendOfKvm({
  user,
  runAs,
  kvm: { groupless },
}: {
  readonly user: { readonly name: string };
  readonly runAs: RunAs | undefined;
  readonly kvm: Pick<HostFacts['kvm'], 'groupless'>;
}): string {
  if (groupless === true) return 'sudo chmod a+rw /dev/kvm';
  if (runAs === undefined) return `sudo usermod -aG kvm ${shellWord(user.name)}`;
  if (runAs.name === 'nobody') return 'sudo qrun setup && sudo usermod -aG kvm qrun';
  return `sudo usermod -aG kvm ${shellWord(runAs.name)}`;
}
