/**
 * "Did you mean": the known word that is nearest to what was written.
 */

/** What people write who know QEMU, libvirt, docker or virt-install. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  accel: ['kvm', 'accelerator', 'enableKvm', 'enable-kvm'],
  append: ['cmdline', 'commandLine', 'kernelArgs', 'kernelParams'],
  args: ['arguments', 'qemuArgs', 'extraArgs', 'options'],
  base: ['backing', 'backingFile', 'backing_file'],
  bootFile: ['bootfile', 'boot-file', 'filename'],
  bootIndex: ['bootindex', 'order'],
  cdrom: ['iso', 'cd', 'dvd'],
  console: ['serial'],
  cpu: ['cpuModel', 'cpu-model'],
  cpus: ['smp', 'vcpus', 'vcpu', 'ncpus', 'cores'],
  description: ['title', 'comment', 'desc'],
  device: ['ifname', 'dev', 'tap'],
  disks: ['drives', 'drive', 'disk', 'hda', 'volumes', 'storage'],
  display: ['graphics', 'vga', 'vnc'],
  ephemeral: ['snapshot', 'temporary'],
  file: ['path', 'image', 'filename', 'source'],
  firmware: ['uefi', 'bios', 'efi'],
  forwards: ['hostfwd', 'portForwards', 'ports', 'portForward', 'publish', 'port-forwards', 'redirect'],
  format: ['driver'],
  group: ['mcast', 'address', 'multicast'],
  id: ['name'],
  initrd: ['ramdisk', 'initramfs'],
  interface: ['localaddr', 'local', 'iface'],
  kind: ['type', 'mode', 'backend'],
  mac: ['macaddr', 'macAddress', 'mac-address', 'hwaddr'],
  machine: ['machineType', 'type'],
  memory: ['mem', 'ram', 'memoryMib', 'maxmem'],
  model: ['device', 'driver'],
  nics: ['net', 'network', 'networks', 'netdev', 'netdevs', 'interfaces', 'nic', 'networking'],
  parent: ['link', 'lower', 'dev', 'source', 'uplink'],
  readOnly: ['readonly', 'read-only', 'read_only', 'ro'],
  runAs: ['runas', 'user', 'uid'],
  shutdown: ['timeout', 'stop'],
  size: ['capacity'],
  socket: ['sock'],
  subnet: ['cidr', 'net'],
};

/** The nearest of `known`, or undefined if none is near enough to be what was meant. */
export function closestOf(written: string, known: readonly string[]): string | undefined {
  if (written.length > 40) return undefined;
  const word = written.toLowerCase();
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    for (const spelling of [name, ...(Object.hasOwn(otherNames, name) ? (otherNames[name] ?? []) : [])]) {
      const distance = editDistance(word, spelling.toLowerCase());
      const near = distance <= Math.floor(Math.max(word.length, spelling.length) / 3);
      if (near && (best === undefined || distance < best.distance)) best = { name, distance };
    }
  }
  return best?.name;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const choices = [at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + same];
      next.push(Math.min(...choices, ...(swapped ? [at(before, j - 2) + 1] : [])));
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0;
