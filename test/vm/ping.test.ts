/** A guest's ping through user networking: the kernel lets QEMU ask, or it does not. */
import { expect, test } from 'vitest';
import { createHome, createNamespace, needsGuest, needsQemu, needsRoot } from '../harness/harness.ts';

const address = '198.51.100.1';

test.for([
  ['open', '0 2147483647', 'answered'],
  ['closed', '1 0', 'unanswered'],
] as const)(
  'where net.ipv4.ping_group_range is %s, a ping is as doctor foretells',
  async ([, range, word], context) => {
    needsRoot(context);
    needsQemu(context);
    const { vmlinuz, initrd, append } = needsGuest(context);
    const namespace = await createNamespace();
    expect(namespace.run(['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo'])).toMatchObject({ status: 0 });
    expect(namespace.run(['sysctl', '-qw', `net.ipv4.ping_group_range=${range}`])).toMatchObject({ status: 0 });
    const home = createHome({ namespace });
    const script = `ping -c 3 -W ${word === 'answered' ? 30 : 2} ${address} >/dev/null && echo it was answered || echo it was unanswered`;
    const command = Buffer.from(script).toString('base64');
    home.profile(
      'web1',
      `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.cmd=${command} qrun.exec=poweroff
`,
    );
    const { status, stdout } = await home.qrun(['web1']);
    expect(status).toBe(0);
    expect(stdout).toContain(`it was ${word}`);
  },
);
