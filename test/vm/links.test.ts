/** Real guests on two hosts that are joined by VXLAN: each host is a network of the test's own, with root's qrun in it. */
import { expect, test } from 'vitest';
import { must, needsGuest, waitUntil } from '../harness/harness.ts';
import { detach, leftOf } from '../cli/a-vm.ts';
import { createJoinedHosts } from '../netns/a-joined-host.ts';
import { GuestShell } from './guest-shell.ts';

test('guests of two hosts reach one another with frames as large as they were told', async (context) => {
  const { vmlinuz, initrd, append } = needsGuest(context);
  const hosts = await createJoinedHosts(context, { count: 2 });
  const before = hosts.map(({ host }) => host.state());
  for (const [number, { root, network }] of hosts.entries()) {
    // the first has a bridge of its own, and so has the network; the other's is that of its host
    const bridge = number === 0 ? '' : 'bridge: { name: br0 }\n';
    network(`forward: bridge\n${bridge}links: [{ vxlan: { id: 42, peers: [10.1.0.1, 10.1.0.2] } }]\n`);
    root.profile(
      `web${number + 1}`,
      `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=web${number + 1} qrun.ip=eth0=10.9.0.${11 + number}/24
nics: ["network:lan0"]
`,
    );
  }
  await Promise.all(hosts.map(({ root }, number) => detach(root, `web${number + 1}`)));
  const shells = await Promise.all(hosts.map(({ root }, number) => GuestShell.open(root, `web${number + 1}`)));
  const [web1, web2] = shells;
  if (web1 === undefined || web2 === undefined) throw new Error('no guests');
  for (const shell of shells) expect(await shell.run('cat /sys/class/net/eth0/mtu')).toBe('1450');
  const whole = 1450 - 28;
  expect(await web1.run(`ping -c 2 -W 30 -s ${whole} 10.9.0.12 >/dev/null && echo there || echo away`)).toBe('there');
  expect(await web2.run('timeout 50 wget -qO- http://10.9.0.11/')).toContain('qrun-guest web1');
  for (const shell of shells) shell.close();
  for (const [number, { root }] of hosts.entries()) {
    await must(root, 'kill', `web${number + 1}`);
    expect(await waitUntil(() => leftOf(root, `web${number + 1}`).length === 0, 30_000)).toBe(true);
  }
  expect(await waitUntil(() => hosts.every(({ host }) => host.made().length === 0), 30_000)).toBe(true);
  expect(hosts.map(({ host }) => host.state())).toEqual(before);
});
