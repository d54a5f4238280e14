/** `qrun net autostart`: a network that is up when the host starts, by a unit of systemd's. */
import { QrunError } from '../errors.ts';
import { startsByItself, unitPlacesOf } from '../host/units.ts';
import { parseNetworkName } from '../names.ts';
import { isLoopback } from '../network/bridged/forward-rules.ts';
import type { Network, NetworkName, NetworkScope } from '../network/network.ts';
import { scopeOf } from '../network/scope.ts';
import type { NetworkContext } from './context.ts';
import { keepUnit, removeUnit, type KeptUnit } from './keep-unit.ts';
import { requireKnownNetwork } from './names.ts';
import { readDefinition } from './prepare-network.ts';

/** @throws QrunError `unknown-name`, `invalid-network`, `permission` for root's networks, and as `keepUnit` */
export async function autostartNetwork(argument: string, context: NetworkContext): Promise<KeptUnit> {
  // not by its path: a unit knows it by its name alone
  const definition = await readDefinition(parseNetworkName(argument), context);
  return await keepNetworkUnit(definition, context);
}

async function keepNetworkUnit(definition: Network, context: NetworkContext): Promise<KeptUnit> {
  const { name } = definition;
  const scope = scopeOf(definition, context.system.uid);
  if (scope === 'user' && context.system.uid === 0) {
    throw new QrunError('permission', `network ${name} is of scope user: its user starts it, and root does not`, {
      hint: `as an ordinary user: qrun net autostart ${name}`,
    });
  }
  if (scope === 'system' && context.system.uid !== 0) {
    throw new QrunError('permission', `network ${name} is of scope system: root starts it`, {
      hint: `sudo qrun net autostart ${name}`,
    });
  }
  return await keepUnit({ kind: 'net', name, needsHost: needsHost(definition), networks: [] }, context);
}

/** @returns undefined: it did not start by itself. @throws QrunError `unknown-name`, `in-use` for a unit of somebody else's */
export async function dropAutostartOf(argument: string, context: NetworkContext): Promise<KeptUnit | undefined> {
  const name = parseNetworkName(argument);
  const removed = await removeUnit({ kind: 'net', name }, context);
  if (removed === undefined) requireKnownNetwork(name, context.places);
  return removed;
}

export interface KeptDefinition {
  readonly name: NetworkName;
  /** What its key `autostart` said. */
  readonly before: boolean;
}

/**
 * After a definition was kept: what its key says is so. One that never said `true` changes nothing of what `net autostart` did.
 * @returns undefined: there was nothing to do
 */
export async function followKey(
  { name, before }: KeptDefinition,
  context: NetworkContext,
): Promise<{ readonly on: boolean; readonly unit: KeptUnit } | undefined> {
  const definition = await readDefinition(name, context);
  if (definition.autostart) return { on: true, unit: await keepNetworkUnit(definition, context) };
  const unit = before ? await removeUnit({ kind: 'net', name, leave: true }, context) : undefined;
  return unit === undefined ? undefined : { on: false, unit };
}

/** One of root's is started by root's systemd, whoever asks. */
export function startsWithHost(
  { name, scope }: { readonly name: string; readonly scope: NetworkScope | null },
  { system, places }: Pick<NetworkContext, 'system' | 'places'>,
): boolean {
  if (startsByItself({ kind: 'net', name, state: places.state }, unitPlacesOf(system))) return true;
  if (system.uid === 0 || scope !== 'system') return false;
  return startsByItself({ kind: 'net', name }, unitPlacesOf({ uid: 0, env: {} }));
}

/** It names a card of the host's, or an address that it must have. */
function needsHost({ forward, bridge, nat, route, links, forwards }: Network): boolean {
  return (
    ['bridge', 'macvtap', 'hostdev'].includes(forward) ||
    [bridge?.uplink, nat?.dev, route?.dev].some((device) => device !== undefined) ||
    links.length > 0 ||
    forwards.some(({ hostAddress }) => isOfCard(hostAddress))
  );
}

/** Neither of the loopback nor all of them. */
export const isOfCard = (hostAddress: string): boolean =>
  !isLoopback(hostAddress) && !['0.0.0.0', '::', '::1'].includes(hostAddress);
