/** A process that reserves NICs, for tests that need many of them, or one that is killed in the middle. Bundled by lease-process.ts. */
import type { Mac, VmName } from '../../src/names.ts';
import { placesOf } from '../../src/places.ts';
import type { Nic } from '../../src/profile/profile.ts';
import { reserveNics } from '../../src/resources/mac-lease.ts';
import { createSystem } from '../../src/system/real.ts';

export interface LeaseOrder {
  readonly vm: string;
  /** `net0`, or `net0=52:54:00:…` for an address that the profile names. */
  readonly nics: readonly string[];
  /** Addresses to choose from, in this order. */
  readonly pool?: readonly string[];
}

async function main(order: LeaseOrder): Promise<void> {
  const system = createSystem();
  const places = placesOf({ env: system.env, uid: system.uid, home: '/nonexistent', packageRoot: '/nonexistent' });
  const pool = order.pool as Mac[] | undefined;
  let next = 0;
  const reserved = await reserveNics({
    system,
    places,
    vm: order.vm as VmName,
    nics: order.nics.map(nicOf),
    profileFile: `${places.config[0]}/profiles/${order.vm}.yaml`,
    ...(pool !== undefined && { pool: { all: pool, draw: () => pool[next++ % pool.length] as Mac } }),
  });
  process.stdout.write(JSON.stringify(reserved));
}

function nicOf(written: string): Nic {
  const [id = '', mac] = written.split('=');
  const nic = {
    kind: 'user',
    id,
    model: 'virtio-net-pci',
    queues: 1,
    vhost: 'auto',
    forwards: [],
    restrict: false,
    ipv6: true,
  };
  return { ...nic, ...(mac !== undefined && { mac: mac as Mac }) } as Nic;
}

main(JSON.parse(process.argv[2] ?? '{}') as LeaseOrder).catch((error: unknown) => {
  process.stderr.write(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  process.exitCode = 1;
});
