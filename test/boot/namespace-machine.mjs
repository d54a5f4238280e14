/**
 * The same host without its boot: the managers of interfaces themselves, in namespaces, at full speed. What systemd and udev do is not tried there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import path from 'node:path';
import { runTool } from '../setup/apt.mjs';
import { lan, out } from './scenarios.mjs';

/** How each service of a scenario is started. */
const commands = {
  networking: 'mkdir -p /run/network; ifup -a; true',
  'systemd-networkd':
    'mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp; chown -R systemd-network /run/systemd/netif; /lib/systemd/systemd-networkd >/run/networkd.log 2>&1 & sleep 4',
  NetworkManager: 'mkdir -p /run/NetworkManager; NetworkManager --log-level=INFO >/run/nm.log 2>&1; sleep 5',
  dhcpcd: 'dhcpcd --nodev >/run/dhcpcd.log 2>&1 </dev/null; true',
};

/** What systemd would start: units that setup enabled. */
const ownUnits =
  'for unit in /etc/systemd/system/multi-user.target.wants/qrun-*.service; do [ -e $unit ] && sed -n "s/^ExecStart=-\\?//p" $unit | sh >/run/units.log 2>&1; done';

/** systemd does not run: what it would start again is, and of files alone the real one knows. */
const systemctl = `#!/bin/sh
case "$*" in
  'try-restart dhcpcd.service') [ -e /run/dhcpcd/pid ] || exit 0; dhcpcd -x >/dev/null 2>&1; while [ -e /run/dhcpcd/pid ]; do sleep 0.2; done; ${commands.dhcpcd} ;;
  *) exec /bin/systemctl "$@" ;;
esac
`;

export class NamespaceMachine {
  real = false;

  /** @param {{directory: string, root: string, services: readonly string[]}} places */
  constructor(places) {
    this.places = places;
    this.transcript = path.join(places.directory, 'transcript');
    this.names = { host: `qboot-${process.pid}`, lan: `qboot-${process.pid}-lan` };
  }

  async start() {
    const { directory, root, services } = this.places;
    const { host, lan: router } = this.names;
    for (const name of ['upper', 'work', 'merged']) mkdirSync(path.join(directory, name), { recursive: true });
    const links = [
      `ip netns add ${host}; ip netns add ${router}`,
      `ip -n ${router} link set lo up; ip -n ${host} link set lo up`,
      `ip -n ${host} link add ${out} address 52:54:00:12:34:10 type veth peer name out netns ${router}`,
      `ip -n ${host} link add ${lan} address 52:54:00:12:34:11 type veth peer name lan netns ${router}`,
      `ip -n ${router} address add 10.0.2.2/24 dev out; ip -n ${router} link set out up`,
      `ip -n ${router} address add 192.168.77.2/24 dev lan; ip -n ${router} link set lan up`,
    ];
    runTool('sh', ['-ec', links.join('\n')]);
    this.server = spawn(
      'ip',
      [
        ...['netns', 'exec', router, 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0'],
        ...['--dhcp-range=10.0.2.15,10.0.2.30,1h', '--dhcp-range=192.168.77.60,192.168.77.90,1h'],
        ...['--dhcp-authoritative', `--dhcp-leasefile=${directory}/leases`, '--user=root', '--pid-file='],
      ],
      { stdio: 'ignore' },
    );
    writeFileSync(path.join(root, 'usr/local/bin/systemctl'), systemctl, { mode: 0o755 });
    const begin = [
      `mount -t overlay overlay -o lowerdir=${root},upperdir=${directory}/upper,workdir=${directory}/work ${directory}/merged`,
      `cd ${directory}/merged`,
      'mount -t proc proc proc; mount -t sysfs -o ro sysfs sys; mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs tmp; mount -t tmpfs -o mode=755 dev dev',
      'mkdir -p dev/net dev/pts run/dbus run/lock; mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/random c 1 8; mknod -m 666 dev/net/tun c 10 200',
      `chroot . sh -c '${['sysctl --quiet --system >/run/sysctl.log 2>&1', 'dbus-daemon --system --fork', ownUnits, ...services.map((name) => commands[name])].join('\n')}'`,
      'echo ready',
      'exec sleep infinity',
    ];
    this.process = spawn(
      'ip',
      [
        'netns',
        'exec',
        host,
        'unshare',
        '--mount',
        '--uts',
        '--pid',
        '--fork',
        '--kill-child',
        'sh',
        '-c',
        begin.join('\n'),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let text = '';
    this.process.stderr.on('data', (chunk) => appendFileSync(this.transcript, chunk));
    for await (const chunk of this.process.stdout) {
      text += chunk;
      if (text.includes('ready')) break;
    }
    this.inside = Number(runTool('pgrep', ['-P', String(this.process.pid)]).split('\n')[0]);
  }

  async run(script, { timeoutMs = 120_000 } = {}) {
    const begin = performance.now();
    const merged = path.join(this.places.directory, 'merged');
    const child = spawnSync(
      'nsenter',
      [
        ...['-t', String(this.inside), '-m', '-n', '-p', '--', 'chroot', merged],
        ...['env', '-i', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'],
        ...['sh', '-c', script],
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs },
    );
    const text = `${child.stdout}${child.stderr}`;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    appendFileSync(this.transcript, `# ${script}\n${text}# ended with ${child.status} after ${seconds} s\n\n`);
    return { status: child.status ?? 255, text };
  }

  async must(script, options) {
    const { status, text } = await this.run(script, options);
    if (status !== 0) throw new Error(`${script}\nended with ${status}: ${text}`);
    return text;
  }

  async reboot() {
    await this.stop();
    await this.start();
  }

  async stop() {
    if (this.process === undefined) return;
    for (const child of [this.process, this.server]) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    for (const name of Object.values(this.names)) spawnSync('ip', ['netns', 'delete', name]);
  }
}
