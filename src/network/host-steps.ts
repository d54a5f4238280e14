/** What every network of the host's ends with: whoever may join is told of it, and somebody ends it when nobody is on it any more. Pure. */
import type { HostNetworkStep, ServiceStep } from '../plan/step.ts';
import { hostNetworkFiles, type HostNetwork } from './host-network.ts';
import type { Network } from './network.ts';
import type { NetworkPlanInput, PortFacts } from './plan-input.ts';

interface RegistryFrom {
  readonly facts: Pick<PortFacts, 'host' | 'state' | 'registry'>;
  readonly input: Pick<NetworkPlanInput, 'files' | 'pinned'>;
}

/** As the last: who reads it takes a port at once. */
export function registryStep(
  own: HostNetwork,
  { facts: { host, state, registry }, input: { files, pinned } }: RegistryFrom,
): HostNetworkStep {
  const network: HostNetwork = { ...own, log: files.log, ...(!pinned && { counted: true }) };
  const { record: path, ports: directory, macs } = hostNetworkFiles(host, network.name);
  return {
    ...{ kind: 'host-network', id: 'registry', needsRoot: true, path, directory, macs, network },
    ...(registry && { claims: { host, state } }),
  };
}

/** Whoever has a port of it is on it. */
export const portLocks = ({ ports }: Pick<HostNetwork, 'ports'>): { ports?: readonly string[] } =>
  ports.length === 0 ? {} : { ports: ports.map(({ lock }) => lock) };

/** No program is of it but the one that ends it when nobody is on it any more, whatever was killed. */
export function watchSteps(
  { name }: Network,
  { pinned, mark, files, release }: NetworkPlanInput,
  host: Pick<HostNetwork, 'ports'>,
): ServiceStep[] {
  if (pinned) return [];
  return [
    {
      ...{ kind: 'service', id: 'service', needsRoot: true, title: `qrun-net ${name}`, network: name, mark },
      ...{ programs: [], log: files.log, awaits: [] },
      watch: { users: files.users, release, ...portLocks(host) },
    },
  ];
}
