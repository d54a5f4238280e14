/** The two profiles of the package that make a router and a guest behind it: its packets go on to the world, and the answers come back. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bothQemus, createHome, needsEitherQemu, needsGuest, type GuestFiles } from '../harness/harness.ts';
import { kill, start } from './a-lan.ts';
import { GuestShell } from './guest-shell.ts';

const shipped = path.resolve(import.meta.dirname, '../../profiles');

/** As it is shipped, but for the disk: the test guest is a kernel. The group is this run's own. */
function profileOf(name: string, { vmlinuz, initrd, append }: GuestFiles, words: string): string {
  const text = readFileSync(path.join(shipped, `${name}.yaml`), 'utf8');
  const nics = text.slice(text.indexOf('nics:')).replace('230.0.0.1:5544', group);
  expect(nics).toContain(group);
  const own = `accel: tcg\nkernel: ${vmlinuz}\ninitrd: ${initrd}\nappend: ${append} qrun.name=${name} ${words}\n`;
  return `${own}memory: 160\n${nics}`;
}

const group = `230.0.0.1:${20_000 + (process.pid % 10_000)}`;

async function serve(): Promise<number> {
  const server = createServer((request, response) => response.end(`from the world: ${request.url ?? ''}\n`));
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  onTestFinished(() => void server.close());
  return (server.address() as { port: number }).port;
}

test.for(bothQemus)(
  'a guest behind the router reaches the world through it, with the %s QEMU',
  async (which, context) => {
    const qemu = needsEitherQemu(context, which);
    const files = needsGuest(context);
    const port = await serve();
    const home = createHome({ qemu });
    home.profile('router', profileOf('router', files, 'qrun.router qrun.ip=eth1=10.44.0.1/24'));
    home.profile('behind-router', profileOf('behind-router', files, 'qrun.ip=eth0=10.44.0.2/24'));
    await start(home, 'router', 'behind-router');
    const [router, behind] = (await Promise.all(
      ['router', 'behind-router'].map((name) => GuestShell.open(home, name)),
    )) as [GuestShell, GuestShell];
    const fetch = `timeout 50 wget -q -O - http://10.0.2.2:${port}/it 2>&1`;

    // the router has a way out; the guest behind has none by itself
    expect(await router.run(fetch)).toBe('from the world: /it');
    expect(readFileSync(`${home.state}/vms/router/console.log`, 'utf8')).toContain('qrun-guest: router rc=0');
    expect(await behind.run(fetch)).toMatch(/unreachable/);
    expect(await behind.run('ping -c 1 -W 30 10.44.0.1 >/dev/null && echo the router answers')).toBe(
      'the router answers',
    );

    expect(await behind.run('ip route add default via 10.44.0.1')).toBe('');
    expect(await behind.run(fetch)).toBe('from the world: /it');
    // on its way it is passed on, and not fetched by somebody in between
    expect(await behind.run('traceroute -n -m 1 -q 1 -w 30 10.0.2.2 2>&1')).toMatch(/^ 1 +10\.44\.0\.1 /m);
    await kill(home, 'router');
    expect(await behind.run(`timeout 3 wget -q -O - http://10.0.2.2:${port}/ || echo gone`)).toMatch(/gone$/);
    for (const shell of [router, behind]) shell.close();
    await kill(home, 'behind-router');
  },
);
