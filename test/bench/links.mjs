/**
 * NICs on the host's own links, against the same steps by hand. Only root can make a network for it, so root's part is a process of its own
 * (links-host.mjs) that is started before the bench becomes an ordinary user, and waits until it is its turn.
 */
import { isRoot } from '../setup/places.mjs';
import { endHostPart, startHostPart } from './host-part.mjs';

/** Where Debian's QEMU looks for it. */
const helper = '/usr/lib/qemu/qemu-bridge-helper';

/**
 * An empty network with `br0` and a card `v0` that has another end; a /dev/net/tun that everybody may open; an /etc/qemu with one `allow`; a copy of
 * the bridge helper with its right. $1 is a directory for these, the rest a command.
 */
const script = `set -e
dir=$1
shift
ip link set lo up
mount -t sysfs none /sys
mknod -m 666 "$dir/tun" c 10 200
chmod 666 "$dir/tun"
mount --bind "$dir/tun" /dev/net/tun
mkdir "$dir/qemu" "$dir/etc"
if [ ! -d /etc/qemu ]; then
  mount -t tmpfs layer "$dir/etc"
  mkdir "$dir/etc/u" "$dir/etc/w"
  mount -t overlay etc -o "lowerdir=/etc,upperdir=$dir/etc/u,workdir=$dir/etc/w" /etc
  mkdir /etc/qemu
fi
echo 'allow br0' >"$dir/qemu/bridge.conf"
mount --bind "$dir/qemu" /etc/qemu
cp ${helper} "$dir/helper"
chmod 755 "$dir/helper"
setcap cap_net_admin=ep "$dir/helper"
mount --bind "$dir/helper" ${helper}
ip link add br0 address 52:54:00:ff:00:01 type bridge forward_delay 0
ip link set br0 up
ip link add v0 address 52:54:00:ff:00:02 type veth peer name v1 address 52:54:00:ff:00:03
ip link set v1 up
ip link set v0 up
exec "$@"`;

export const links = {
  name: 'links',
  prepare: ({ rounds }) => (isRoot() ? startHostPart({ script, part: 'links-host.mjs', rounds }) : undefined),

  async run(bench, prepared) {
    if (prepared === undefined) return bench.skip('links', 'only root can make a network for it');
    bench.absorb(await endHostPart(prepared));
  },
};
