/**
 * Networks of the host's with a bridge of their own, against libvirt and against the same steps by hand. Only root can make a network namespace for it,
 * so root's part is a process of its own (networks-host.mjs), as in links.mjs.
 */
import { isRoot } from '../setup/places.mjs';
import { startHostPart, endHostPart } from './host-part.mjs';

/** An empty network and nothing else of the host's that changes: /etc and /var are seen, and written elsewhere; /run is empty. $1: a directory for it. */
const script = `set -e
dir=$1
shift
ip link set lo up
mount -t sysfs none /sys
mount -t tmpfs layers "$dir"
mkdir "$dir/eu" "$dir/ew" "$dir/vu" "$dir/vw"
mount -t overlay etc -o "lowerdir=/etc,upperdir=$dir/eu,workdir=$dir/ew" /etc
mount -t overlay var -o "lowerdir=/var,upperdir=$dir/vu,workdir=$dir/vw" /var
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock
exec "$@"`;

export const networks = {
  name: 'networks',
  prepare: ({ rounds }) => (isRoot() ? startHostPart({ script, part: 'networks-host.mjs', rounds }) : undefined),

  async run(bench, prepared) {
    if (prepared === undefined) return bench.skip('networks', 'only root can make a network for it');
    bench.absorb(await endHostPart(prepared));
  },
};
