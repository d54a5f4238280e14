/**
 * Which file systems STATE may not be on. A flock on a network file system is either local to one machine or emulated by something
 * that a crash leaves behind, so that two hosts could both believe that they run the same VM.
 */
import { readFileSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';

/** statfs(2) `f_type` of network file systems. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'CEPH'],
  [0x0bd00bd0, 'Lustre'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
]);
const fuseType = 0x65735546;
const networkFuse = /^fuse\.(sshfs|glusterfs|s3fs|rclone|davfs2?|curlftpfs|moosefs|mfs|gcsfuse|ceph|juicefs)/;

/** The name of the network file system behind that number, or undefined for a local one. */
export function networkFilesystemOf(type: number): string | undefined {
  return networkTypes.get(type >>> 0);
}

/** @throws QrunError `unsafe-state` when `directory` (or the nearest one above it that exists) is on a network file system */
export function checkStateFilesystem(directory: string): void {
  const at = path.resolve(directory);
  let type: number;
  try {
    ({ type } = statfsSync(at));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && at !== '/') return checkStateFilesystem(path.dirname(at));
    if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'ENOTDIR') return; // whoever makes the directory says so better
    throw error;
  }
  const found = networkFilesystemOf(type) ?? (type === fuseType ? networkFuseAt(at) : undefined);
  if (found === undefined) return;
  throw new QrunError('unsafe-state', `${at} is on a network file system (${found}), where locks do not hold`, {
    hint: 'QRUN_STATE_DIR=/var/tmp/qrun-$USER names a directory on a local disk',
  });
}

function networkFuseAt(directory: string): string | undefined {
  let best = { mount: '', type: '' };
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const mount = front.split(' ')[4] ?? '';
    const inside = mount === '/' || directory === mount || directory.startsWith(`${mount}/`);
    if (mount !== '' && inside && mount.length >= best.mount.length) best = { mount, type: back.split(' ')[0] ?? '' };
  }
  return networkFuse.test(best.type) ? best.type : undefined;
}
