/** `-device` and `-netdev`, in the syntax that this QEMU reads. */
import type { Netdev, OptionValue } from '../../nic/nic-kind.ts';
import type { QemuVersion } from '../capabilities.ts';
import { deviceTakesJson, netdevTakesJson, renderJson, renderKeyval } from '../option.ts';

export interface DeviceValue {
  readonly driver: string;
  readonly id: string;
  readonly [property: string]: OptionValue;
}

export function deviceArgs(device: DeviceValue, version: QemuVersion): string[] {
  return ['-device', deviceTakesJson(version) ? renderJson(device) : renderKeyval(device, 'driver')];
}

export function netdevArgs(netdev: Netdev, version: QemuVersion): string[] {
  return ['-netdev', netdevTakesJson(version) ? renderJson(netdev) : renderKeyval(netdev, 'type')];
}
