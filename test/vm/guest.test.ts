/**
 * The guest that the other tests rely on: it is reproducible, answers many at once, and answers UDP.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, needsGuest, repository } from '../harness/harness.ts';

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

test('built anew in another place it has the same bytes', (context) => {
  const { vmlinuz, initrd } = needsGuest(context);
  const home = createHome();
  mkdirSync(path.join(home.dir, 'cache/guest'), { recursive: true });
  // the packages are fetched once
  cpSync(path.join(path.dirname(vmlinuz), '../packages'), path.join(home.dir, 'cache/guest/packages'), {
    recursive: true,
  });
  const { status, stdout } = spawnSync(process.execPath, [path.join(repository, 'test/guest/build.mjs'), '--force'], {
    env: { ...process.env, QRUN_TEST_CACHE: path.join(home.dir, 'cache') },
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  const built = JSON.parse(stdout) as { vmlinuz: string; initrd: string };
  expect(built.initrd).not.toBe(initrd);
  expect([hashOf(built.vmlinuz), hashOf(built.initrd)]).toEqual([hashOf(vmlinuz), hashOf(initrd)]);
});

test('it answers twelve requests at once, and UDP', async (context) => {
  const { vmlinuz, initrd, append } = needsGuest(context);
  const home = createHome();
  home.profile(
    'web1',
    JSON.stringify({
      memory: '128M',
      accel: 'tcg',
      kernel: vmlinuz,
      initrd,
      append: `${append} qrun.shell=off qrun.name=web1`,
      nics: [{ kind: 'user', forwards: ['auto:80', 'auto:7/udp'] }],
    }),
  );
  expect((await home.qrun(['run', '-d', 'web1'])).status).toBe(0);
  expect((await home.qrun(['wait', 'web1', '--for', 'text:qrun-guest: up', '--timeout', '120'])).status).toBe(0);
  const [machine] = JSON.parse((await home.qrun(['ps', '--json'])).stdout) as {
    nics: { mac: string; forwards: { protocol: string; hostPort: number }[] }[];
  }[];
  const [nic] = machine?.nics ?? [];
  const portOf = (protocol: string): number => nic?.forwards.find((one) => one.protocol === protocol)?.hostPort ?? 0;
  const page = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${portOf('tcp')}/`, { headers: { connection: 'close' } });
    return answer.text();
  };
  const pages = await Promise.all(Array.from({ length: 12 }, page));
  expect(new Set(pages)).toEqual(new Set([`qrun-guest web1\neth0 ${nic?.mac} 10.0.2.15/24\n`]));
  expect(await askByUdp(portOf('udp'), 'anybody there?')).toBe('anybody there?');
  expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
});

/** Asks again each second until there is an answer: a datagram may be lost. */
async function askByUdp(port: number, text: string): Promise<string> {
  const socket = createSocket('udp4');
  const ask = (): void => socket.send(text, port, '127.0.0.1');
  const timer = setInterval(ask, 1000);
  ask();
  const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(30_000) })) as [Buffer];
  clearInterval(timer);
  socket.close();
  return answer.toString();
}
