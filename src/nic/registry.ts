/** Which file plans which kind of NIC. */
import { QrunError } from '../errors.ts';
import type { Nic, NicKindName } from '../profile/profile.ts';
import type { NicContext, NicPlan } from './nic-kind.ts';
import { userNic } from './user.ts';

/** A kind whatever its own keys are: `plan` gets NICs of that kind alone. */
export interface AnyNicKind {
  readonly kind: NicKindName;
  /** @throws QrunError `not-implemented`, `missing-feature`, `invalid-profile`, `host-failed` */
  readonly plan: (nic: Nic, context: NicContext) => NicPlan;
}

export function nicKindOf(kind: NicKindName): AnyNicKind {
  return {
    kind,
    plan: (nic, context) => {
      if (nic.kind === 'user') return userNic.plan(nic, context);
      const index = Math.max(0, context.profile.nics.indexOf(nic));
      throw new QrunError('not-implemented', `nics[${index}]: kind ${nic.kind} is not implemented yet`, {
        hint: 'kinds that work: user',
      });
    },
  };
}
