/** libvirt in session mode, as the same ordinary user, with a daemon of its own. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { killProcessesOf } from './processes.mjs';

const daemons = ['/usr/sbin/virtqemud', '/usr/sbin/libvirtd'];
const startTimeoutMs = 20_000;

/** @returns {Promise<{why: string} | {timeCreate: () => number, end: () => Promise<void>}>} */
export async function startLibvirt(home, plan) {
  const daemon = daemons.find((file) => existsSync(file));
  if (!existsSync('/usr/bin/virsh') || daemon === undefined)
    return {
      why: 'libvirt is not installed (apt-get install libvirt-clients libvirt-daemon libvirt-daemon-driver-qemu)',
    };
  const env = { HOME: home.home, XDG_RUNTIME_DIR: home.runtime };
  const child = spawn(daemon, ['--timeout', '600'], { env: { ...home.env, ...env }, cwd: home.dir, stdio: 'ignore' });
  child.on('error', () => {});
  const call = (...args) => ['virsh', '-q', '-c', 'qemu:///session', ...args];
  const end = async () => killProcessesOf(home.dir);
  const file = home.write('vm.xml', domainXml(home, plan));
  try {
    await waitForDaemon(() => home.read(call('list'), env));
    const timeCreate = () => {
      const ms = home.time(call('create', '--paused', file), env);
      home.time(call('destroy', plan.vm), env);
      return ms;
    };
    timeCreate();
    return { timeCreate, end };
  } catch (error) {
    await end();
    return { why: `qemu:///session cannot be used: ${error.message}` };
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

/** The same VM in libvirt's words. */
function domainXml(home, { vm, qemu, nics }) {
  const [{ mac }] = nics;
  return `<domain type='qemu'>
  <name>${vm}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <cpu mode='maximum'/>
  <devices>
    <emulator>${qemu.file}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <interface type='user'><mac address='${mac}'/><model type='virtio'/></interface>
    <serial type='unix'><source mode='bind' path='${path.join(home.runtime, 'console')}'/></serial>
  </devices>
</domain>
`;
}
