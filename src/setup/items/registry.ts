/** Every kind of item by its name. */
import type { SetupItem, SetupKindName } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { account } from './account.ts';
import { address } from './address.ts';
import { bridge } from './bridge.ts';
import { capability } from './capability.ts';
import { directory } from './directory.ts';
import { file } from './file.ts';
import { group } from './group.ts';
import { line } from './line.ts';
import { membership } from './membership.ts';
import { module } from './module.ts';
import { sysctl } from './sysctl.ts';
import { unit } from './unit.ts';
import { up } from './up.ts';
import { uplink } from './uplink.ts';
import { way } from './way.ts';

const kinds: { readonly [K in SetupKindName]: SetupKind<Extract<SetupItem, { kind: K }>> } = {
  account,
  address,
  bridge,
  capability,
  directory,
  file,
  group,
  line,
  member: membership,
  module,
  sysctl,
  unit,
  up,
  uplink,
  way,
};

/** @throws TypeError never for an item of the union; a record is checked before */
export const kindOf = (item: SetupItem): SetupKind<SetupItem> => kinds[item.kind] as unknown as SetupKind<SetupItem>;
export const isKind = (name: unknown): name is SetupKindName => typeof name === 'string' && Object.hasOwn(kinds, name);
