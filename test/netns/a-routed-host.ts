/** A host with an uplink that leads nowhere: passt starts where there is a default route, and asks for no more. */
import { expect } from 'vitest';
import { createNamespace, type Namespace } from '../harness/harness.ts';

export const uplinkAddresses = { ipv4: '192.0.2.1', ipv6: 'fd92::1' } as const;

/** @param families those that have a default route */
export async function createRoutedHost(families: readonly ('ipv4' | 'ipv6')[] = ['ipv4', 'ipv6']): Promise<Namespace> {
  const host = await createNamespace();
  const { ipv4, ipv6 } = uplinkAddresses;
  for (const words of [
    'link add up0 type veth peer name up1',
    'link set up1 up',
    'link set up0 up',
    `addr add ${ipv4}/24 dev up0`,
    `addr add ${ipv6}/64 dev up0 nodad`,
    ...(families.includes('ipv4') ? ['route add default via 192.0.2.2'] : []),
    ...(families.includes('ipv6') ? ['-6 route add default via fd92::2 dev up0'] : []),
  ])
    expect(host.run(['ip', ...words.split(' ')])).toMatchObject({ status: 0, stderr: '' });
  return host;
}
