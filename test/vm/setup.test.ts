/** The whole story of a fresh host: root prepares it once, and from then on an ordinary user's guests are on the bridge. */
import { expect, test } from 'vitest';
import { createHome, needsGuest, needsQemu } from '../harness/harness.ts';
import { detach } from '../cli/a-vm.ts';
import { createSetupHost } from '../netns/a-setup-host.ts';
import { GuestShell } from './guest-shell.ts';

test('sudo qrun setup, then a guest of an ordinary user and the host reach one another; --undo leaves the host as it was', async (context) => {
  const qemu = needsQemu(context);
  const { vmlinuz, initrd, append } = needsGuest(context);
  const host = await createSetupHost(context);
  const { record: _, ...fresh } = host.look();
  await host.mustSetup('--bridge', 'br0', '--address', '10.0.5.1/24');

  const home = createHome({ qemu, namespace: host.namespace });
  home.profile(
    'web1',
    `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=web1 qrun.ip=eth0=10.0.5.7/24
nics: [bridge:br0]
`,
  );
  await detach(home, 'web1');
  const web1 = await GuestShell.open(home, 'web1');
  expect(await web1.run('ping -c 2 -W 30 10.0.5.1 >/dev/null && echo there')).toBe('there');
  expect(host.namespace.run(['ping', '-c', '2', '-W', '10', '10.0.5.7'])).toMatchObject({ status: 0 });
  web1.close();
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);

  await host.mustSetup('--undo');
  expect(host.look()).toMatchObject(fresh);
});
