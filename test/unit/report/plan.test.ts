import { expect, test } from 'vitest';
import type { Step } from '../../../src/plan/step.ts';
import { renderAction, renderActionLines } from '../../../src/report/action.ts';
import { planDocument } from '../../../src/report/plan-json.ts';
import { optionLines, renderPlan } from '../../../src/report/plan.ts';
import type { Styles } from '../../../src/report/style.ts';
import { aNic, aPlan, describeStep } from './a-plan.ts';

const same = (text: string): string => text;
const styles: Styles = {
  coloured: false,
  heading: same,
  good: same,
  warning: same,
  bad: same,
  faint: same,
  strong: same,
};
const disk: Step = {
  kind: 'disk',
  id: 'disk:0',
  needsRoot: true,
  file: "/vm/it's.qcow2",
  format: 'qcow2',
  sizeBytes: 1024,
  temporary: true,
  ownDirectory: false,
};
const forward = {
  protocol: 'tcp',
  hostAddress: '127.0.0.1',
  hostPort: 'auto',
  guestPort: 22,
  step: 'port:net0:0',
  written: { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 'auto', guestPort: 22 },
} as const;
const plan = aPlan({
  dir: '/p',
  qemu: '/usr/bin/qemu',
  argv: ['-nodefaults', '-m', '512', '-append', '-x', '-device', '{"a":"b"}'],
  steps: [disk],
  nics: [aNic([forward])],
});

test('for people: everything in its order, with the commands as they are', () => {
  const text = renderPlan(plan, describeStep, styles);
  expect(text).toContain('web1  /p/web1.yaml\nQEMU 7.2.22, TCG');
  expect(text).toContain('net0  user  user    virtio-net-pci  52:54:00:12:ab:cd  127.0.0.1:auto→22');
  expect(text).toContain(`  root qemu-img create -q -f qcow2 -- '/vm/it'\\''s.qcow2' 1024\n`);
  expect(text).toContain(
    `  /usr/bin/qemu \\\n    -nodefaults \\\n    -m 512 \\\n    -append \\\n    -x \\\n    -device '{"a":"b"}'\n`,
  );
  expect(text.indexOf('mkdir -m 0700')).toBeLessThan(text.indexOf('qemu-img'));
  expect(text.indexOf('remove /p/state/vms/web1/events.in')).toBeLessThan(text.indexOf('remove /p/runtime/web1'));
  expect(text).toContain('! KVM cannot be used here: TCG');
});

test('without NICs it says so, and without notes there is no such heading', () => {
  const text = renderPlan({ ...plan, nics: [], notes: [] }, describeStep, styles);
  expect(text).toContain('none: no network at all');
  expect(text).not.toContain('Notes');
});

test('as JSON: what the contract names', () => {
  const document = planDocument(plan, describeStep);
  expect(document).toMatchObject({
    vm: 'web1',
    qemu: { file: '/usr/bin/qemu', argv: plan.qemu.argv, fds: plan.qemu.fds },
    nics: [{ id: 'net0', kind: 'user', model: 'virtio-net-pci', mac: '52:54:00:12:ab:cd', netdev: 'net0' }],
  });
  expect(document.nics[0]?.forwards).toEqual([
    { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 'auto', guest: null, guestPort: 22 },
  ]);
  const made = document.steps.find(({ kind }) => kind === 'disk');
  expect(made).toMatchObject({ needsRoot: true, release: [{ op: 'remove', path: disk.file }] });
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
});

test('one option a line', () => {
  expect(optionLines(['file.img', '-S', '-name', 'a b', 'lone'])).toEqual(['file.img', '-S', "-name 'a b'", 'lone']);
});

test.each([
  [{ argv: ['a', 'b c'], env: { X: '1 2' } }, "X='1 2' a 'b c'"],
  [{ op: 'mkdir', path: '/d', mode: '0700', owner: { uid: 1, gid: 2 } }, 'mkdir -m 0700 /d, owner 1:2'],
  [{ op: 'open', path: '/f', fd: 4, mode: 'append' }, 'open 4>>/f'],
  [{ op: 'check-port', protocol: 'udp', address: '::1', port: 'auto' }, 'find a free udp port on ::1'],
  [
    { op: 'check-port', protocol: 'tcp', address: '127.0.0.1', port: 80 },
    'check that tcp port 80 is free on 127.0.0.1',
  ],
  [{ op: 'write', path: '/f', content: 'a\nb' }, "write /f: 'a\\nb'"],
  [{ op: 'remove', path: '/a\u001b[2J' }, "remove '/a\\e[2J'"],
] as const)('%j reads %s', (action, text) => {
  expect(renderAction(action)).toBe(text);
});

const switchStep: Step = {
  kind: 'service',
  id: 'service',
  needsRoot: false,
  title: 'qrun-net lab',
  network: 'lab',
  mark: 'm1',
  programs: [
    { name: 'switch', argv: ['node', '/my switch.cjs'], restart: true },
    { name: 'vde_switch', argv: ['vde_switch'], restart: false },
  ],
  log: '/state/log',
  awaits: ['/run/gateway'],
  watch: { users: '/locks/users.lab', release: ['node', 'qrun', '__release'] },
};

test('what is kept running is told by its own command, and what starts it again stays in the JSON', () => {
  const text = renderPlan({ ...plan, steps: [switchStep] }, describeStep, styles);
  expect(text).toContain(`  keep switch running, started again whenever it ends:
      node '/my switch.cjs' >>/state/log 2>&1
  start vde_switch, once:
      vde_switch >>/state/log 2>&1
  when nobody shares the lock /locks/users.lab any more:
      node qrun __release >>/state/log 2>&1
  wait until /run/gateway is there
`);
  expect(text).not.toContain('trap');
  const [first] = planDocument({ ...plan, steps: [switchStep] }, describeStep).steps[0]?.actions ?? [];
  expect(first).toMatchObject({
    command: ['/bin/sh', '-c', expect.stringContaining('"$@"'), 'qrun-keeper', 'switch', 'node', '/my switch.cjs'],
    env: { QRUN_SERVICE: 'm1', QRUN_SERVICE_PROGRAM: 'switch' },
    purpose: { keeps: 'switch' },
  });
});

test('a file of several lines stands below its name, and none of its lines can pretend to be more', () => {
  const lines = (content: string) => renderActionLines({ op: 'write', path: '/a b', content });
  expect(lines('{\n "x": 1\n}\n')).toEqual(["write '/a b':", '    {', '     "x": 1', '    }']);
  expect(lines('one\n')).toEqual(["write '/a b': 'one\\n'"]);
  expect(lines('a\n\u001b[2J\rb')).toEqual(["write '/a b':", '    a', '    \\e[2J\\rb']);
  const purpose = { keeps: 'x', argv: ['a\n\u001b[2J'], restart: true };
  expect(renderActionLines({ op: 'spawn', command: [], log: '/l', purpose })).toEqual([
    'keep x running, started again whenever it ends:',
    "    'a\\n\\e[2J' >>/l 2>&1",
  ]);
});
