import { expect, test } from 'vitest';
import { parseQemuFailure } from '../../../src/qemu/failure.ts';

const failed = 'qemu-system-x86_64: -netdev {"type":"bridge","id":"n","br":"br0"}: bridge helper failed';
const setup = 'sudo qrun setup --bridge br0';

test.each([
  ["failed to parse default acl file `/etc/qemu/bridge.conf'", 'permission', '/etc/qemu/bridge.conf', setup],
  [
    "Unknown command `bogus'\nfailed to parse default acl file `/etc/qemu/bridge.conf'",
    'permission',
    'one of its lines',
    setup,
  ],
  ['access denied by acl file', 'permission', 'does not allow', setup],
  ['failed to open /dev/net/tun: Permission denied', 'permission', '/dev/net/tun: Permission denied', 'doctor'],
  ['failed to create tun device: Operation not permitted', 'permission', 'may not make a tap: Operation', setup],
  ['failed to drop privileges', 'permission', 'may not make a tap', setup],
  ["failed to get mtu of bridge `br0': No such device", 'host-failed', 'there is no bridge br0', setup],
  [
    "failed to add interface `tap0' to bridge `vx0': Operation not supported",
    'host-failed',
    'vx0 took no port',
    'ports',
  ],
  ["failed to set mtu of device `tap0' to 65536: Invalid argument", 'host-failed', '65536', 'doctor'],
  ['', 'host-failed', 'said nothing', 'doctor'],
])('%s', (...[words, code, message, hint]) => {
  const failure = parseQemuFailure(`qemu: warning: x\n${words}\n${failed}\n`);
  expect(failure).toMatchObject({
    code,
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
    line: words === '' ? failed : words.split('\n').at(-1),
  });
});

test('the old syntax names the bridge too; control characters of a file do not reach the terminal', () => {
  const old = 'qemu-system-x86_64: -netdev bridge,id=n,br=br7: bridge helper failed';
  expect(parseQemuFailure(`access denied by acl file\n${old}`)?.hint).toBe('sudo qrun setup --bridge br7');
  const nasty = "failed to get mtu of bridge `\u001b[2Jbr0': No such device";
  expect(parseQemuFailure(`${nasty}\n${old}`)?.message).toBe('there is no bridge br0: No such device');
});
