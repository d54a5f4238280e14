/** Resources of a network that has a bridge of its own and no more: what most networks of the host's are made of. They are loaded without all others. */
import type { Step } from '../plan/step.ts';
import { directory } from './directory.ts';
import { file } from './file.ts';
import { hostNetwork } from './host-network.ts';
import { link } from './link.ts';
import { nft } from './nft.ts';
import { resolver } from './resolver.ts';
import type { Resource } from './resource.ts';
import { service } from './service.ts';
import { sysctl } from './sysctl.ts';

export const ofBridges = {
  directory,
  file,
  link,
  sysctl,
  nft,
  service,
  resolver,
  'host-network': hostNetwork,
} as const;

/** What stands behind each of these steps. */
export async function registryFor(steps: readonly Step[]): Promise<(step: Step) => Resource> {
  if (!steps.every(({ kind }) => Object.hasOwn(ofBridges, kind))) return (await import('./registry.ts')).resourceOf;
  // the table pairs each kind with its own resource, which the type of a look-up by kind cannot say
  return ({ kind }) => ofBridges[kind as keyof typeof ofBridges] as Resource;
}
