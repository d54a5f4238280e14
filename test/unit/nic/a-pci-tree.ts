/** A made-up /sys and /dev: a card with two virtual functions, a bridge, a card alone, a disk controller. It has the kernel's answers to writes. */
import { mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { RunResult, System } from '../../../src/system/system.ts';

export interface FakeDevice {
  readonly address: string;
  readonly class?: string;
  readonly driver?: string;
  readonly group?: number;
  readonly net?: string;
  readonly physical?: string;
  readonly vfs?: readonly string[];
}

export const standardDevices: readonly FakeDevice[] = [
  { address: '0000:00:01.0', class: '0x060400', driver: 'pcieport', group: 1 },
  {
    ...{ address: '0000:01:00.0', driver: 'ixgbe', group: 1, net: 'pf0' },
    vfs: ['0000:01:10.0', '0000:01:10.2'],
  },
  { address: '0000:01:10.0', driver: 'ixgbevf', group: 10, net: 'vf0', physical: '0000:01:00.0' },
  { address: '0000:01:10.2', group: 11, physical: '0000:01:00.0' },
  { address: '0000:02:00.0', driver: 'e1000e', group: 2, net: 'eth5' },
  { address: '0000:03:00.0', driver: 'e1000e', group: 3, net: 'eth6' },
  { address: '0000:03:00.1', class: '0x010601', driver: 'ahci', group: 3 },
];

export class PciTree {
  readonly sysfs: string;
  readonly dev: string;
  readonly calls: string[] = [];
  /** Commands that fail, by a part of them. */
  readonly failing: string[] = [];
  readonly #devices = new Map<string, FakeDevice>();

  constructor(root: string, devices: readonly FakeDevice[] = standardDevices) {
    this.sysfs = path.join(root, 'sys');
    this.dev = path.join(root, 'dev');
    mkdirSync(path.join(this.dev, 'vfio'), { recursive: true });
    for (const name of ['vfio-pci', ...devices.flatMap(({ driver }) => (driver === undefined ? [] : [driver]))]) {
      mkdirSync(path.join(this.sysfs, 'bus/pci/drivers', name), { recursive: true });
    }
    for (const device of devices) this.#add(device);
  }

  #add(device: FakeDevice): void {
    const directory = this.directory(device.address);
    this.#devices.set(device.address, device);
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'class'), `${device.class ?? '0x020000'}\n`);
    writeFileSync(path.join(directory, 'vendor'), '0x8086\n');
    writeFileSync(path.join(directory, 'driver_override'), '(null)\n');
    if (device.group !== undefined) {
      const group = path.join(this.sysfs, 'kernel/iommu_groups', String(device.group));
      mkdirSync(path.join(group, 'devices'), { recursive: true });
      symlinkSync(group, path.join(directory, 'iommu_group'));
      symlinkSync(directory, path.join(group, 'devices', device.address));
    }
    if (device.physical !== undefined) symlinkSync(this.directory(device.physical), path.join(directory, 'physfn'));
    if (device.vfs !== undefined) writeFileSync(path.join(directory, 'sriov_totalvfs'), '8\n');
    for (const [index, vf] of (device.vfs ?? []).entries()) {
      symlinkSync(this.directory(vf), path.join(directory, `virtfn${index}`));
    }
    if (device.net !== undefined) {
      const net = path.join(directory, 'net', device.net);
      mkdirSync(net, { recursive: true });
      writeFileSync(path.join(net, 'flags'), '0x1003\n');
      writeFileSync(path.join(net, 'address'), '00:11:22:33:44:55\n');
      symlinkSync(directory, path.join(net, 'device'));
      mkdirSync(path.join(this.sysfs, 'class/net'), { recursive: true });
      symlinkSync(net, path.join(this.sysfs, 'class/net', device.net));
    }
    if (device.driver !== undefined) this.#bind(device.address, device.driver);
  }

  directory(address: string): string {
    return path.join(this.sysfs, 'bus/pci/devices', address);
  }

  driverOf(address: string): string | undefined {
    try {
      return path.basename(readlinkSync(path.join(this.directory(address), 'driver')));
    } catch {
      return undefined;
    }
  }

  override(address: string): string {
    return readFileSync(path.join(this.directory(address), 'driver_override'), 'utf8').trim();
  }

  /** Everything that can change, for a comparison. */
  state(): unknown {
    return [...this.#devices.keys()].map((address) => [
      address,
      this.driverOf(address),
      this.override(address).replace('(null)', ''),
    ]);
  }

  #node(address: string): string {
    return path.join(this.dev, 'vfio', String(this.#devices.get(address)?.group));
  }

  #bind(address: string, driver: string): void {
    symlinkSync(path.join(this.sysfs, 'bus/pci/drivers', driver), path.join(this.directory(address), 'driver'));
    if (driver === 'vfio-pci') writeFileSync(this.#node(address), '');
  }

  #unbind(address: string): void {
    if (this.driverOf(address) === 'vfio-pci') rmSync(this.#node(address), { force: true });
    rmSync(path.join(this.directory(address), 'driver'));
  }

  readonly runNow: System['runNow'] = (tool, args, options = {}): RunResult => {
    const command = [tool, ...args].join(' ');
    this.calls.push(`${command}${options.stdin === undefined ? '' : ` <<< ${options.stdin.trim()}`}`);
    if (this.failing.some((part) => command.includes(part))) return { status: 1, stdout: '', stderr: 'no such device' };
    const [file = ''] = args;
    const text = (options.stdin ?? '').trim();
    if (tool !== 'tee') return { status: 0, stdout: '', stderr: '' };
    if (file.endsWith('/driver_override')) writeFileSync(file, `${text}\n`);
    if (file.endsWith('/unbind')) {
      if (this.driverOf(text) !== path.basename(path.dirname(file))) {
        return { status: 1, stdout: '', stderr: 'No such device' };
      }
      this.#unbind(text);
    }
    if (file.endsWith('/drivers_probe') && this.driverOf(text) === undefined) {
      const driver = this.override(text).replace('(null)', '') || this.#devices.get(text)?.driver;
      if (driver !== undefined) this.#bind(text, driver);
    }
    return { status: 0, stdout: text, stderr: '' };
  };
}
