/** Real guests on a bridge of the host's, started by an ordinary user through the real helper. */
import { expect, test } from 'vitest';
import { bothQemus, createHome, needsEitherQemu, needsGuest, testFacts, waitUntil } from '../harness/harness.ts';
import { detach, leftOf } from '../cli/a-vm.ts';
import { createBridgeHost } from '../netns/a-bridge-host.ts';
import { GuestShell } from './guest-shell.ts';

const hostAddress = '10.88.0.254';
const server = (port: number): string =>
  `require('node:http').createServer((_, answer) => answer.end('the host')).listen(${port}, '${hostAddress}', () => console.log('ready'))`;

test.for(bothQemus)(
  'two guests on a bridge reach one another and the host, and the host them; kill -9 of both QEMUs leaves no tap; with the %s QEMU',
  async (which, context) => {
    const qemu = needsEitherQemu(context, which);
    const { vmlinuz, initrd, append } = needsGuest(context);
    const host = await createBridgeHost(context, { address: `${hostAddress}/24`, mtu: 1400 });
    const before = host.links();
    const home = createHome({ qemu, namespace: host.namespace });
    const names = ['web1', 'web2'];
    for (const [index, name] of names.entries())
      home.profile(
        name,
        `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: ${append} qrun.name=${name} qrun.ip=eth0=10.88.0.${index + 1}/24
nics: [bridge:br0]
`,
      );
    const pids: number[] = [];
    for (const name of names) pids.push((await detach(home, name)).pid);
    const http = home.startProgram([testFacts().node, '-e', server(8080)]);
    await http.waitFor(/^ready$/m);
    const [web1, web2] = [await GuestShell.open(home, 'web1'), await GuestShell.open(home, 'web2')];

    // one another, and with frames of just the bridge's MTU, which the guests were told
    expect(await web1.run('cat /sys/class/net/eth0/mtu')).toBe('1400');
    expect(await web1.run('ping -c 2 -W 30 -s 1372 10.88.0.2 >/dev/null && echo there')).toBe('there');
    expect(await web2.run('timeout 50 wget -qO- http://10.88.0.1/')).toContain('qrun-guest web1');
    // the host, and the host them
    expect(await web1.run(`ping -c 2 -W 30 ${hostAddress} >/dev/null && echo there`)).toBe('there');
    expect(await web2.run(`timeout 50 wget -qO- http://${hostAddress}:8080/`)).toBe('the host');
    for (const [index, name] of names.entries()) {
      const page = `fetch('http://10.88.0.${index + 1}/').then((answer) => answer.text()).then(console.log)`;
      expect((await home.run([testFacts().node, '-e', page])).stdout).toContain(`qrun-guest ${name}`);
    }
    web1.close();
    web2.close();
    // the host has met them by now
    for (const [index, name] of names.entries())
      expect(JSON.parse((await home.qrun(['nics', name, '--json'])).stdout)).toMatchObject([
        { source: 'br0', hostInterface: `tap${index}`, ips: [`10.88.0.${index + 1}`] },
      ]);

    http.kill('SIGKILL');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    expect(await waitUntil(() => host.taps().length === 0, 30_000)).toBe(true);
    expect(host.links()).toEqual(before);
    expect(await waitUntil(() => names.every((name) => leftOf(home, name).length === 0), 30_000)).toBe(true);
  },
);
