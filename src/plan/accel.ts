/** Which accelerator a run gets: KVM when this user can really use it, else TCG, and that is said. */
import { QrunError } from '../errors.ts';
import type { HostFacts } from '../host/facts.ts';
import type { Profile } from '../profile/profile.ts';

export interface AccelChoice {
  readonly accel: 'kvm' | 'tcg';
  readonly notes: readonly string[];
}

/** @throws QrunError `missing-feature` or `permission` for `accel: kvm` that cannot be had: it never falls back */
export function planAccel(profile: Profile, { kvm, user }: HostFacts): AccelChoice {
  if (profile.accel === 'tcg') return { accel: 'tcg', notes: [] };
  const fault = faultOfKvm(kvm, user.name);
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

function faultOfKvm(kvm: HostFacts['kvm'], userName: string): QrunError | undefined {
  if (!kvm.present) {
    return new QrunError('missing-feature', 'there is no /dev/kvm', {
      hint: 'switch on virtualization in the firmware, or: sudo modprobe kvm_intel || sudo modprobe kvm_amd; or say accel: tcg',
    });
  }
  if (kvm.openable) return undefined;
  return new QrunError('permission', `${userName} may not open /dev/kvm`, {
    hint: `sudo usermod -aG kvm ${userName} (and log in again), or say accel: tcg`,
  });
}
