/** Who may take a port of a network of root's, and what helps whoever may not. */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { userNameOf } from '../host/accounts.ts';
import type { HostNetwork } from '../network/host-network.ts';
import type { Network } from '../network/network.ts';
import { forRootAlone } from '../network/pools/hostdev.ts';
import type { System } from '../system/system.ts';

/** Why this user may take no port of it. */
export function faultOfMember(
  { name, user, group, definition }: HostNetwork,
  { uid, gid }: Pick<System, 'uid' | 'gid'>,
): QrunError | undefined {
  if (user === uid) return undefined;
  if (group !== undefined && [gid, ...(process.getgroups?.() ?? [])].includes(group)) return undefined;
  const me = userNameOf(uid);
  if (definition.forward === 'hostdev') return forRootAlone(definition);
  if (definition.ports === undefined) {
    return new QrunError('permission', `network ${name} has no ports for ordinary users`, {
      hint: anewWith(definition, { keys: `ports: 4 and owner: ${me ?? uid}`, options: `-n 4 --owner ${me ?? uid}` }),
    });
  }
  return new QrunError('permission', `network ${name}: its ports are for ${takersOf({ group, definition })}`, {
    hint:
      definition.group === undefined
        ? anewWith(definition, { keys: `owner: ${me ?? uid}`, options: `--owner ${me ?? uid}` })
        : `sudo usermod -aG ${definition.group} ${me ?? uid}   # and log in again`,
  });
}

/** What is written of ports counts when the network comes up. One that was made on the spot has no definition to be edited. */
function anewWith({ name, file }: Network, say: { readonly keys: string; readonly options: string }): string {
  const down = `sudo qrun net down ${name}`;
  if (path.basename(path.dirname(file)) === name) return `${down}; and as it was made, with ${say.options}`;
  return `${say.keys} in ${file}: sudo qrun net edit ${name}; ${down}; sudo qrun net up ${name}`;
}

/** In words. */
export const takersOf = ({
  group,
  definition,
}: {
  readonly group?: number | undefined;
  readonly definition: Pick<HostNetwork['definition'], 'owner' | 'group'>;
}): string => definition.owner ?? `the group ${definition.group ?? group ?? ''}`;
