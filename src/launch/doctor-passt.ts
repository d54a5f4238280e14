/** What `qrun doctor` says of the kinds of NICs that need a program beside QEMU: passt, vde. */
import { readPasst } from '../host/passt.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { System } from '../system/system.ts';
import type { Check } from './doctor.ts';

/** @param qemu undefined: there is none to ask */
export function examinePrograms(system: System, qemu: QemuCapabilities | undefined): Check[] {
  return [passt(system, qemu), vde(system, qemu)];
}

function passt(system: System, qemu: QemuCapabilities | undefined): Check {
  const what = 'user networking by passt (kind: passt)';
  const warn = (evidence: string, mend: string): Check => ({ id: 'passt', what, state: 'warn', evidence, mend });
  const fact = readPasst(system);
  if (fact === undefined) return warn('there is no passt; it is faster than kind: user', 'sudo apt-get install passt');
  const own = qemu?.netdevTypes.includes('passt') === true;
  if (qemu !== undefined && !own && !qemu.netdevTypes.includes('stream'))
    return warn(`${qemu.file} can join no passt`, 'QRUN_QEMU=… a QEMU of 7.2 or newer');
  if (fact.unrouted === true)
    return warn(`${fact.file}, but no interface has a default route, and this passt needs one`, 'ip route');
  const started = own ? '; this QEMU starts it itself, and runs without its sandbox then' : '';
  const evidence = `${fact.file}: recommended instead of kind: user: faster, IPv6, and forwards on any address${started}`;
  return { id: 'passt', what, state: 'ok', evidence, mend: null };
}

function vde(system: System, qemu: QemuCapabilities | undefined): Check {
  const what = 'VDE switches (kind: vde; networks with transport: vde)';
  const warn = (evidence: string, mend: string): Check => ({ id: 'vde', what, state: 'warn', evidence, mend });
  if (qemu?.netdevTypes.includes('vde') === false)
    return warn(`${qemu.file} is built without VDE`, 'QRUN_QEMU=… a QEMU that has it');
  const file = system.which('vde_switch');
  if (file === undefined) return warn('there is no vde_switch', 'sudo apt-get install vde2');
  return { id: 'vde', what, state: 'ok', evidence: file, mend: null };
}
