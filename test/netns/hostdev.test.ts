/**
 * `kind: hostdev` with the real qrun, on a made-up PCI bus: a card with its driver and vfio-pci, mounted over /sys and /dev in a namespace of the
 * test's own. The kernel's part is played by a `tee` that does what the kernel does on such a write, and QEMU gets everything but the card.
 */
import { chmodSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, createNamespace, needsQemu, needsRoot, type Home, type Namespace } from '../harness/harness.ts';
import { detach, leftOf, rowOf, still } from '../cli/a-vm.ts';

const address = '0000:01:00.0';
const group = 7;

class CardHost {
  readonly home: Home;
  readonly #bus: string;
  readonly #dev: string;

  constructor(namespace: Namespace, qemu: string) {
    this.#bus = path.join(namespace.dir, 'pci');
    this.#dev = path.join(namespace.dir, 'vfio');
    const groups = path.join(namespace.dir, 'groups');
    const device = this.#device();
    for (const directory of [
      device,
      this.#dev,
      path.join(groups, `${group}/devices`),
      this.#driver('vfio-pci'),
      this.#driver('e1000e'),
    ])
      mkdirSync(directory, { recursive: true });
    const files = { class: '0x020000', vendor: '0x8086', driver_override: '(null)' };
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(device, name), `${text}\n`);
    symlinkSync(`/sys/kernel/iommu_groups/${group}`, path.join(device, 'iommu_group'));
    symlinkSync('../../drivers/e1000e', path.join(device, 'driver'));
    writeFileSync(path.join(groups, `${group}/devices/${address}`), '');
    for (const [from, to] of [
      [this.#bus, '/sys/bus/pci'],
      [groups, '/sys/kernel/iommu_groups'],
    ])
      expect(namespace.run(['mount', '--bind', from ?? '', to ?? ''])).toMatchObject({ status: 0 });
    // /dev is the host's own: a copy of it, with one directory more
    const made = [
      'sh',
      '-c',
      `mkdir ${namespace.dir}/dev && mount --rbind /dev ${namespace.dir}/dev && mount -t tmpfs dev /dev && cp -a ${namespace.dir}/dev/null ${namespace.dir}/dev/zero ${namespace.dir}/dev/urandom ${namespace.dir}/dev/random ${namespace.dir}/dev/fd ${namespace.dir}/dev/tty /dev/ && mkdir /dev/vfio /dev/pts /dev/shm && mount --bind ${this.#dev} /dev/vfio`,
    ];
    expect(namespace.run(made)).toMatchObject({ status: 0 });
    const bin = path.join(namespace.dir, 'bin');
    mkdirSync(bin);
    const program = (name: string, text: string): string => {
      const file = path.join(bin, name);
      writeFileSync(file, text, { mode: 0o755 });
      chmodSync(file, 0o755);
      return file;
    };
    program('tee', kernel);
    // a container may not raise the limit, and without a card nothing is locked
    program('prlimit', '#!/bin/sh\nshift\nexec "$@"\n');
    this.home = createHome({
      ...{ as: 'root', namespace, qemu: program('qemu', withoutCard(qemu)) },
      env: { PATH: [bin, path.dirname(process.execPath), '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'].join(':') },
    });
    this.home.profile('web1', `${still}nics: [{ kind: hostdev, address: "${address}" }]\n`);
  }

  #device = (): string => path.join(this.#bus, 'devices', address);
  #driver = (name: string): string => path.join(this.#bus, 'drivers', name);

  /** Driver, override. */
  state(): string[] {
    return [
      this.driver(),
      readFileSync(path.join(this.#device(), 'driver_override'), 'utf8').trim().replace('(null)', ''),
    ];
  }

  driver(): string {
    return path.basename(readlinkSync(path.join(this.#device(), 'driver')));
  }
}

/** As the kernel: unbind takes the driver away, a probe gives what the override says, vfio-pci makes a node for the group. */
const kernel = `#!/bin/sh
text=$(cat)
device=/sys/bus/pci/devices/${address}
case $1 in
*/driver_override) printf '%s\\n' "$text" >"$1" ;;
*/unbind)
  [ "$(basename "$(readlink $device/driver)")" = "$(basename "$(dirname "$1")")" ] || { echo 'tee: No such device' >&2; exit 1; }
  rm -f $device/driver /dev/vfio/${group} ;;
*/drivers_probe)
  [ ! -e $device/driver ] || exit 0
  driver=$(sed 's/(null)//' $device/driver_override)
  ln -s ../../drivers/"\${driver:-e1000e}" $device/driver
  [ "$driver" != vfio-pci ] || { : >/dev/vfio/${group}; chmod 600 /dev/vfio/${group}; } ;;
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

async function createCardHost(context: Parameters<typeof needsRoot>[0]): Promise<CardHost> {
  needsRoot(context);
  const qemu = needsQemu(context);
  return new CardHost(await createNamespace(), qemu);
}

test('a card goes to the guest and back to its driver; a second guest is refused; given back twice', async (context) => {
  const host = await createCardHost(context);
  const { home } = host;
  const before = host.state();
  home.profile('web2', `${still}nics: [{ kind: hostdev, address: "${address}" }]\n`);
  const { pid } = await detach(home, 'web1');
  expect(host.state()).toEqual(['vfio-pci', 'vfio-pci']);
  const second = await home.qrun(['run', 'web2', '-d']);
  expect(second).toMatchObject({ status: 4, stderr: expect.stringContaining(address) });
  expect(host.driver()).toBe('vfio-pci');
  // QEMU is killed, and whoever comes gives it back: the waiter, stop, gc; all of them at once
  process.kill(pid, 'SIGKILL');
  await Promise.all([home.qrun(['kill', 'web1']), home.qrun(['gc']), home.qrun(['gc'])]);
  expect(await home.qrun(['gc'])).toMatchObject({ status: 0 });
  expect(host.state()).toEqual(before);
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('a start that fails behind the card gives it back', async (context) => {
  const host = await createCardHost(context);
  const { home } = host;
  const before = host.state();
  for (const step of ['acquire:vfio:net0', 'acquired:vfio:net0', 'spawn', 'spawned', 'running']) {
    const { status, stderr } = await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${step}:throw` } });
    expect({ step, status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('failpoint') });
    expect({ step, state: host.state(), left: leftOf(home, 'web1') }).toEqual({ step, state: before, left: [] });
  }
});

test('ABUSE 64: kill -9 at each failpoint, then gc twice: the card is with its driver', async (context) => {
  const host = await createCardHost(context);
  const { home } = host;
  const before = host.state();
  const list = path.join(home.dir, 'failpoints');
  await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT_LIST: list } });
  await rowOf(home, 'web1');
  await home.qrun(['kill', 'web1'], { env: { QRUN_FAILPOINT_LIST: list } });
  const all = [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
  const names = all.filter((name) => /vfio:net0$|^spawn|^running$/.test(name));
  expect(names).toEqual(
    expect.arrayContaining(['acquire', 'acquired', 'release', 'released'].map((at) => `${at}:vfio:net0`)),
  );
  for (const name of names) {
    await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    if (/release/.test(name)) await home.qrun(['kill', 'web1'], { env: { QRUN_FAILPOINT: `${name}:kill` } });
    await home.qrun(['kill', 'web1']);
    expect({ name, ...(await home.qrun(['gc'])) }).toMatchObject({ status: 0 });
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect({ name, state: host.state(), left: leftOf(home, 'web1') }).toEqual({ name, state: before, left: [] });
  }
});
