/**
 * A machine that really boots: QEMU without KVM, a disk of its own, two network cards that lead nowhere, and an agent that runs scripts as root in it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, createWriteStream, existsSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How many times the usual a host that is slow, or has much else to do, may take: QRUN_BOOT_PATIENCE. */
const patience = Number(process.env.QRUN_BOOT_PATIENCE ?? 1);
const bootMs = 900_000;

export class Machine {
  real = true;

  /** @param {{directory: string, disk: string, kernel: string, initrd: string}} places */
  constructor(places) {
    this.places = places;
    this.process = undefined;
    this.lines = undefined;
    /** Every script and its answer. */
    this.transcript = path.join(places.directory, 'transcript');
  }

  async start() {
    const { directory, disk, kernel, initrd } = this.places;
    const socket = path.join(directory, 'agent');
    rmSync(socket, { force: true });
    const args = [
      ...[
        '-machine',
        'q35,accel=tcg',
        '-cpu',
        'max',
        '-smp',
        '2',
        '-m',
        '1536',
        '-nodefaults',
        '-nographic',
        '-no-reboot',
      ],
      ...['-kernel', kernel, '-initrd', initrd],
      ...[
        '-append',
        'root=/dev/vda rw console=ttyS0 quiet loglevel=4 mitigations=off nokaslr audit=0 panic=-1 no_timer_check',
      ],
      ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe,discard=unmap`, '-serial', 'stdio'],
      ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
      ...['-chardev', `socket,id=agent,path=${socket},server=on,wait=off`],
      ...['-device', 'virtserialport,chardev=agent,name=agent'],
      // the way out, and the LAN: both end in QEMU
      ...[
        '-netdev',
        'user,id=out,restrict=on,net=10.0.2.0/24',
        '-device',
        'virtio-net-pci,netdev=out,addr=0x10,romfile=',
      ],
      ...[
        '-netdev',
        'user,id=lan,restrict=on,net=192.168.77.0/24',
        '-device',
        'virtio-net-pci,netdev=lan,addr=0x11,romfile=',
      ],
    ];
    this.process = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(path.join(directory, 'console.log'), { flags: 'a' });
    this.process.stdout.pipe(log, { end: false });
    this.process.stderr.pipe(log, { end: false });
    this.socket = await connect(socket, this.process);
    this.lines = linesOf(this.socket);
    await this.ready();
  }

  /** After a start and after each reboot: the agent says so, and then systemd has started all. */
  async ready() {
    // an answer may have been cut off by the end of the machine
    for (let line = ''; !line.endsWith('ready');) line = await this.next(bootMs);
    await this.run('systemctl is-system-running --wait || true', { timeoutMs: bootMs });
  }

  /** @returns {Promise<{status: number, text: string}>} of a shell script, root's */
  async run(script, { timeoutMs = 240_000 } = {}) {
    const begin = performance.now();
    this.socket.write(`${Buffer.from(script).toString('base64')}\n`);
    const [status = '', answer = ''] = (await this.next(timeoutMs)).split(' ');
    const text = Buffer.from(answer, 'base64').toString();
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    appendFileSync(this.transcript, `# ${script}\n${text}# ended with ${status} after ${seconds} s\n\n`);
    return { status: Number(status), text };
  }

  /** @throws Error when it fails */
  async must(script, options) {
    const { status, text } = await this.run(script, options);
    if (status !== 0) throw new Error(`${script}\nended with ${status}: ${text}`);
    return text;
  }

  /** By a QEMU of its own each time: a kernel that finds the timers as another left them hangs now and then without KVM. */
  async reboot() {
    const { process: before } = this;
    const end = before.exitCode === null ? once(before, 'exit') : undefined;
    this.socket.write(`${Buffer.from('systemctl --no-block reboot').toString('base64')}\n`);
    const late = sleep(bootMs * patience, 'late', { ref: false });
    if ((await Promise.race([end, late])) === 'late') throw new Error('the machine did not go down');
    this.socket.destroy();
    await this.start();
  }

  async stop() {
    if (this.process === undefined || this.process.exitCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
    this.socket?.destroy();
  }

  async next(timeoutMs) {
    const timer = new AbortController();
    const late = sleep(timeoutMs * patience, 'late', { signal: timer.signal }).catch(() => 'late');
    const first = await Promise.race([this.lines.next(), late]);
    timer.abort();
    if (first === 'late') throw new Error(`the machine did not answer in ${(timeoutMs * patience) / 1000} s`);
    if (first.done) throw new Error('the machine is gone');
    return first.value;
  }
}

async function connect(file, { pid }) {
  for (;;) {
    if (existsSync(file)) {
      const socket = net.connect(file);
      try {
        await once(socket, 'connect');
        // its end is told by whoever reads
        return socket.on('error', () => {});
      } catch {
        // QEMU listens in a moment
      }
    }
    process.kill(pid, 0);
    await sleep(50);
  }
}

async function* linesOf(socket) {
  let rest = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
