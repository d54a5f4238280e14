/**
 * A caller's open files must not reach QEMU: one that is a lock would be kept for as long as the VM runs, and one that is a secret would be
 * the guest's for the asking. Node opens everything of its own close-on-exec, so what is not was inherited.
 */
import { closeSync, readdirSync, readFileSync } from 'node:fs';

const closeOnExec = 0o2000000;

/** Closes every descriptor above 2 that a child would inherit; a parent's IPC channel stays. Gives those that it closed. */
export function closeStrayDescriptors(): number[] {
  const kept = channelDescriptor();
  const strays = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && fd !== kept && isInheritable(fd));
  for (const fd of strays) {
    try {
      closeSync(fd);
    } catch {
      // the descriptor of the directory that was just read is gone by now
    }
  }
  return strays;
}

function channelDescriptor(): number | undefined {
  const channel: unknown = process.channel;
  if (typeof channel !== 'object' || channel === null || !('fd' in channel)) return undefined;
  return typeof channel.fd === 'number' ? channel.fd : undefined;
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    return false;
  }
}
