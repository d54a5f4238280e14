/**
 * `transport: vde`: guests are on a vde_switch (package vde2), which whatever speaks VDE can join. Needs no rights.
 *
 * DHCP, names and the way out are those of the hub: the gateway's QEMU is a port of the vde_switch too, and hands its frames to qrun's own switch. slirpvde, which
 * comes with VDE, knows the Ethernet address of one guest at a time, the last it heard of, and answers all others there: it serves a single guest.
 */
import path from 'node:path';
import { QrunError } from '../../errors.ts';
import type { ServiceStep } from '../../plan/step.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { planSwitched, switchedFaults } from './switched.ts';
import type { TransportContext, TransportKind, TransportLook, TransportPlan } from './transport-kind.ts';

/** What a frame of VDE's can carry. */
export const longestMtu = 1500;

export const vde: TransportKind = {
  transport: 'vde',
  validate: (look) => [...switchedFaults('vde', look), ...mtuFaults(look)],
  plan,
};

function mtuFaults({ written: { mtu } }: TransportLook): PathFault[] {
  if (typeof mtu !== 'number' || mtu <= longestMtu) return [];
  return [{ path: ['mtu'], at: 'value', message: `transport vde carries packets of ${longestMtu} bytes at most` }];
}

function plan(context: TransportContext): TransportPlan {
  const { files } = context.input;
  const port = path.join(files.ports, 'vde.port');
  return planSwitched(context, {
    attach: { by: 'vde', directory: files.vdeDirectory },
    programs: [vdeSwitch(context)],
    gatewayFollows: vdeSwitchName,
    awaits: [path.join(files.vdeDirectory, 'ctl'), port],
    bridge: [
      { type: 'vde', id: 'vde', sock: files.vdeDirectory },
      { type: 'stream', id: 'vde-lan', server: true, addr: { type: 'unix', path: port } },
    ],
  });
}

/** In the foreground it ends at the end of its input: so that is a FIFO that it has open for writing itself. */
const withInput = 'mkfifo -m 600 "$1" && exec 0<>"$1" && rm -f "$1" && shift && exec "$@"';

const mostPorts = 256;
export const vdeSwitchName = 'vde_switch';

function vdeSwitch({ network, input }: TransportContext): ServiceStep['programs'][number] {
  const { files, facts } = input;
  const program = facts.tools['vde_switch'];
  if (program === undefined) {
    throw new QrunError(
      'missing-tool',
      `network ${network.name}: transport vde takes vde_switch, which was not found on PATH`,
      {
        hint: 'sudo apt-get install vde2; or write transport: hub',
      },
    );
  }
  const own = [
    program,
    '-s',
    files.vdeDirectory,
    '-M',
    files.vdeManagement,
    '-f',
    '/dev/null',
    '-n',
    String(mostPorts),
  ];
  const modes = ['-m', '0600', '--dirmode', '0700', '--mgmtmode', '0600'];
  return {
    name: vdeSwitchName,
    argv: ['/bin/sh', '-c', withInput, vdeSwitchName, path.join(files.runtimeDir, 'vde.in'), ...own, ...modes],
    makes: [path.join(files.vdeDirectory, 'ctl')],
    // guests do not join again: a new one would be a switch without them
    restart: false,
  };
}
