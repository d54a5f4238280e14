/** libvirt in system mode, as root, in the bench's own namespaces, with a daemon of its own: its default network. */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const daemons = ['/usr/sbin/virtnetworkd', '/usr/sbin/libvirtd'];
const startTimeoutMs = 20_000;

/** As libvirt ships it. */
const xml = `<network>
  <name>default</name>
  <bridge name='virbr0'/>
  <forward mode='nat'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
`;

/** @returns {Promise<{why: string, end?: undefined} | {why?: undefined, up: () => number, down: () => number, end: () => Promise<void>}>} */
export async function startNetworkLibvirt(home) {
  const daemon = daemons.find((file) => existsSync(file));
  const missing = ['/usr/bin/virsh', '/usr/sbin/iptables'].filter((file) => !existsSync(file));
  if (daemon === undefined || missing.length > 0)
    return {
      why: 'libvirt is not installed (apt-get install libvirt-clients libvirt-daemon libvirt-daemon-driver-qemu iptables)',
    };
  addAccounts();
  const child = spawn(daemon, ['--timeout', '600'], { env: home.env, cwd: home.dir, stdio: 'ignore' });
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await gone;
  };
  child.on('error', () => {});
  const uri = daemon.endsWith('libvirtd') ? 'qemu:///system' : 'network:///system';
  const call = (...args) => ['virsh', '-q', '-c', uri, ...args];
  try {
    await waitForDaemon(() => home.read(call('net-list', '--all')));
    home.read(call('net-define', home.write('default.xml', xml)));
    return {
      up: () => home.time(call('net-start', 'default')),
      down: () => home.time(call('net-destroy', 'default')),
      end,
    };
  } catch (error) {
    await end();
    return { why: `${uri} cannot be used: ${error.message}` };
  }
}

/** It does not start without these; the /etc is the bench's own. */
function addAccounts() {
  for (const name of ['libvirt-qemu', 'kvm']) {
    for (const [file, rest] of [
      ['/etc/passwd', 'x:64055:64055::/:/usr/sbin/nologin'],
      ['/etc/group', 'x:64055:'],
    ])
      if (!new RegExp(`^${name}:`, 'm').test(readFileSync(file, 'utf8'))) appendFileSync(file, `${name}:${rest}\n`);
  }
}

async function waitForDaemon(ask) {
  for (const end = performance.now() + startTimeoutMs; ; await delay(200)) {
    try {
      return ask();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}
