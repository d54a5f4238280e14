/**
 * `kind: vde`: a port of a VDE switch that somebody runs on this host. QEMU joins it by its directory, and needs no rights beyond those on that.
 * https://www.qemu.org/docs/master/system/invocation.html (`-netdev vde`)
 */
import { QrunError } from '../errors.ts';
import type { VdeSwitchStep } from '../plan/step.ts';
import type { VdeNic } from '../profile/profile.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { NicContext, NicKind, NicPlan } from './nic-kind.ts';
import { indexOfNic } from './support.ts';

export const vdeNic: NicKind<VdeNic> = { kind: 'vde', plan };

function plan(nic: VdeNic, context: NicContext): NicPlan {
  const { facts, netdevId } = context;
  if (!facts.qemu.netdevTypes.includes('vde')) throw withoutVde(`nics[${indexOfNic(nic, context)}]`, facts.qemu);
  const { socket, port, group, mode } = nic;
  const step: VdeSwitchStep = {
    kind: 'vde-switch',
    id: `switch:${nic.id}`,
    needsRoot: false,
    directory: socket,
    ...(facts.runAs !== undefined && { runAs: facts.runAs }),
  };
  return {
    netdev: {
      type: 'vde',
      id: netdevId,
      sock: socket,
      ...(port !== undefined && { port }),
      ...(group !== undefined && { group }),
      ...(mode !== undefined && { mode }),
    },
    steps: [step],
    source: port === undefined ? `switch ${socket}` : `switch ${socket}, port ${port}`,
    // the switch takes as many as ask for one port, and gives all of them each frame of it
    ...(port !== undefined && {
      notes: [`${nic.id}: whoever else takes port ${port} of the switch shares its frames`],
    }),
  };
}

function withoutVde(at: string, { file }: QemuCapabilities): QrunError {
  return new QrunError('missing-feature', `${at}: ${file} is built without VDE`, {
    hint: "sudo apt-get install qemu-system-x86 (Debian's has it), or name a QEMU that has it: QRUN_QEMU",
  });
}
