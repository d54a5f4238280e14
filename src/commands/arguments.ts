/** The arguments that each handler gets. `list.ts` describes how they are given, and the compiler holds the two together. */

export interface RunArguments {
  readonly profiles: readonly string[];
  readonly detach: boolean;
  readonly name?: string;
  readonly ephemeral: boolean;
  /** What stands after `--`. */
  readonly qemuArgs: readonly string[];
}
export interface ShowArguments {
  readonly profile: string;
  readonly shell: boolean;
  readonly name?: string;
  readonly ephemeral: boolean;
  readonly qemuArgs: readonly string[];
}
export interface VmArguments {
  readonly vm: string;
}
export interface VmsArguments {
  readonly vms: readonly string[];
}
export interface StopArguments extends VmsArguments {
  /** Seconds; undefined: what the profile says. */
  readonly timeout?: number;
}
export interface LabArguments {
  /** Labs and VMs, by name or path. */
  readonly targets: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}
export interface WaitArguments extends VmArguments {
  /** `end`, `port:22`, `text:REGEX` */
  readonly for: string;
  /** Seconds; undefined: for ever. */
  readonly timeout?: number;
}
export interface LogsArguments extends VmArguments {
  readonly follow: boolean;
  /** Only what came over the serial console. */
  readonly console: boolean;
  /** Only what QEMU itself said. */
  readonly qemu: boolean;
  /** The run before the last. */
  readonly previous: boolean;
  /** Only so many lines from the end. */
  readonly lines?: number;
}
export interface MonitorArguments extends VmArguments {
  /** Words of one command; none: an interactive monitor. */
  readonly command: readonly string[];
}
export interface SshArguments extends VmArguments {
  readonly command: readonly string[];
  readonly user?: string;
  readonly forgetKey: boolean;
  /** What stands after `--`: for ssh itself. */
  readonly own: readonly string[];
}
export interface GcArguments {
  readonly vm?: string;
  readonly dryRun: boolean;
}
export interface DoctorArguments {
  readonly profile?: string;
}
export interface SetupArguments {
  readonly bridge?: string;
  readonly uplink?: string;
  readonly hostAccess?: string;
  /** With its length: 10.0.5.1/24 */
  readonly address?: string;
  readonly group?: string;
  readonly dryRun: boolean;
  readonly undo: boolean;
  readonly yes: boolean;
}
export interface NewArguments {
  readonly name: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly disk?: string;
  readonly size?: string;
  readonly cdrom?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly nic: readonly string[];
  readonly force: boolean;
}
export interface EditArguments {
  readonly profile: string;
  readonly force: boolean;
}
export interface RmArguments extends VmsArguments {
  readonly disks: boolean;
}
export interface AutostartArguments {
  readonly profile: string;
  readonly off: boolean;
}
export interface AliasArguments {
  /** Undefined: what `$SHELL` says. */
  readonly shell?: string;
}
export interface CompletionArguments {
  readonly shell: string;
}
/** Of commands that qrun calls itself: the words as they came. */
export interface RawArguments {
  readonly words: readonly string[];
}
export type NoArguments = Readonly<Record<never, never>>;
