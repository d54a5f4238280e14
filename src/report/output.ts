/** Plain synchronous writes to stdout and stderr: process.stdout costs milliseconds to make. */
import { writeSync } from 'node:fs';
import { ClosedOutput, errnoOf, QrunError } from '../errors.ts';

/** All of it, also into a pipe that somebody made non-blocking. @throws ClosedOutput when nobody reads stdout, QrunError when it cannot be written */
export function writeAll(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (fd === 2) return; // a closed stderr must not hide how it went
      else if (errno === 'EPIPE') throw new ClosedOutput('stdout was closed');
      else throw new QrunError('host-failed', `cannot write to stdout: ${errno ?? String(error)}`, { cause: error });
    }
  }
}
