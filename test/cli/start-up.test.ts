import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, needsRoot, ownerFor, type Home } from '../harness/harness.ts';

const codeFiles = (home: Home): string[] =>
  readdirSync(home.cache).flatMap((name) => (name.startsWith('code-') ? [path.join(home.cache, name)] : []));

/** The cache of `ls`, made by a run. */
async function madeCache(home: Home): Promise<string> {
  expect((await home.qrun(['ls'])).status).toBe(0);
  const [file, ...others] = codeFiles(home);
  expect(others).toEqual([]);
  return file ?? '';
}

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Runs `ls` with whatever lies in the cache; true if a good one was written in its place. */
async function isReplaced(home: Home, file: string): Promise<boolean> {
  const before = statSync(file).ino;
  const { status, stderr } = await home.qrun(['ls']);
  expect({ status, stderr: stderr.includes('bug') }).toEqual({ status: 0, stderr: false });
  return statSync(file).ino !== before;
}

test('the first run makes the cache, its owner’s alone; the next leaves it as it is', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(file).uid).toBe(ownerFor('user').uid);
  expect(await isReplaced(home, file)).toBe(false);
});

test('a command that the cache has not seen adds to it, once', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  const before = statSync(file);
  expect((await home.qrun(['ps'])).status).toBe(0);
  const after = statSync(file);
  expect(after.ino).not.toBe(before.ino);
  expect((await home.qrun(['ps'])).status).toBe(0);
  expect((await home.qrun(['ls'])).status).toBe(0);
  expect(statSync(file).ino).toBe(after.ino);
});

test('--version touches nothing', async () => {
  const home = createHome({ cold: true });
  expect((await home.qrun(['--version'])).status).toBe(0);
  expect(readdirSync(home.cache)).toEqual([]);
});

test('a flipped bit, in any of 64 places, is noticed before V8 sees it', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  const good = readFileSync(file);
  for (let place = 0; place < 64; place++) {
    const bad = Buffer.from(good);
    const at = Math.floor(((place + 0.5) * bad.length) / 64);
    bad.writeUInt8((bad[at] ?? 0) ^ (1 << (place % 8)), at);
    writeFileSync(file, bad);
    expect(await isReplaced(home, file), `bit ${place % 8} of byte ${at}`).toBe(true);
  }
}, 240_000);

test.each([
  ['empty', (file: string) => truncateSync(file, 0)],
  ['shorter than its head', (file: string) => truncateSync(file, 10)],
  ['cut in the middle', (file: string) => truncateSync(file, 40_000)],
  ['a word too short', (file: string) => truncateSync(file, statSync(file).size - 4)],
  ['a byte too long', (file: string) => writeFileSync(file, 'x', { flag: 'a' })],
  ['64 words changed', (file: string) => changeWords(file)],
  ['something else', (file: string) => writeFileSync(file, 'qrc3'.repeat(1000))],
  ['zeroes', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
  ['its own half', (file: string) => truncateSync(file, statSync(file).size / 2)],
])('a cache that is %s is ignored and made anew', async (_what, damage) => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  damage(file);
  expect(await isReplaced(home, file)).toBe(true);
  expect(await isReplaced(home, file)).toBe(false);
});

function changeWords(file: string): void {
  const bytes = readFileSync(file);
  for (let index = 0; index < 64; index++) bytes.writeUInt32LE(0xdeadbeef, 400 + index * 4096);
  writeFileSync(file, bytes);
}

test.each([0o666, 0o620, 0o602])('a cache of mode %o is not read', async (mode) => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  chmodSync(file, mode);
  expect(await isReplaced(home, file)).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a directory that others can write is neither read nor written', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  const good = digest(file);
  chmodSync(home.cache, 0o777);
  writeFileSync(file, 'not code');
  expect(await isReplaced(home, file)).toBe(false);
  expect(digest(file)).not.toBe(good);
});

test('a cache of another user’s is not read by root', async (context) => {
  needsRoot(context);
  const home = createHome({ as: 'root', cold: true });
  const file = await madeCache(home);
  const { uid, gid } = ownerFor('user');
  chownSync(file, uid, gid);
  expect(await isReplaced(home, file)).toBe(true);
  expect(statSync(file).uid).toBe(0);
});

test('a link in place of the cache is not followed, nor what it points to touched', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  const elsewhere = path.join(home.dir, 'elsewhere');
  renameSync(file, elsewhere);
  symlinkSync(elsewhere, file);
  const before = digest(elsewhere);
  expect((await home.qrun(['ls'])).status).toBe(0);
  expect(lstatSync(file).isFile()).toBe(true);
  expect(digest(elsewhere)).toBe(before);
});

test('a link in place of the directory is not followed', async () => {
  const home = createHome({ cold: true });
  const aim = home.mkdir('aim');
  rmSync(home.cache, { recursive: true });
  symlinkSync(aim, home.cache);
  expect((await home.qrun(['ls'])).status).toBe(0);
  expect(readdirSync(aim)).toEqual([]);
});

test('a fifo, a directory or no place at all does not keep it from running', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  rmSync(file);
  await home.run(['mkfifo', file]);
  expect((await home.qrun(['ls'], { timeoutMs: 50_000 })).status).toBe(0);
  rmSync(file);
  mkdirSync(file, { mode: 0o755 });
  expect((await home.qrun(['ls'])).status).toBe(0);
  expect((await home.qrun(['ls'], { env: { QRUN_CACHE_DIR: '/proc/nowhere' } })).status).toBe(0);
  expect((await home.qrun(['ls'], { env: { QRUN_CACHE_DIR: '/dev/null' } })).status).toBe(0);
});

test('V8 flags do not replace the cache of those who have none', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  const before = statSync(file).ino;
  const { status } = await home.qrun(['ls'], {
    env: { NODE_OPTIONS: '--stack-trace-limit=50 --max-old-space-size=200' },
  });
  expect(status).toBe(0);
  expect(statSync(file).ino).toBe(before);
});

test('caches of old versions go after a month; other files stay', async () => {
  const home = createHome({ cold: true });
  const old = home.write('k/code-v18.0.0-x64-0123456789ab-light.bin', 'old');
  const other = home.write('k/qemu-0123.json', '{}');
  await home.run(['touch', '-d', '2020-01-01', old, other]);
  await madeCache(home);
  expect(existsSync(old)).toBe(false);
  expect(existsSync(other)).toBe(true);
});

/** The files of the bundle whose code is in a cache. */
function sourcesIn(file: string): string[] {
  const bytes = readFileSync(file);
  const head = JSON.parse(bytes.toString('utf8', 16, 16 + bytes.readUInt32LE(4))) as { parts: { source: string }[] };
  return head.parts.map(({ source }) => source).toSorted();
}

test('what starts VMs is not loaded to list them, and networks and labs by neither', async () => {
  const home = createHome({ cold: true });
  const file = await madeCache(home);
  expect(sourcesIn(file)).toEqual(['qrun.cjs']);
  home.write('c/profiles/plain.yaml', 'memory: 64M\naccel: tcg\n');
  expect((await home.qrun(['show', 'plain'])).status).toBe(0);
  const all = codeFiles(home).flatMap(sourcesIn);
  expect(all).toContain('launch.cjs');
  expect(all).not.toContain('more.cjs');
});

test('a failure that one file of the bundle throws is known in the others', async () => {
  const home = createHome({ cold: true });
  const { status, stderr } = await home.qrun(['net', 'up', 'nosuch']);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(/no network nosuch[^]*hint: /) });
  expect(codeFiles(home).flatMap(sourcesIn)).toEqual(expect.arrayContaining(['qrun.cjs', 'up.cjs']));
});
