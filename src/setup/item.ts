/**
 * What `qrun setup` consists of: items, each one thing of the host that is made once and stays. JSON-safe, for the record outlives the boot, and with
 * every name that taking it back needs.
 */

interface ItemCommon {
  /** What it is, for people: `bridge br0`. */
  readonly what: string;
}

/** A file of qrun's alone. */
export interface FileItem extends ItemCommon {
  readonly kind: 'file';
  readonly path: string;
  readonly content: string;
  readonly mode: number;
  /** Who may read it besides root; the name of a group. */
  readonly group?: string;
  /** What makes its reader look again, when it was written and when it was removed. Where such a program fails, that is no failure of ours. */
  readonly reload: readonly (readonly string[])[];
}

/** One line in a file of somebody else's, or several together; all else in it is kept. */
export interface LineItem extends ItemCommon {
  readonly kind: 'line';
  readonly path: string;
  readonly line: string;
  /** What makes its reader look again. Where such a program fails, that is no failure of ours. */
  readonly reload?: {
    readonly made?: readonly (readonly string[])[];
    readonly undone?: readonly (readonly string[])[];
  };
  /** First words of lines that begin a part of its own, to the end of the file or the next: it must stand above them. */
  readonly above?: readonly string[];
  /** Of the file, where there is none yet. */
  readonly mode: number;
  readonly group?: string;
}

export interface DirectoryItem extends ItemCommon {
  readonly kind: 'directory';
  readonly path: string;
  readonly mode: number;
}

export interface BridgeItem extends ItemCommon {
  readonly kind: 'bridge';
  readonly name: string;
  readonly mac: string;
  /** Whether the host may take its IPv6 from who announces it there: with an uplink, and never from guests alone. */
  readonly acceptRa: boolean;
  /** A network manager makes it at the next start of the host, without an alias. */
  readonly managed?: true;
}

/** A bridge of somebody else's that is down. */
export interface UpItem extends ItemCommon {
  readonly kind: 'up';
  readonly link: string;
}

export interface AddressItem extends ItemCommon {
  readonly kind: 'address';
  readonly link: string;
  readonly cidr: string;
}

/** A network card of the host's becomes a port of the bridge; its addresses and routes become the bridge's. */
export interface UplinkItem extends ItemCommon {
  readonly kind: 'uplink';
  readonly link: string;
  readonly bridge: string;
  /** What lets a running DHCP client know: it would give the card its address again. Where that fails, it does not run. */
  readonly reload?: readonly (readonly string[])[];
}

/** The host's way to the macvtaps of a card. */
export interface WayItem extends ItemCommon {
  readonly kind: 'way';
  readonly name: string;
  readonly parent: string;
  readonly mac: string;
  /** Without their lengths. */
  readonly addresses: readonly string[];
  readonly routes: readonly { readonly to: string; readonly src: string }[];
  /** The address that it was asked for with. */
  readonly own?: string;
  /** A network manager of the host's makes it. */
  readonly managed: boolean;
}

export interface CapabilityItem extends ItemCommon {
  readonly kind: 'capability';
  readonly file: string;
}

export interface GroupItem extends ItemCommon {
  readonly kind: 'group';
  readonly name: string;
}

export interface AccountItem extends ItemCommon {
  readonly kind: 'account';
  readonly name: string;
}

export interface MemberItem extends ItemCommon {
  readonly kind: 'member';
  readonly user: string;
  readonly group: string;
}

export interface SysctlItem extends ItemCommon {
  readonly kind: 'sysctl';
  readonly key: string;
  readonly value: string;
}

export interface ModuleItem extends ItemCommon {
  readonly kind: 'module';
  readonly name: string;
}

/** A unit of systemd's that starts with the host. */
export interface UnitItem extends ItemCommon {
  readonly kind: 'unit';
  readonly name: string;
}

export type SetupItem =
  | FileItem
  | LineItem
  | DirectoryItem
  | BridgeItem
  | UpItem
  | AddressItem
  | UplinkItem
  | WayItem
  | CapabilityItem
  | GroupItem
  | AccountItem
  | MemberItem
  | SysctlItem
  | ModuleItem
  | UnitItem;

export type SetupKindName = SetupItem['kind'];

/** The same for the same thing of the host, whatever is to become of it: a later setup finds by it what an earlier one recorded. */
export function idOf(item: SetupItem): string {
  switch (item.kind) {
    case 'file':
    case 'directory':
      return `${item.kind}:${item.path}`;
    case 'line':
      return `line:${item.path}:${item.line}`;
    case 'up':
    case 'uplink':
      return `${item.kind}:${item.link}`;
    case 'address':
      return `address:${item.link}:${item.cidr}`;
    case 'capability':
      return `capability:${item.file}`;
    case 'member':
      return `member:${item.group}:${item.user}`;
    case 'sysctl':
      return `sysctl:${item.key}`;
    case 'bridge':
    case 'way':
    case 'group':
    case 'account':
    case 'module':
    case 'unit':
      return `${item.kind}:${item.name}`;
  }
}

/** One thing that is done to the host: for the dry run, for the doing and for the way back alike. */
export type SetupAction =
  | {
      readonly do: 'run';
      readonly argv: readonly string[];
      /** Its failure is none of ours, and so is its absence. */
      readonly mayFail?: true;
      /** What it makes may be there already. */
      readonly mayExist?: true;
    }
  | {
      readonly do: 'write';
      readonly path: string;
      readonly content: string;
      readonly mode: number;
      readonly group?: string;
    }
  | { readonly do: 'remove'; readonly path: string }
  | {
      readonly do: 'add-line';
      readonly path: string;
      readonly line: string;
      readonly above?: readonly string[];
      /** Of the file, where there is none yet. */
      readonly mode: number;
      readonly group?: string;
    }
  | {
      readonly do: 'remove-line';
      readonly path: string;
      readonly line: string;
      readonly above?: readonly string[];
      /** The file did not end with a line end, or was not there. */
      readonly before: 'whole' | 'open-end' | 'absent';
    }
  | { readonly do: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly do: 'rmdir'; readonly path: string };

/** What was there before, as JSON. */
export type Before = Readonly<Record<string, unknown>>;
