/** What the command line of QEMU is built from. Everything is decided before: here it is only told. */
import type { Mac } from '../../names.ts';
import type { AnyNicPlan } from '../../nic/nic-kind.ts';
import type { DiskFormat, Nic, Profile } from '../../profile/profile.ts';
import type { QemuCapabilities } from '../capabilities.ts';

export interface ArgvImage {
  /** Absolute. */
  readonly file: string;
  readonly format: DiskFormat;
}

/** A disk as it is attached; its place in the list is its number. */
export interface ArgvDisk extends ArgvImage {
  readonly readOnly: boolean;
  /** What it is an overlay of, nearest first. Empty or missing: the image may have no backing file, whatever its header says. */
  readonly backing?: readonly ArgvImage[];
}

export interface ArgvNic {
  readonly nic: Nic;
  readonly plan: AnyNicPlan;
  readonly mac: Mac;
  /** 0 to 14; the PCI address follows from it, and the guest's interface name from that. */
  readonly slot: number;
}

export interface ArgvInput {
  readonly profile: Profile;
  readonly capabilities: QemuCapabilities;
  readonly accel: 'kvm' | 'tcg';
  readonly disks: readonly ArgvDisk[];
  /** Present for `firmware: uefi`; `vars` is the VM's own copy. */
  readonly uefi?: { readonly code: string; readonly vars: string };
  readonly nics: readonly ArgvNic[];
  readonly sockets: { readonly qmp: string; readonly console: string; readonly vnc?: string };
  readonly display: Profile['display'];
  /** The profile's `args`, then those of the command line; checked by args-clash. */
  readonly extraArgs: readonly string[];
}
