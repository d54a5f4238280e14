/** An errno in words: what was tried on which path, and whether it is a matter of rights or of the host. */
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';

const words: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files in this process',
  ENFILE: 'too many open files on this host',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EIO: 'input/output error',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  ELOOP: 'it is a symbolic link',
  ENAMETOOLONG: 'the name is too long',
};

/** The file itself may not be there. */
const directoryOf = (file: string): string => (path.isAbsolute(file) ? shellWord(path.dirname(file)) : '.');

/** Whose each part of a path is, and who may do what with it. */
const rightsOf = (file: string): string | undefined =>
  path.isAbsolute(file) ? `namei -l ${shellWord(file)}` : undefined;

const hints: Readonly<Record<string, (file: string) => string | undefined>> = {
  EACCES: rightsOf,
  EPERM: rightsOf,
  ENOSPC: (file) => `df ${directoryOf(file)}`,
  EDQUOT: () => 'quota',
  EROFS: (file) => `findmnt -T ${directoryOf(file)}`,
  EMFILE: () => 'ulimit -n 4096',
};

/** A QrunError passes as it is; whatever has no errno is a bug and passes too. */
export function failureOf(file: string, error: unknown, tried: string): unknown {
  if (error instanceof QrunError) return error;
  const errno = errnoOf(error);
  if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return error;
  const code = errno === 'EACCES' || errno === 'EPERM' ? 'permission' : 'host-failed';
  const hint = hints[errno]?.(file);
  return new QrunError(code, `${file}: ${tried}: ${words[errno] ?? errno}`, {
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

/** What the host can answer to any of our calls at any time, without anybody's fault in the program. */
const ofTheHost = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EACCES', 'EPERM']);

/** The same for an error that nobody caught on its way: what the host is to blame for is no bug. */
export function hostFailureOf(error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  const { path: file, syscall } = error as NodeJS.ErrnoException;
  if (errno === 'ENOENT' && syscall === 'uv_cwd')
    return new QrunError('host-failed', 'the working directory is gone', { cause: error, hint: 'cd' });
  if (!ofTheHost.has(errno)) return error;
  return failureOf(file ?? 'this host', error, `${syscall ?? 'a system call'} failed`);
}
