/**
 * A network of root's whose state directory somebody removed while it was up: the host-wide registry still has it. It is this state directory's when an
 * interface has its alias, which only root can set, or when a process of that very run has a file below that directory among its words.
 */
import { digestOf } from '../digest.ts';
import { listHostLinks, readHostLink } from '../host/host-link.ts';
import { parseLinkAlias } from '../link-name.ts';
import type { HostNetwork } from '../network/host-network.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { LinkStep } from '../plan/step.ts';
import { markName } from '../resources/service-program.ts';
import { findMarked } from '../system/marked.ts';
import { isOfThisNetwork } from '../system/processes.ts';
import type { NetworkContext } from './context.ts';
import { readHostNetwork } from './host-networks.ts';

export interface LostState {
  readonly host: HostNetwork;
  /** Its bridge, ports, links to other hosts: what has its alias. */
  readonly links: readonly LinkStep[];
}

/** @param name of one without a journal and without a record. Undefined: it is not up, or another state directory's */
export function readLostState(
  name: NetworkName,
  { places, system }: Pick<NetworkContext, 'places' | 'system'>,
): LostState | undefined {
  const host = system.uid === 0 ? readHostNetwork(name, { places, system }) : undefined;
  if (host === undefined) return undefined;
  const links = linksOf(name, digestOf(places.state));
  const { dir } = networkFiles(places, name);
  return links.length > 0 || hasProcess(host, dir) ? { host, links } : undefined;
}

const linksOf = (network: NetworkName, state: string): LinkStep[] =>
  listHostLinks().flatMap((name): LinkStep[] => {
    const alias = readHostLink(name)?.alias ?? '';
    const owner = parseLinkAlias(alias);
    if (owner?.vm !== `net/${network}` || owner.state !== state) return [];
    const link: LinkStep = {
      kind: 'link',
      id: `link:${name}`,
      needsRoot: true,
      name: name as LinkStep['name'],
      alias,
      commands: [],
    };
    return [link];
  });

const hasProcess = ({ runId }: HostNetwork, directory: string): boolean =>
  findMarked(markName, runId).some(
    ({ pid, argv }) => isOfThisNetwork(pid) && argv.some((word) => word.includes(`${directory}/`)),
  );
