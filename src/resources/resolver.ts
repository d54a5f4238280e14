/**
 * The host's resolver is told of a network's name server: systemd-resolved, which asks it for its own domain alone and forgets it with the link; or
 * resolvconf, which puts it first in /etc/resolv.conf.
 */
import { QrunError } from '../errors.ts';
import { readHostLink } from '../host/host-link.ts';
import type { ResolverStep } from '../plan/step.ts';
import type { System } from '../system/system.ts';
import { lastWords } from './link.ts';
import { runPrivileged } from './privilege.ts';
import type { Resource } from './resource.ts';

interface Call {
  readonly argv: readonly string[];
  readonly stdin?: string;
}

export const resolver: Resource<ResolverStep> = {
  describe: (step) => ({ acquire: callsOf(step), release: [{ argv: undoOf(step) }] }),

  acquire: async (step, { system, record }) => {
    record({});
    for (const call of callsOf(step)) {
      const failed = run(call, system);
      if (failed !== undefined) {
        throw new QrunError('host-failed', `the host was not told who knows ${step.domain}: ${failed}`, {
          hint: `${step.by === 'resolvectl' ? 'systemctl status systemd-resolved' : 'resolvconf -l'}; or without hostDns`,
        });
      }
    }
    return {};
  },

  release: async (step, record, { system, sameBoot }) => {
    // it is written before; and nothing of it outlives the boot, or with systemd-resolved the link
    if (record === undefined || !sameBoot || isForgotten(step)) return;
    const failed = run({ argv: undoOf(step) }, system);
    if (failed === undefined || isForgotten(step)) return;
    throw new QrunError('left-behind', `the host still asks for ${step.domain} on ${step.bridge}: ${failed}`, {
      hint: `sudo ${undoOf(step).join(' ')}`,
    });
  },
};

const isForgotten = ({ by, bridge }: ResolverStep): boolean =>
  by === 'resolvectl' && readHostLink(bridge) === undefined;

/**
 * What a program tells of an interface. Who is told of `lo` is asked first, by both programs of that name, and the resolver asks nobody else where the
 * first one knows of no such name. Others' names the network's server asks of the host's own servers.
 */
const recordOf = (bridge: string): string => `lo.${bridge}`;

function callsOf({ by, bridge, addresses, domain }: ResolverStep): Call[] {
  if (by === 'resolvconf') {
    const stdin = addresses.map((address) => `nameserver ${address}\n`).join('');
    return [{ argv: ['resolvconf', '-a', recordOf(bridge)], stdin }];
  }
  return [
    // dnsmasq signs nothing and speaks no TLS, whatever the host asks of others
    { argv: ['resolvectl', 'dnssec', bridge, 'no'] },
    { argv: ['resolvectl', 'dnsovertls', bridge, 'no'] },
    // with the sign: whoever looks up a short name does not search in it
    { argv: ['resolvectl', 'domain', bridge, `~${domain}`] },
    // last: a server without a domain would be asked for every name
    { argv: ['resolvectl', 'dns', bridge, ...addresses] },
  ];
}

/** One of the two programs of that name fails for what it does not have, but with that word behind, which the other passes over. */
const undoOf = ({ by, bridge }: ResolverStep): readonly string[] =>
  by === 'resolvconf' ? ['resolvconf', '-d', recordOf(bridge), '-f'] : ['resolvectl', 'revert', bridge];

/** @returns why it failed */
function run({ argv, stdin }: Call, system: Pick<System, 'uid' | 'which' | 'runNow'>): string | undefined {
  const [tool = ''] = argv;
  if (system.which(tool) === undefined) return `${tool} was not found`;
  const { status, stderr } = runPrivileged(system, argv, { ...(stdin !== undefined && { stdin }) });
  if (status === 0) return undefined;
  return lastWords(stderr) || `${tool} ended with status ${status}`;
}
