/** Its rules take a new device from everybody but root, and it comes to them some time after the kernel has made it. */
import type { System } from '../system/system.ts';

/** Until udev has nothing left to do. https://man7.org/linux/man-pages/man8/udevadm.8.html */
export const settleArgv = ['udevadm', 'settle', '--timeout=10'] as const;

export async function settleUdev(system: Pick<System, 'run' | 'which'>): Promise<void> {
  const [tool, ...args] = settleArgv;
  if (system.which(tool) !== undefined) await system.run(tool, args);
}
