/** A unix socket's path has a limit, and the runtime directory may be anywhere. */
import { QrunError } from '../errors.ts';
import { maxSocketPath } from './vm-files.ts';

/** @throws QrunError `host-failed` for one that the kernel does not take: before anything waits for it in vain */
export function requireSocketPath(file: string): void {
  const bytes = Buffer.byteLength(file);
  if (bytes <= maxSocketPath) return;
  throw new QrunError(
    'host-failed',
    `${file}: a socket's path may have ${maxSocketPath} bytes, this one has ${bytes}`,
    { hint: 'set QRUN_RUNTIME_DIR to a shorter directory of your own' },
  );
}
