/** What user networking asks of the host's network: leave to ping, and addresses to bind forwards to. In a namespace of the test's own. */
import { expect, test } from 'vitest';
import {
  createHome,
  createNamespace,
  needsQemu,
  needsRoot,
  ownerFor,
  type As,
  type Home,
  type Namespace,
} from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import { detach, leftOf, still } from '../cli/a-vm.ts';

interface Check {
  readonly id: string;
  readonly state: string;
  readonly evidence: string;
  readonly mend: string | null;
}

function setPingRange(namespace: Namespace, range: string): void {
  expect(namespace.run(['sysctl', '-qw', `net.ipv4.ping_group_range=${range}`])).toMatchObject({ status: 0 });
}

async function pingOf(home: Home): Promise<Check | undefined> {
  const { stdout } = await home.qrun(['doctor', '--json']);
  return (parseDocument('doctor', stdout) as Check[]).find(({ id }) => id === 'ping');
}

test('doctor tells whether guests get answers to their pings, and the one command that lets them', async (context) => {
  needsRoot(context);
  const namespace = await createNamespace();
  const home = createHome({ namespace });
  setPingRange(namespace, '1 0');
  const closed = await pingOf(home);
  expect(closed).toMatchObject({
    state: 'warn',
    evidence: 'net.ipv4.ping_group_range is 1 0: guests get no answer',
    mend: 'sudo sysctl -w net.ipv4.ping_group_range="0 2147483647"',
  });
  // the command does what it says
  expect(namespace.run(['sh', '-c', (closed?.mend ?? 'false').replace('sudo ', '')]).status).toBe(0);
  expect(await pingOf(home)).toMatchObject({ state: 'ok', mend: null });
  const { gid } = ownerFor('user');
  setPingRange(namespace, `${gid} ${gid}`);
  expect((await pingOf(home))?.state).toBe('ok');
  setPingRange(namespace, `${gid + 1} ${gid + 2}`);
  expect((await pingOf(home))?.state).toBe('warn');
});

test("for root it is the group of the user that root's QEMU runs as that counts", async (context) => {
  needsRoot(context);
  const namespace = await createNamespace();
  const home = createHome({ namespace, as: 'root' });
  setPingRange(namespace, '0 0');
  expect((await pingOf(home))?.state).toBe('warn');
  setPingRange(namespace, '1 2147483647');
  expect((await pingOf(home))?.state).toBe('ok');
});

/** `tcp 10.9.0.1:8080`, … of what listens in the namespace. */
const listeners = (namespace: Namespace): string[] =>
  namespace
    .run(['ss', '-Hlntu'])
    .stdout.split('\n')
    .flatMap((line) => {
      const [protocol, , , , local] = line.trim().split(/\s+/);
      return local === undefined ? [] : [`${protocol} ${local}`];
    })
    .toSorted();

test.for<As>(['user', 'root'])(
  'a forward on an interface is on its addresses and no other (as %s)',
  async (as, context) => {
    needsRoot(context);
    needsQemu(context);
    const namespace = await createNamespace();
    for (const argv of [
      ['ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'peer0'],
      ['ip', 'addr', 'add', '10.9.0.1/24', 'dev', 'lan0'],
      ['ip', 'addr', 'add', '10.9.1.1/24', 'dev', 'lan0'],
      ['ip', 'addr', 'add', '10.9.2.1/24', 'dev', 'peer0'],
      ['ip', 'link', 'set', 'lan0', 'up'],
      ['ip', 'link', 'set', 'peer0', 'up'],
    ])
      expect(namespace.run(argv)).toMatchObject({ status: 0 });
    const home = createHome({ namespace, as });
    home.profile('web1', `${still}nics: [{ kind: user, forwards: ["%lan0:8080:80", "%lan0:auto:53/udp"] }]\n`);
    const { nics } = await detach(home, 'web1');
    const forwards = nics[0]?.forwards ?? [];
    const udp = forwards.filter(({ guestPort }) => guestPort === 53);
    expect(forwards.map(({ hostAddress }) => hostAddress).toSorted()).toEqual([
      '10.9.0.1',
      '10.9.0.1',
      '10.9.1.1',
      '10.9.1.1',
    ]);
    expect(listeners(namespace)).toEqual(
      [
        'tcp 10.9.0.1:8080',
        'tcp 10.9.1.1:8080',
        ...udp.map(({ hostAddress, hostPort }) => `udp ${hostAddress}:${hostPort}`),
      ].toSorted(),
    );
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(listeners(namespace)).toEqual([]);
  },
);

test('an interface that is not there, or has no address, is an error that names it, and no QEMU starts', async (context) => {
  needsRoot(context);
  needsQemu(context);
  const namespace = await createNamespace();
  namespace.run(['ip', 'link', 'add', 'bare0', 'type', 'veth', 'peer', 'name', 'bare1']);
  const home = createHome({ namespace });
  for (const name of ['bare0', 'gone0']) {
    home.profile('web1', `${still}nics: [{ kind: user, forwards: ["%${name}:8080:80"] }]\n`);
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect({ name, status }).toEqual({ name, status: expect.toBeOneOf([2, 3]) });
    expect(stderr).toContain(name);
    expect(leftOf(home, 'web1')).toEqual([]);
  }
});

test('an address that no interface has is an error that names it', async (context) => {
  needsRoot(context);
  needsQemu(context);
  const namespace = await createNamespace();
  const home = createHome({ namespace });
  home.profile('web1', `${still}nics: [{ kind: user, forwards: ["198.51.100.7:8080:80"] }]\n`);
  const { status, stderr } = await home.qrun(['web1', '-d']);
  expect({ status, stderr }).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('tcp port 8080 on 198.51.100.7: this host has no such address'),
  });
  expect(leftOf(home, 'web1')).toEqual([]);
});
