/** The test guest with an sshd: Debian's dropbear, its libraries and a key that may log in, as an archive behind the guest's own. */
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { TestContext } from 'vitest';
import { needsFile, needsGuest, repository, type Home } from '../harness/harness.ts';

interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly data?: Buffer;
}

const { buildCpio } = (await import(path.join(repository, 'test/guest/cpio.mjs'))) as {
  buildCpio: (entries: readonly Entry[]) => Buffer;
};

const programs = ['/usr/sbin/dropbear', '/usr/bin/dropbearkey'];

/** Run in the guest when it is up: a host key that is made anew with every boot. The guest's PATH is /bin. */
export const startSshd = [
  'mkdir -p /dev/pts',
  'mount -t devpts none /dev/pts',
  '/usr/bin/dropbearkey -t ed25519 -f /etc/hostkey >/dev/null 2>&1',
  '/usr/sbin/dropbear -s -r /etc/hostkey',
].join(' && ');

/** @returns kernel, initrd and append of a guest whose root may log in with the key `identity` (a private key's file). */
export function guestWithSshd(
  context: TestContext,
  home: Home,
  identity: string,
): { readonly vmlinuz: string; readonly initrd: string; readonly append: string } {
  const { vmlinuz, initrd, append } = needsGuest(context);
  for (const program of programs) needsFile(context, program);
  const publicKey = readFileSync(`${identity}.pub`);
  const files = [...programs, ...new Set(programs.flatMap(librariesOf))];
  const entries: Entry[] = [
    ...directoriesOf([...files, '/root/.ssh/x', '/etc/x']),
    ...files.map((file) => ({ path: file.slice(1), mode: 0o100755, data: readFileSync(realpathSync(file)) })),
    { path: 'root/.ssh/authorized_keys', mode: 0o100600, data: publicKey },
    { path: 'etc/passwd', mode: 0o100644, data: Buffer.from('root:x:0:0:root:/root:/bin/sh\n') },
    { path: 'etc/shells', mode: 0o100644, data: Buffer.from('/bin/sh\n') },
  ];
  const both = Buffer.concat([readFileSync(initrd), gzipSync(buildCpio(entries), { level: 1 })]);
  const file = home.write('sshd-initrd.gz', '');
  writeFileSync(file, both);
  return { vmlinuz, initrd: file, append };
}

/** What ldd names, under the names by which the loader looks for them. */
function librariesOf(program: string): string[] {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  return [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map(([, file = '']) => file);
}

/** Each directory on the way, once. `lib`, `bin` and the like are the guest's own. */
function directoriesOf(files: readonly string[]): Entry[] {
  const found = new Set<string>();
  for (const file of files) {
    for (let folder = path.dirname(file); folder !== '/'; folder = path.dirname(folder)) found.add(folder);
  }
  return [...found].map((folder) => ({
    path: folder.slice(1),
    mode: folder.startsWith('/root') ? 0o040700 : 0o040755,
  }));
}
