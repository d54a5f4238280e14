/** `kind: passt`: user networking by passt, faster than QEMU's own. */
import { nicMap } from './common.ts';
import { forwardList, parseOwnForward } from './forwards.ts';

export function passtSchema() {
  return nicMap(
    'passt',
    "User networking by passt: the host's own addresses, faster than QEMU's NAT. Needs no rights.",
    {
      forwards: forwardList(parseOwnForward),
    },
  );
}
