/** Bad input for `kind: bridge`, on a host that need not be prepared for anything. */
import { expect, test } from 'vitest';
import { createHome, needsQemu } from '../harness/harness.ts';
import { leftOf, still } from './a-vm.ts';

test.each([
  ['nics: [{ kind: bridge }]', /nics\[0\](\.bridge)?: .*bridge/],
  ['nics: [bridge]', /bridge/],
  ['nics: ["bridge:"]', /bridge/],
  ['nics: ["bridge:br%d"]', /an interface name has no "\/", "%"/],
  ['nics: ["bridge:../br0"]', /an interface name has no "\/"/],
  ['nics: ["bridge:br0 br1"]', /no blanks/],
  ['nics: ["bridge:abcdefghijklmnop"]', /1 to 15 bytes/],
  ['nics: ["bridge:.."]', /is no interface name/],
  ['nics: ["bridge:br0\\n"]', /control character/],
  ['nics: [{ kind: bridge, bridge: br0, queues: 2 }]', /queues: the bridge helper makes a tap with one pair of queues/],
  ['nics: [{ kind: bridge, bridge: br0, vhost: on }]', /vhost: QEMU's back end bridge has no vhost/],
  ['nics: [{ kind: bridge, bridge: br0, device: tap0 }]', /device/],
  [
    'nics: [{ kind: bridge, bridge: br0, helper: "/usr/lib/qemu/qemu-bridge-helper --br=br1" }]',
    /no blanks, no arguments/,
  ],
  ['nics: [{ kind: bridge, bridge: br0, helper: "/bin/sh;id" }]', /nothing that a shell would read/],
])('ABUSE 23: %s is refused with its place', async (nics, words) => {
  const home = createHome();
  home.profile('web1', `${still}${nics}\n`);
  const { status, stderr } = await home.qrun(['show', 'web1']);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(words) });
  expect(stderr).toMatch(/web1\.yaml:6:\d+/);
});

test('ABUSE 20: a name with a comma leads to no other option, and to no bridge', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', `${still}nics: ["bridge:b,br=br0"]\n`);
  const { status, stderr } = await home.qrun(['run', 'web1', '-d']);
  expect({ status, stderr }).toEqual({ status: 3, stderr: expect.stringContaining('there is no bridge b,br=br0') });
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('a refusal as JSON has the code, the hint and all the rest that is missing', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', `${still}nics: ["bridge:qr-none"]\n`);
  const { status, stderr } = await home.qrun(['show', 'web1', '--json']);
  const { error } = JSON.parse(stderr) as { error: { message: string; hint: string; causes: string[] } };
  expect({ status, hint: error.hint }).toEqual({ status: 3, hint: expect.stringMatching(/\S/) });
  expect([error.message, ...error.causes].join('\n')).toContain('there is no bridge qr-none');
});
