/** Labs of real guests: who starts waits for what another says, answers, or has done. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { noNetworkLeft } from '../cli/a-network.ts';
import { ps, rowOf } from '../cli/a-vm.ts';
import { createHome, needsGuest, needsQemu, type GuestFiles, type Home } from '../harness/harness.ts';

interface GuestOptions {
  readonly nics: string;
  /** More words for the kernel. */
  readonly append?: string;
  readonly more?: string;
}

const guest = ({ vmlinuz, initrd }: GuestFiles, { nics, append = '', more = '' }: GuestOptions): string => `accel: tcg
memory: 160
kernel: ${vmlinuz}
initrd: ${initrd}
append: console=ttyS0 quiet ${append}
nics: ${nics}
${more}`;

/** Keeps what the console of `vm` has shown when this one starts. */
const keeps = (home: Home, vm: string): string =>
  `hooks: { beforeStart: [/bin/cp, ${home.state}/vms/${vm}/console.log, ${home.dir}/seen] }\n`;

const logOf = async (home: Home, vm: string): Promise<string> => (await home.qrun(['logs', vm, '--console'])).stdout;

test('a guest starts when another has said its word, and answers on a port', async (context) => {
  needsQemu(context);
  const home = createHome();
  const files = needsGuest(context);
  const nics = '[{ kind: user, forwards: ["auto:80"] }]';
  home.profile('db', guest(files, { nics, append: 'qrun.name=db' }));
  home.profile('web1', guest(files, { nics, append: 'qrun.name=web1', more: keeps(home, 'db') }));
  home.write(
    'lab.yaml',
    `vms:
  web1: { after: { db: "text:qrun-guest: up name=db" }, wait: "text:qrun-guest: up" }
  db: { wait: port:80, timeout: 120 }
`,
  );
  const up = await home.qrun(['up', 'lab.yaml', '--timeout', '150'], { timeoutMs: 200_000 });
  expect({ status: up.status, stderr: up.stderr }).toMatchObject({ status: 0 });
  expect(up.stderr).toMatch(/db runs; text:qrun-guest: up name=db is there[\s\S]*web1 runs, pid/);
  expect(up.stderr).toContain('db runs; port:80 is there');
  expect(readFileSync(`${home.dir}/seen`, 'utf8')).toContain('qrun-guest: up name=db');
  expect(await logOf(home, 'web1')).toContain('qrun-guest: up name=web1');
  // the last is asked first, and both obey their power button
  const down = await home.qrun(['down', 'lab.yaml', '--timeout', '60'], { timeoutMs: 150_000 });
  expect(down).toMatchObject({ status: 0, stderr: 'web1 stopped\ndb stopped\n' });
  for (const name of ['web1', 'db']) expect((await home.qrun(['logs', name])).stderr).toMatch(/powered off/);
});

test('a lab on a network of its own: a job asks its neighbour, ends, and the lab is up', async (context) => {
  needsQemu(context);
  const home = createHome();
  const files = needsGuest(context);
  home.write(
    'dmz.yaml',
    `forward: isolated
scope: user
transport: hub
addresses: [10.46.0.1/24]
dhcp: { hosts: [{ vm: db, ip: 10.46.0.10 }] }
forwards: ["127.0.0.1:auto:db:80"]
`,
  );
  const nics = '["network:dmz"]';
  const ask = Buffer.from('wget -q -O - http://10.46.0.10/; wget -q -O - http://10.46.0.10/cgi-bin/peer').toString(
    'base64',
  );
  home.profile('db', guest(files, { nics, append: 'qrun.name=db qrun.wait=20' }));
  home.profile(
    'probe',
    guest(files, { nics, append: `qrun.name=probe qrun.wait=20 qrun.cmd=${ask} qrun.exec=poweroff` }),
  );
  home.write('lab.yaml', 'networks: [./dmz.yaml]\nvms:\n  db: { wait: port:80 }\n  probe: { after: db, wait: end }\n');
  const up = await home.qrun(['up', 'lab.yaml', '--timeout', '150'], { timeoutMs: 200_000 });
  expect({ status: up.status, stderr: up.stderr }).toMatchObject({ status: 0 });
  expect(up.stderr).toMatch(/probe ended\n$/);
  const said = await logOf(home, 'probe');
  expect(said).toMatch(/qrun-guest db\r?\neth0 [0-9a-f:]+ 10\.46\.0\.10\/24/);
  expect(said).toMatch(/10\.46\.0\.\d+\]?\s+qrun-guest: cmd end rc=0/);
  expect((await ps(home)).map(({ vm }) => vm)).toEqual(['db']);
  expect((await rowOf(home, 'db')).state).toBe('running');
  expect((await home.qrun(['down', 'lab.yaml', '--timeout', '60'])).status).toBe(0);
  expect(await noNetworkLeft(home)).toBe(true);
});
