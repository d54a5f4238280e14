/** Which file plans which kind of NIC. */
import type { Nic, NicKindName } from '../profile/profile.ts';
import { bridgeNic } from './bridge.ts';
import { dgramNic } from './dgram.ts';
import { hostdevNic } from './hostdev.ts';
import { l2tpv3Nic } from './l2tpv3.ts';
import { macvtapNic } from './macvtap.ts';
import { mcastNic } from './mcast.ts';
import type { AnyNicPlan, NicContext, NicKind } from './nic-kind.ts';
import { networkNic } from './network.ts';
import { passtNic } from './passt.ts';
import { streamNic } from './stream.ts';
import { tapNic } from './tap.ts';
import { userNic } from './user.ts';
import { vdeNic } from './vde.ts';

/** A kind whatever its own keys are: `plan` gets NICs of that kind alone. */
export interface AnyNicKind {
  readonly kind: NicKindName;
  /** @throws QrunError `missing-feature`, `invalid-profile`, `host-failed` */
  readonly plan: (nic: Nic, context: NicContext) => AnyNicPlan;
}

const kinds: { readonly [K in NicKindName]: NicKind<Extract<Nic, { kind: K }>, AnyNicPlan> } = {
  user: userNic,
  passt: passtNic,
  mcast: mcastNic,
  stream: streamNic,
  dgram: dgramNic,
  l2tpv3: l2tpv3Nic,
  vde: vdeNic,
  bridge: bridgeNic,
  tap: tapNic,
  macvtap: macvtapNic,
  hostdev: hostdevNic,
  network: networkNic,
};

/** The table pairs each kind with its own NICs, which the type of a look-up by kind cannot say. */
export const nicKindOf = (kind: NicKindName): AnyNicKind => kinds[kind] as unknown as AnyNicKind;
