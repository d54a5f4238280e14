/**
 * What people write who know QEMU, libvirt, docker or virt-install, by the key of a profile that they mean.
 */
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

export function otherNamesOf(key: string): readonly string[] {
  return Object.hasOwn(otherNames, key) ? (otherNames[key] ?? []) : [];
}
