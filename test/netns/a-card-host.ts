/**
 * A host with a made-up PCI bus: cards with their drivers and vfio-pci, mounted over /sys and /dev in a namespace of the test's own. The kernel's part is
 * played by a `tee` and an `ip` that do what the kernel does on such writes, and QEMU gets everything but the card.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { createHome, createNamespace, needsQemu, needsRoot, type Home, type Namespace } from '../harness/harness.ts';

export interface MadeUpCard {
  readonly address: string;
  readonly group: number;
  readonly driver: string;
  /** The interface that it is, and how many virtual functions it could have. */
  readonly net?: { readonly name: string; readonly totalVfs: number };
  /** Of a virtual function: its card, and its number there. */
  readonly of?: { readonly address: string; readonly index: number };
}

export class CardHost {
  readonly home: Home;
  readonly namespace: Namespace;
  readonly #dir: string;

  constructor(namespace: Namespace, qemu: string, cards: readonly MadeUpCard[]) {
    this.namespace = namespace;
    this.#dir = namespace.dir;
    for (const name of [
      'pci',
      'vfio',
      'groups',
      'functions',
      'bin',
      ...['vfio-pci'].map((one) => `pci/drivers/${one}`),
    ])
      mkdirSync(path.join(this.#dir, name), { recursive: true });
    for (const card of cards) this.#add(card);
    for (const card of cards) if (card.net !== undefined) this.#addNet(card.net.name, card.address);
    this.#mount();
    const bin = path.join(this.#dir, 'bin');
    this.#program('tee', kernel);
    this.#program('ip', parent(path.join(this.#dir, 'functions')));
    // a container may not raise the limit, and without a card nothing is locked
    this.#program('prlimit', '#!/bin/sh\nshift\nexec "$@"\n');
    this.home = createHome({
      ...{ as: 'root', namespace, qemu: this.#program('qemu', withoutCard(qemu)) },
      env: { PATH: [bin, path.dirname(process.execPath), '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'].join(':') },
    });
  }

  #program(name: string, text: string): string {
    const file = path.join(this.#dir, 'bin', name);
    writeFileSync(file, text, { mode: 0o755 });
    chmodSync(file, 0o755);
    return file;
  }

  #device = (address: string): string => path.join(this.#dir, 'pci/devices', address);

  #add({ address, group, driver, net, of }: MadeUpCard): void {
    const device = this.#device(address);
    const members = path.join(this.#dir, 'groups', `${group}/devices`);
    for (const directory of [device, members, path.join(this.#dir, 'pci/drivers', driver)])
      mkdirSync(directory, { recursive: true });
    const files = { class: '0x020000', vendor: '0x8086', driver_override: '(null)', native: driver };
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(device, name), `${text}\n`);
    symlinkSync(`/sys/kernel/iommu_groups/${group}`, path.join(device, 'iommu_group'));
    symlinkSync(`../../drivers/${driver}`, path.join(device, 'driver'));
    writeFileSync(path.join(members, address), '');
    if (net !== undefined) {
      mkdirSync(path.join(device, 'net', net.name), { recursive: true });
      writeFileSync(path.join(device, 'sriov_totalvfs'), `${net.totalVfs}\n`);
    }
    if (of === undefined) return;
    symlinkSync(`../${of.address}`, path.join(device, 'physfn'));
    symlinkSync(`../${address}`, path.join(this.#device(of.address), `virtfn${of.index}`));
    writeFileSync(path.join(this.#dir, 'functions', String(of.index)), '00:00:00:00:00:00 0\n');
  }

  /** A veth that says that a PCI device is behind it. */
  #addNet(name: string, address: string): void {
    const lines = [
      `ip link add ${name} type veth peer name ${name}-far`,
      `ip link set ${name} up`,
      `for net in lo ${name} ${name}-far; do`,
      `  mkdir -p ${this.#dir}/class/$net`,
      `  for file in /sys/devices/virtual/net/$net/*; do ln -s $file ${this.#dir}/class/$net/; done`,
      'done',
      `ln -s /sys/bus/pci/devices/${address} ${this.#dir}/class/${name}/device`,
    ];
    this.#must(['sh', '-ec', lines.join('\n')]);
  }

  #must(argv: readonly string[]): void {
    expect(this.namespace.run(argv)).toMatchObject({ status: 0 });
  }

  #mount(): void {
    const over = { pci: '/sys/bus/pci', groups: '/sys/kernel/iommu_groups', class: '/sys/class/net' };
    for (const [from, to] of Object.entries(over))
      if (existsSync(path.join(this.#dir, from))) this.#must(['mount', '--bind', path.join(this.#dir, from), to]);
    // /dev is the host's own: a copy of it, with one directory more
    const dev = path.join(this.#dir, 'dev');
    this.#must([
      ...['sh', '-c'],
      `mkdir ${dev} && mount --rbind /dev ${dev} && mount -t tmpfs dev /dev && cp -a ${dev}/null ${dev}/zero ${dev}/urandom ${dev}/random ${dev}/fd ${dev}/tty /dev/ && mkdir /dev/vfio /dev/pts /dev/shm && mount --bind ${this.#dir}/vfio /dev/vfio`,
    ]);
  }

  /** Driver, override. */
  state(address: string): string[] {
    const override = readFileSync(path.join(this.#device(address), 'driver_override'), 'utf8');
    return [this.driver(address), override.trim().replace('(null)', '')];
  }

  /** Empty: it has none at the moment. */
  driver(address: string): string {
    try {
      return path.basename(readlinkSync(path.join(this.#device(address), 'driver')));
    } catch {
      return '';
    }
  }

  /** What its card was told of a virtual function: `52:54:00:12:34:56 42`. */
  setting(index: number): string {
    return readFileSync(path.join(this.#dir, 'functions', String(index)), 'utf8').trim();
  }
}

/** As the kernel: unbind takes the driver away, a probe gives what the override says, vfio-pci makes a node for the group. */
const kernel = `#!/bin/sh
text=$(cat)
device=/sys/bus/pci/devices/$text
case $1 in
*/driver_override) printf '%s\\n' "$text" >"$1" ;;
*/unbind)
  [ "$(basename "$(readlink $device/driver)")" = "$(basename "$(dirname "$1")")" ] || { echo 'tee: No such device' >&2; exit 1; }
  rm -f $device/driver /dev/vfio/$(basename "$(readlink $device/iommu_group)") ;;
*/drivers_probe)
  [ ! -e $device/driver ] || exit 0
  driver=$(sed 's/(null)//' $device/driver_override)
  ln -s ../../drivers/"\${driver:-$(cat $device/native)}" $device/driver
  node=/dev/vfio/$(basename "$(readlink $device/iommu_group)")
  [ "$driver" != vfio-pci ] || { : >$node; chmod 600 $node; } ;;
esac
`;

/** What a card knows of its virtual functions; all else is the real ip's. */
const parent = (functions: string): string => `#!/bin/bash
case "$*" in
'link set dev '*' vf '*)
  function=${functions}/$6
  read -r mac vlan <$function
  shift 6
  while [ $# -gt 0 ]; do
    case $1 in mac) mac=$2 ;; vlan) vlan=$2 ;; esac
    shift 2
  done
  echo "$mac $vlan" >$function ;;
'-j link show dev '*)
  rows=
  for function in ${functions}/*; do
    read -r mac vlan <$function
    rows=$rows\${rows:+,}"{\\"vf\\":\${function##*/},\\"address\\":\\"$mac\\",\\"vlan_list\\":[{\\"vlan\\":$vlan}]}"
  done
  echo "[{\\"ifname\\":\\"$5\\",\\"vfinfo_list\\":[$rows]}]" ;;
*) PATH=\${PATH#*:} exec ip "$@" ;;
esac
`;

/** There is no such card: QEMU itself runs without it. */
const withoutCard = (qemu: string): string => `#!/bin/bash
words=()
while [ $# -gt 0 ]; do
  case "$1 $2" in
  '-device '*vfio-pci,*|'-device '*'"vfio-pci"'*) shift 2 ;;
  *) words+=("$1"); shift ;;
  esac
done
exec ${qemu} "\${words[@]}"
`;

export async function createCardHost(
  context: Parameters<typeof needsRoot>[0],
  cards: readonly MadeUpCard[],
): Promise<CardHost> {
  needsRoot(context);
  const qemu = needsQemu(context);
  return new CardHost(await createNamespace(), qemu, cards);
}
