/** Which forwards somebody means who wants them taken away. Pure. */
import { QrunError } from '../errors.ts';
import { parseGuestForward } from '../network/guest-forward.ts';
import type { NetworkForward } from '../network/network-plan.ts';
import { fullGuestName } from '../network/user-vm.ts';
import { canonicalAddress } from '../subnet.ts';

export interface ForwardSelector {
  readonly written: string;
  readonly matches: (forward: NetworkForward) => boolean;
}

/**
 * A whole rule, or its host side: what is not said may be anything.
 * @param owner of a network of root's: plain names are his VMs
 * @throws QrunError `usage`
 */
export function parseSelector(written: string, owner?: string): ForwardSelector {
  const side =
    /^(?:(?<address>[0-9]+(?:\.[0-9]+){3}|\[[0-9A-Fa-f:.]+\]):)?(?<port>[0-9]{1,5})(?:\/(?<protocol>tcp|udp))?$/.exec(
      written,
    )?.groups;
  if (side !== undefined) {
    const { address: typed, port, protocol } = side;
    const address = typed?.replace(/[[\]]/g, '');
    return {
      written,
      matches: (forward) =>
        forward.hostPort === Number(port) &&
        (address === undefined || isSame(forward.hostAddress, address)) &&
        (protocol === undefined || forward.protocol === protocol),
    };
  }
  const parsed = parseGuestForward(written);
  if ('fault' in parsed) throw new QrunError('usage', parsed.fault, { hint: 'qrun net forward --help' });
  const rule = parsed.value;
  const guest = fullGuestName(rule.guest, owner);
  return {
    written,
    matches: (forward) =>
      forward.protocol === rule.protocol &&
      forward.guestPort === rule.guestPort &&
      (guest === forward.guest || guest === forward.guestAddress) &&
      (rule.hostPort === 'auto' || rule.hostPort === forward.hostPort) &&
      (rule.hostAddress.startsWith('%') || isSame(rule.hostAddress, forward.hostAddress)),
  };
}

/** IPv6 has many ways to be written. */
const isSame = (one: string, other: string): boolean =>
  one === other || (canonicalAddress(one) !== undefined && canonicalAddress(one) === canonicalAddress(other));

/** @throws QrunError `unknown-name` when one means none */
export function findForwards(
  network: string,
  selectors: readonly ForwardSelector[],
  forwards: readonly NetworkForward[],
): readonly NetworkForward[] {
  const idle = selectors.find(({ matches }) => !forwards.some(matches));
  if (idle !== undefined) {
    throw new QrunError('unknown-name', `network ${network} has no forward ${idle.written}`, {
      hint: `qrun net forward ${network}`,
    });
  }
  return forwards.filter((forward) => selectors.some(({ matches }) => matches(forward)));
}
