/** A card of the host's that is a port of a network's own bridge while that is up. Nothing of it is changed but that, and it is given back as it was. */
import { QrunError } from '../errors.ts';
import { readHostLink } from '../host/host-link.ts';
import type { UplinkStep } from '../plan/step.ts';
import { elsewhere, lastWords, ownNetwork } from './link.ts';
import { runPrivileged } from './privilege.ts';
import type { Resource } from './resource.ts';

const joining = ({ name, bridge }: UplinkStep): string[] => ['ip', 'link', 'set', 'dev', name, 'master', bridge, 'up'];
const leaving = ({ name }: Pick<UplinkStep, 'name'>): string[] => ['ip', 'link', 'set', 'dev', name, 'nomaster'];

export const uplink: Resource<UplinkStep> = {
  describe: (step) => ({ acquire: [{ argv: joining(step) }], release: [{ argv: leaving(step) }] }),

  acquire: async (step, { system, record }) => {
    const { name, bridge } = step;
    const found = readHostLink(name);
    if (found === undefined) {
      throw new QrunError('host-failed', `there is no interface ${name}`, { hint: 'ip -brief link show' });
    }
    if (found.master !== undefined && found.master !== bridge) {
      throw new QrunError('in-use', `${name} is a port of ${found.master}`, {
        hint: `sudo ip link set dev ${name} nomaster`,
      });
    }
    const was = { network: ownNetwork(), up: found.up };
    record(was);
    const { status, stderr } = runPrivileged(system, joining(step));
    if (status === 0) return was;
    throw new QrunError('host-failed', `${name} could not be made a port of ${bridge}: ${lastWords(stderr)}`, {
      causes: stderr.trim().split('\n').slice(-4),
      hint: `ip -details link show dev ${name}`,
    });
  },

  release: async (step, record, { system, sameBoot }) => {
    if (record === undefined || !sameBoot) return;
    const { name, bridge } = step;
    if (record['network'] !== ownNetwork()) return elsewhere(step, String(record['network']));
    const found = readHostLink(name);
    // one that somebody has taken off the bridge since is his
    if (found?.master !== bridge) return;
    const { status, stderr } = runPrivileged(system, [...leaving(step), ...(record['up'] === false ? ['down'] : [])]);
    if (status === 0 || readHostLink(name)?.master !== bridge) return;
    throw new QrunError('left-behind', `${name} is still a port of ${bridge}: ${lastWords(stderr)}`, {
      hint: `sudo ip link set dev ${name} nomaster`,
    });
  },
};
