/** A tap that was made before qrun came: QEMU says the same of one that is gone and of one that is another user's, so it is looked at first. */
import { QrunError } from '../errors.ts';
import { readHostLink } from '../host/host-link.ts';
import { holderOfTap } from '../host/tap-holder.ts';
import type { TapCheckStep } from '../plan/step.ts';
import type { Resource } from './resource.ts';

export const tapCheck: Resource<TapCheckStep> = {
  describe: (step) => ({ acquire: [{ op: 'check-tap', name: step.name }], release: [] }),
  acquire: async ({ name }) => {
    const found = readHostLink(name);
    if (found?.tap === undefined) {
      throw new QrunError('host-failed', `the tap ${name} is gone`, { hint: 'ip tuntap show' });
    }
    const holder = found.tap.attached === false ? undefined : holderOfTap(name);
    if (found.tap.attached === true || holder !== undefined) throw inUse(name, holder);
    return {};
  },
  release: async () => {},
};

function inUse(name: string, holder: string | undefined): QrunError {
  return new QrunError('in-use', `the tap ${name} is in use${holder === undefined ? '' : ` by ${holder}`}`, {
    hint: holder === undefined ? 'sudo grep -l "iff:" /proc/[0-9]*/fdinfo/*' : 'qrun ps',
  });
}
