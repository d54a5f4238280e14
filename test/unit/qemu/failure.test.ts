import { expect, test } from 'vitest';
import { parseQemuFailure } from '../../../src/qemu/failure.ts';

const name = 'qemu-system-x86_64: ';

test.each([
  [
    `${name}-netdev {"type":"user"}: Could not set up host forwarding rule 'tcp:127.0.0.1:8080-10.0.2.15:80'`,
    'in-use',
    'tcp:127.0.0.1:8080-10.0.2.15:80',
  ],
  [
    `Could not access KVM kernel module: Permission denied\n${name}-accel kvm: failed to initialize kvm: x`,
    'permission',
    '/dev/kvm',
  ],
  [`${name}-accel kvm: Could not access KVM kernel module: No such file or directory`, 'missing-feature', 'KVM'],
  [
    `${name}-device virtio-blk-pci,drive=a: Failed to get "write" lock\nIs another process using the image [/vm/a.raw]?`,
    'in-use',
    '/vm/a.raw',
  ],
  [`${name}-blockdev {}: Could not open '/vm/x': No such file or directory`, 'invalid-profile', '/vm/x'],
  [`${name}-blockdev {}: Could not open '/vm/x': Permission denied`, 'permission', '/vm/x'],
  [`${name}-blockdev {}: 'file' driver requires '/dev/sda' to be a regular file`, 'invalid-profile', '/dev/sda'],
  ["qemu: could not open kernel file 'k': No such file or directory", 'invalid-profile', 'k'],
  ['qemu: invalid kernel header', 'invalid-profile', 'kernel'],
  [`${name}cannot set up guest memory 'pc.ram': Cannot allocate memory`, 'host-failed', 'memory'],
  [`${name}unsupported machine type\nUse -machine help to list supported machines`, 'qemu-failed', 'machine type'],
  [`${name}unsupported machine type: "nosuch"\nUse -machine help`, 'qemu-failed', '"nosuch"'],
  [`${name}unable to find CPU model 'nosuch'`, 'qemu-failed', 'nosuch'],
  [`${name}CPU model 'host' requires KVM or HVF`, 'missing-feature', 'KVM'],
  [`${name}-device nosuch: 'nosuch' is not a valid device model name`, 'qemu-failed', 'nosuch'],
  [
    `${name}Display 'gtk' is not available. Perhaps you want to install qemu-system-gui package?`,
    'missing-feature',
    'gtk',
  ],
  [`${name}-vnc unix:/x: Failed to bind socket to /x: No such file or directory`, 'host-failed', '/x'],
  [`${name}-nosuch: invalid option`, 'qemu-failed', '-nosuch'],
  [`${name}something new`, 'qemu-failed', 'something new'],
  ['no name before it', 'qemu-failed', 'no name before it'],
])('%s', (stderr, code, words) => {
  const failure = parseQemuFailure(`${stderr}\n`);
  expect(failure?.code).toBe(code);
  expect(failure?.message).toContain(words);
});

test('noise is no reason: modules that are not installed, warnings, the signal that ended it', () => {
  const noise = [
    'qemu: module ui-ui-gtk not found, do you want to install qemu-system-gui package?',
    `${name}failed to initialize module: /usr/lib/x86_64-linux-gnu/qemu/ui-opengl.so`,
    'Only modules from the same build can be loaded.',
    `${name}warning: netdev n has no peer`,
    `${name}terminating on signal 15 from pid 9 (timeout)`,
  ];
  expect(parseQemuFailure(noise.slice(1).join('\n'))).toBeUndefined();
  expect(parseQemuFailure('')).toBeUndefined();
  expect(parseQemuFailure([...noise, `${name}the reason`].join('\n'))?.message).toBe('QEMU says: the reason');
});

test('a missing display module is the reason when there is no other', () => {
  expect(
    parseQemuFailure('qemu: module ui-ui-gtk not found, do you want to install qemu-system-gui package?'),
  ).toMatchObject({
    code: 'missing-feature',
    hint: expect.stringContaining('qemu-system-gui') as string,
  });
});

test('the forward that failed is named', () => {
  const failure = parseQemuFailure(
    `${name}-netdev x: Could not set up host forwarding rule 'udp:0.0.0.0:53-10.0.2.15:53'`,
  );
  expect(failure?.forward).toBe('udp:0.0.0.0:53-10.0.2.15:53');
});

test('what goes to a terminal has no escape sequences', () => {
  expect(parseQemuFailure(`${name}bad \u001b[2Jname\u0007`)?.message).toBe('QEMU says: bad name');
});
