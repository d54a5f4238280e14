/** A plan as planLaunch makes it, small and with places of the test's own. */
import path from 'node:path';
import type { Mac, VmName } from '../../../src/names.ts';
import type { LaunchPlan } from '../../../src/plan/launch-plan.ts';
import type { Step } from '../../../src/plan/step.ts';
import { resourceOf } from '../../../src/resources/registry.ts';

export const describeStep = (step: Step) => resourceOf(step).describe(step);

export interface PlanInput {
  readonly dir: string;
  readonly qemu: string;
  readonly argv?: readonly string[];
  readonly steps?: readonly Step[];
  readonly nics?: LaunchPlan['nics'];
  readonly console?: 'stdio' | 'none';
}

export function aPlan({ dir, qemu, argv = [], steps = [], nics, console = 'stdio' }: PlanInput): LaunchPlan {
  const state = path.join(dir, 'state/vms/web1');
  const runtime = path.join(dir, 'runtime/web1');
  const lock = path.join(dir, 'state/locks/vm.web1');
  const files = ['events.in', 'events', 'qemu.log', '', 'console.log'].map((name) => path.join(state, name));
  const [input = '', events = '', log = '', , consoleLog = ''] = files;
  const open = (file: string, fd: number): Step => ({
    kind: 'open-file',
    id: `fd:${fd}`,
    needsRoot: false,
    path: file,
    fd,
    mode: 'append',
    rotate: true,
  });
  return {
    v: 1,
    vm: 'web1' as VmName,
    profile: path.join(dir, 'web1.yaml'),
    accel: 'tcg',
    qemu: {
      file: qemu,
      version: '7.2.22',
      argv,
      fds: [input, events, log, lock, consoleLog].map((file, fd) => ({ fd, path: file })),
      prefix: [],
    },
    nics: nics ?? [aNic()],
    networks: [],
    steps: [
      { kind: 'vm-lock', id: 'lock', needsRoot: false, file: lock, fd: 3 },
      { kind: 'directory', id: 'runtime', needsRoot: false, path: runtime },
      ...steps,
      {
        kind: 'open-file',
        id: 'fd:0',
        needsRoot: false,
        path: input,
        fd: 0,
        mode: 'read',
        rotate: false,
        content: '{"execute":"qmp_capabilities"}\n',
      },
      open(events, 1),
      open(log, 2),
      open(consoleLog, 4),
    ],
    sockets: { qmp: path.join(runtime, 'qmp'), console: path.join(runtime, 'console') },
    logs: { qemu: log, console: consoleLog, events },
    console,
    shutdownTimeoutS: 60,
    notes: ['KVM cannot be used here: TCG'],
  };
}

export function aNic(forwards: LaunchPlan['nics'][number]['forwards'] = []): LaunchPlan['nics'][number] {
  return {
    id: 'net0',
    kind: 'user',
    model: 'virtio-net-pci',
    mac: '52:54:00:12:ab:cd' as Mac,
    netdev: 'net0',
    source: 'user',
    forwards,
  };
}
