/**
 * The schemas of all kinds, by name. Adding a kind is adding a file and a line here. They are built when they are asked for: a profile needs
 * one or two of them.
 */
import type * as z from 'zod/mini';
import type { FieldContext } from '../../profile/fields.ts';
import type { Nic, NicKindName } from '../../profile/profile.ts';
import { bridgeRule, bridgeSchema } from './bridge.ts';
import { commonRule, type NicRule } from './common.ts';
import { dgramRule, dgramSchema } from './dgram.ts';
import { hostdevRule, hostdevSchema } from './hostdev.ts';
import { l2tpv3Rule, l2tpv3Schema } from './l2tpv3.ts';
import { macvtapRule, macvtapSchema } from './macvtap.ts';
import { mcastSchema } from './mcast.ts';
import { networkSchema } from './network.ts';
import { passtSchema } from './passt.ts';
import { streamRule, streamSchema } from './stream.ts';
import { tapRule, tapSchema } from './tap.ts';
import { userRule, userSchema } from './user.ts';
import { vdeSchema } from './vde.ts';

/** A NIC before its place in the list gave it an id. */
export type UnnamedNic<N extends Nic = Nic> = N extends Nic ? Omit<N, 'id'> & { readonly id?: string } : never;

interface NicSchema<N extends Nic> {
  readonly schema: (context: FieldContext) => z.ZodMiniType<UnnamedNic<N>>;
  readonly rules: readonly NicRule[];
  /** What stands after the colon in the short form `mcast:230.0.0.1:12345`; undefined: nothing may. */
  readonly main?: string;
  /** False: there is no short form. */
  readonly short: boolean;
}

export const nicSchemas: { readonly [K in NicKindName]: NicSchema<Extract<Nic, { kind: K }>> } = {
  user: { schema: userSchema, rules: [commonRule, userRule], short: true },
  passt: { schema: passtSchema, rules: [commonRule], short: true },
  mcast: { schema: mcastSchema, rules: [commonRule], short: true, main: 'group' },
  stream: { schema: streamSchema, rules: [commonRule, streamRule], short: false },
  dgram: { schema: dgramSchema, rules: [commonRule, dgramRule], short: false },
  l2tpv3: { schema: l2tpv3Schema, rules: [commonRule, l2tpv3Rule], short: false },
  vde: { schema: vdeSchema, rules: [commonRule], short: true, main: 'socket' },
  bridge: { schema: bridgeSchema, rules: [commonRule, bridgeRule], short: true, main: 'bridge' },
  tap: { schema: tapSchema, rules: [commonRule, tapRule], short: true, main: 'device' },
  macvtap: { schema: macvtapSchema, rules: [commonRule, macvtapRule], short: true, main: 'parent' },
  hostdev: { schema: hostdevSchema, rules: [commonRule, hostdevRule], short: false },
  network: { schema: networkSchema, rules: [commonRule], short: true, main: 'network' },
};

export const nicKindNames = Object.keys(nicSchemas) as NicKindName[];

export function isNicKind(word: unknown): word is NicKindName {
  return typeof word === 'string' && Object.hasOwn(nicSchemas, word);
}

/** For editors. */
export const shortFormPattern = '^(user|passt|(mcast|vde|bridge|tap|macvtap|network):.+)$';
