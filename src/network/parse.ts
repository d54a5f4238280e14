/**
 * The text of a definition → a `Network`, or all of its faults at once. Loads the YAML and schema libraries: import it lazily.
 */
import path from 'node:path';
import type * as z from 'zod/mini';
import { parseDefinition, type LineOf, type Reading, type WrittenMap } from '../profile/definition.ts';
import type { FieldContext } from '../profile/fields.ts';
import { faultsOfIssues, type Elsewhere } from '../profile/issues.ts';
import type { PathFault } from '../profile/yaml-document.ts';
import { bridgedFaults } from './bridged/faults.ts';
import { guestFaults } from './bridged/guest-faults.ts';
import { isBridged } from './bridged/mode.ts';
import { isolatedFaults, isolatedOptionFaults } from './bridged/isolated-faults.ts';
import { ruleFaults } from './bridged/rule-faults.ts';
import { joinedVdeFaults, vdeFaults } from './bridged/vde.ts';
import { networkFaults } from './consistency.ts';
import { defaultLeaseS } from './dhcp-schema.ts';
import type { Dhcp, ForwardMode, Network, NetworkName } from './network.ts';
import { networkSchema } from './schema.ts';
import { isUserMode, keyOfRoot, scopeOf, transportOf, type ScopeInput } from './scope.ts';
import { joinedFaults } from './joined/faults.ts';
import { portAddressFaults } from './bridged/port-addresses.ts';
import { poolFaults } from './pools/faults.ts';
import { isPool } from './pools/mode.ts';
import { transportKindOf } from './transport/registry.ts';
import { withFullNames } from './user-vm.ts';

export interface ParseNetworkOptions {
  /** Absolute; what the relative paths of the definition are relative to. */
  readonly file: string;
  readonly name: NetworkName;
  /** What `~/` stands for in paths. */
  readonly home?: string;
  /** Whose network it is: what `scope: auto` means depends on it. Default: an ordinary user. */
  readonly uid?: number;
}

const ordinaryUid = 1000;

/** @throws QrunError `invalid-network` with all faults of the text */
export function parseNetwork(text: string, options: ParseNetworkOptions): Network {
  return parseDefinition(text, {
    file: options.file,
    what: 'network',
    code: 'invalid-network',
    read: (written, lineOf) => readNetwork(written, lineOf, options),
  });
}

/** Keys of inner maps that are looked for at the top. */
const elsewhere: Elsewhere = {
  keys: ['ranges', 'lease', 'maxLease', 'options', 'hosts', 'tftp', 'server'],
  of: 'DHCP (below "dhcp")',
};

function readNetwork(written: WrittenMap, lineOf: LineOf, options: ParseNetworkOptions): Reading<Network> {
  const context: FieldContext = {
    directory: path.dirname(options.file),
    ...(options.home !== undefined && { home: options.home }),
  };
  const parsed = schemaOf(context).safeParse(written, { jitless: true });
  const faults = [
    ...(parsed.success ? [] : faultsOfIssues(parsed.error.issues, written, { elsewhere })),
    ...networkFaults({ written, name: options.name, lineOf }),
    ...carrierFaults(written, lineOf, options),
  ];
  if (!parsed.success) return { faults };
  const value = networkOf(parsed.data, options);
  const ofHost = faults.length === 0 && scopeOf(value, options.uid ?? ordinaryUid) === 'system';
  return { value, faults: ofHost ? portAddressFaults(value) : faults };
}

/** To build it takes longer than to use it, and those of one directory have the same. */
function schemaOf(context: FieldContext): ReturnType<typeof networkSchema> {
  const key = `${context.directory}\0${context.home ?? ''}`;
  const known = schemas.get(key) ?? networkSchema(context);
  schemas.set(key, known);
  return known;
}

const schemas = new Map<string, ReturnType<typeof networkSchema>>();

const wordOf = <T extends string>(value: unknown, fallback: T): T =>
  typeof value === 'string' ? (value as T) : fallback;

/** What the scope and the transport cannot honour. Words that are none are faults of their own, and nothing here knows them. */
function carrierFaults(
  written: WrittenMap,
  lineOf: LineOf,
  { name, file, uid = ordinaryUid }: ParseNetworkOptions,
): PathFault[] {
  const forward = wordOf<ForwardMode>(written['forward'], 'nat');
  const input: ScopeInput = {
    forward,
    scope: wordOf<ScopeInput['scope']>(written['scope'], 'auto'),
    ...(typeof written['transport'] === 'string' && { transport: written['transport'] as 'hub' }),
    ...{ ports: written['ports'], owner: written['owner'], group: written['group'], file },
  };
  const scope = scopeOf(input, uid);
  if (scope === 'user' && !isUserMode(forward)) {
    return [
      {
        path: ['forward'],
        at: 'value',
        message: `${forward} takes the host's own network, which root makes: a network of scope user is nat or isolated`,
      },
    ];
  }
  const transport = transportOf(input, uid);
  if (scope === 'system' && (transport === 'hub' || (transport === 'vde' && isPool(forward))))
    return [misplaced(transport, input, uid)];
  if (scope === 'system')
    return isBridged(forward)
      ? [
          ...bridgedFaults(written),
          ...guestFaults(written, lineOf),
          ...ruleFaults(written, name),
          ...isolatedFaults(written, name),
          ...(transport === 'vde' ? vdeFaults(written) : []),
        ]
      : isPool(forward)
        ? poolFaults(written, forward)
        : forward === 'bridge'
          ? [...joinedFaults(written), ...(transport === 'vde' ? joinedVdeFaults(written) : [])]
          : [];
  return [
    ...(transportKindOf(transport)?.validate({ written, forward }) ?? []),
    ...(transport === 'hub' ? isolatedOptionFaults(written, name) : []),
  ];
}

function misplaced(transport: string, input: ScopeInput, uid: number): PathFault {
  const { scope, forward } = input;
  const key = keyOfRoot(input);
  if (transport === 'vde') {
    const message = `transport vde carries networks with a bridge, and this is ${forward}`;
    return { path: ['transport'], at: 'value', message };
  }
  const why =
    scope === 'system'
      ? 'and this one is of scope system'
      : isUserMode(forward)
        ? `and "scope: auto" is system ${uid === 0 ? 'for root' : key === undefined ? `in ${path.dirname(input.file ?? '')}` : `with "${key}"`}`
        : `and forward: ${forward} makes this one a network of the host's`;
  return { path: ['transport'], at: 'value', message: `transport ${transport} carries networks of scope user, ${why}` };
}

type CheckedNetwork = z.output<ReturnType<typeof networkSchema>>;

function networkOf({ dhcp, ...rest }: CheckedNetwork, options: ParseNetworkOptions): Network {
  const leased = dhcpOf(dhcp, rest.forward);
  const network = { ...rest, name: options.name, file: options.file, ...(leased !== undefined && { dhcp: leased }) };
  const isOfHost = scopeOf(network, options.uid ?? ordinaryUid) === 'system' && isBridged(rest.forward);
  return isOfHost ? withFullNames(network) : network;
}

function dhcpOf(dhcp: CheckedNetwork['dhcp'], forward: ForwardMode): Dhcp | undefined {
  if (dhcp === false || (dhcp === undefined && !isUserMode(forward))) return undefined;
  if (dhcp === undefined || dhcp === true) {
    return { server: 'auto', ranges: [], leaseS: defaultLeaseS, options: [], hosts: [] };
  }
  const { lease, maxLease, ...rest } = dhcp;
  return { ...rest, leaseS: lease, ...(maxLease !== undefined && { maxLeaseS: maxLease }) };
}
