/** Where distributions keep UEFI firmware for QEMU: code that all VMs share, and the template of the variable store that each VM copies. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { HostFacts } from './facts.ts';

type Firmware = NonNullable<HostFacts['uefi']>;

/** Both files of a pair have the same size class (2M or 4M): they must come from the same line. */
const x86: readonly Firmware[] = [
  // Debian, Ubuntu
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/OVMF/OVMF_CODE.fd', vars: '/usr/share/OVMF/OVMF_VARS.fd' },
  // Fedora, RHEL
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', vars: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
  // Arch, now and before
  { code: '/usr/share/edk2/x64/OVMF_CODE.4m.fd', vars: '/usr/share/edk2/x64/OVMF_VARS.4m.fd' },
  { code: '/usr/share/edk2-ovmf/x64/OVMF_CODE.fd', vars: '/usr/share/edk2-ovmf/x64/OVMF_VARS.fd' },
  // openSUSE
  { code: '/usr/share/qemu/ovmf-x86_64-code.bin', vars: '/usr/share/qemu/ovmf-x86_64-vars.bin' },
  // what QEMU itself installs (Alpine, a build from source)
  { code: '/usr/share/qemu/edk2-x86_64-code.fd', vars: '/usr/share/qemu/edk2-i386-vars.fd' },
  { code: '/usr/local/share/qemu/edk2-x86_64-code.fd', vars: '/usr/local/share/qemu/edk2-i386-vars.fd' },
];
const arm64: readonly Firmware[] = [
  { code: '/usr/share/AAVMF/AAVMF_CODE.fd', vars: '/usr/share/AAVMF/AAVMF_VARS.fd' },
  { code: '/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', vars: '/usr/share/edk2/aarch64/vars-template-pflash.raw' },
  { code: '/usr/share/edk2/aarch64/QEMU_CODE.fd', vars: '/usr/share/edk2/aarch64/QEMU_VARS.fd' },
  { code: '/usr/share/qemu/edk2-aarch64-code.fd', vars: '/usr/share/qemu/edk2-arm-vars.fd' },
];

/** The first pair of which both files are there. */
export function findUefi(qemuFile: string, exists: (file: string) => boolean = existsSync): Firmware | undefined {
  const pairs = path.basename(qemuFile).includes('aarch64') ? arm64 : x86;
  return pairs.find(({ code, vars }) => exists(code) && exists(vars));
}
