/**
 * What one QEMU binary can do, as data. `qemu/probe` asks the binary, `plan/` and `qemu/argv/` only read this.
 */
export interface QemuVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

export interface QemuCapabilities {
  readonly v: 1;
  /** The binary that is started (as named), and what it is behind links. */
  readonly file: string;
  readonly realFile: string;
  readonly version: QemuVersion;
  /** Such as `Debian 1:7.2+dfsg-7+deb12u18`; may be empty. */
  readonly package: string;
  /** Types of back end that are built in, from `-netdev help`. */
  readonly netdevTypes: readonly string[];
  /** Members of each type, from query-qmp-schema. */
  readonly netdevMembers: Readonly<Record<string, readonly string[]>>;
  /** Option groups of query-command-line-options, such as `sandbox`, `run-with`. */
  readonly options: readonly string[];
  /** Members of those groups that matter: `run-with` → [`user`, …]. */
  readonly optionMembers: Readonly<Record<string, readonly string[]>>;
  /** Device types that can be network cards or disks, from qom-list-types; empty if unknown. */
  readonly devices: readonly string[];
  /** Machine types with their aliases. */
  readonly machines: readonly string[];
  readonly accelerators: readonly string[];
  /** The bridge helper's path that is compiled in. */
  readonly bridgeHelper?: string;
}

export function versionAtLeast(version: QemuVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}

export function renderVersion({ major, minor, micro }: QemuVersion): string {
  return `${major}.${minor}.${micro}`;
}
