import { describe, expect, test } from 'vitest';
import type { HostFacts, PasstFact } from '../../../src/host/facts.ts';
import type { NicPlan } from '../../../src/nic/nic-kind.ts';
import { passtNic } from '../../../src/nic/passt.ts';
import { passtCommand } from '../../../src/plan/passt-command.ts';
import type { PasstStep } from '../../../src/plan/step.ts';
import type { PasstNic } from '../../../src/profile/profile.ts';
import type { QemuCapabilities } from '../../../src/qemu/capabilities.ts';
import { netdevArgs } from '../../../src/qemu/argv/device.ts';
import { planSandbox } from '../../../src/qemu/argv/sandbox.ts';
import { renderKeyval } from '../../../src/qemu/option.ts';
import { aContext, aForward, aMac, anInput, aUserNic, capabilitiesOf } from '../qemu/a-profile.ts';
import { qemuWithout } from './a-cable.ts';

const { id, model, queues, vhost } = aUserNic();
const aPasstNic = (changes: Partial<PasstNic> = {}): PasstNic => ({
  id,
  model,
  queues,
  vhost,
  kind: 'passt',
  forwards: [],
  ...changes,
});

const recent: PasstFact = { file: '/usr/bin/passt', recent: true, loopbackDns: false, confined: false };
const old: PasstFact = { ...recent, recent: false };

function planOf(changes: Partial<PasstNic> = {}, facts: Partial<HostFacts> = {}, ports = {}): NicPlan {
  const nic = aPasstNic(changes);
  return passtNic.plan(nic, { ...aContext([nic], { passt: recent, ...facts }), ports });
}

const stepOf = (plan: NicPlan): PasstStep => {
  const step = plan.steps.find(({ kind }) => kind === 'passt');
  if (step?.kind !== 'passt') throw new Error('no passt is started');
  return step;
};
const commandOf = (plan: NicPlan): string => passtCommand(stepOf(plan)).join(' ');

const forwards = [
  aForward(),
  aForward({ hostAddress: '::1', guestPort: 443 }),
  aForward({ protocol: 'udp', hostPort: 5353, guestPort: 53 }),
];

test('one that needs a default route is refused where there is none', () => {
  expect(() => planOf({}, { passt: { ...old, unrouted: true } })).toThrow(
    expect.objectContaining({ code: 'host-failed', message: expect.stringMatching(/^nics\[0\]: .*default route/) }),
  );
});

describe('a QEMU without a back end of its own', () => {
  test('joins a passt that is started as a careful person would start it', () => {
    const plan = planOf({ forwards });
    expect(commandOf(plan)).toBe(
      '/usr/bin/passt --quiet --one-off --socket /run/web1/passt0 --pid /run/web1/passt0.pid' +
        ' --log-file /state/vms/web1/passt.net0.log --no-map-gw' +
        ' --tcp-ports 127.0.0.1/8080:80 --tcp-ports ::1/8080:443 --udp-ports 127.0.0.1/5353:53',
    );
    expect(renderKeyval(plan.netdev, 'type')).toBe(
      'stream,id=net0,server=off,addr.type=unix,addr.path=/run/web1/passt0',
    );
    expect(JSON.parse(netdevArgs(plan.netdev, capabilitiesOf('7.2').version)[1] ?? '')).toEqual({
      type: 'stream',
      id: 'net0',
      server: false,
      addr: { type: 'unix', path: '/run/web1/passt0' },
    });
  });

  test('has a strict sandbox, and is looked at when it runs', () => {
    const plan = planOf();
    const nic = { nic: aPasstNic(), plan, mac: aMac, slot: 0 };
    expect(planSandbox(anInput({ nics: [nic] })).args[1]).toContain('spawn=deny');
    expect(plan.link).toBe('connects');
    expect(plan).not.toHaveProperty('env');
  });

  test('ABUSE 31: ports are tried before passt is started, on loopback unless an address is written', () => {
    const plan = planOf({ forwards });
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['port', 'port', 'port', 'passt']);
    expect(plan.steps.slice(0, 3)).toMatchObject([
      { id: 'port:net0:0', protocol: 'tcp', address: '127.0.0.1', port: 8080 },
      { id: 'port:net0:1', protocol: 'tcp', address: '::1', port: 8080 },
      { id: 'port:net0:2', protocol: 'udp', address: '127.0.0.1', port: 5353 },
    ]);
    expect(plan.forwards).toHaveLength(3);
  });

  test('a port that is to be found stands open until it is', () => {
    const plan = planOf({ forwards: [aForward({ hostPort: 'auto' })] }, { lastPorts: { 'net0:0': 40_001 } });
    expect(plan.steps[0]).toMatchObject({ port: 'auto', last: 40_001 });
    expect(commandOf(plan)).toContain('--tcp-ports 127.0.0.1/auto:80');
    expect(passtCommand(stepOf(plan), () => 40_002)).toContain('127.0.0.1/40002:80');
  });

  test('two of them have files of their own', () => {
    const nics = [aPasstNic(), aPasstNic({ id: 'lan' })];
    const steps = nics.map((nic) =>
      stepOf(passtNic.plan(nic, { ...aContext(nics, { passt: recent }), netdevId: nic.id })),
    );
    expect(steps.map(({ socket }) => socket)).toEqual(['/run/web1/passt0', '/run/web1/passt1']);
    const [one, other] = nics.map((nic) => passtNic.plan(nic, aContext(nics, { passt: recent })).notes);
    expect([one, other]).toEqual([[], [expect.stringContaining("the host's address here as on net0")]]);
    expect(steps.map(({ log }) => log)).toEqual(['/state/vms/web1/passt.net0.log', '/state/vms/web1/passt.lan.log']);
  });

  test("root's passt is dropped as root's QEMU is", () => {
    const runAs = { name: 'qrun', uid: 998, gid: 997 };
    const step = stepOf(planOf({}, { runAs, tools: { setpriv: '/usr/bin/setpriv' } }));
    expect(step.argv.slice(0, 9)).toEqual([
      '/usr/bin/setpriv',
      '--reuid=998',
      '--regid=997',
      '--init-groups',
      '--reset-env',
      '--inh-caps=-all',
      '--bounding-set=-all',
      '--',
      '/usr/bin/passt',
    ]);
    expect(step.owner).toEqual({ uid: 998, gid: 997 });
  });
});

describe("QEMU's own back end", () => {
  /** What query-qmp-schema of QEMU 11.1 says of it. */
  const members = ['path', 'quiet', 'vhost-user', 'mtu', 'tcp-ports', 'udp-ports', 'param', 'dns-forward'];
  const base = capabilitiesOf('10.0');
  const qemu: QemuCapabilities = {
    ...base,
    version: { major: 10, minor: 1, micro: 0 },
    netdevTypes: [...base.netdevTypes, 'passt'],
    netdevMembers: { ...base.netdevMembers, passt: members },
  };

  test('is told what qrun would tell passt', () => {
    const plan = planOf({ forwards, mtu: 1400 }, { qemu });
    expect(JSON.parse(netdevArgs(plan.netdev, qemu.version)[1] ?? '')).toEqual({
      type: 'passt',
      id: 'net0',
      path: '/usr/bin/passt',
      param: [
        ...['--no-map-gw', '--mtu', '1400', '--tcp-ports', '127.0.0.1/8080:80', '--tcp-ports', '::1/8080:443'],
        ...['--udp-ports', '127.0.0.1/5353:53'],
      ].map((str) => ({ str })),
    });
    expect(Object.keys(plan.netdev).every((key) => ['type', 'id', ...members].includes(key))).toBe(true);
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['port', 'port', 'port']);
    expect(plan).not.toHaveProperty('link');
  });

  test('gets real ports when they are known', () => {
    const auto = [aForward({ hostPort: 'auto' })];
    expect(JSON.stringify(planOf({ forwards: auto }, { qemu }).netdev)).toContain('127.0.0.1/0:80');
    expect(JSON.stringify(planOf({ forwards: auto }, { qemu }, { 'port:net0:0': 40_001 }).netdev)).toContain(
      '127.0.0.1/40001:80',
    );
  });

  test('cannot start it from its sandbox, which is said; its pid file lies with the sockets', () => {
    const plan = planOf({}, { qemu });
    const nic = { nic: aPasstNic(), plan, mac: aMac, slot: 0 };
    expect(planSandbox(anInput({ capabilities: qemu, nics: [nic] }))).toEqual({
      args: [],
      note: expect.stringMatching(/^QEMU runs without its sandbox: net0: QEMU starts passt itself/),
    });
    expect(plan.env).toEqual({ TMPDIR: '/run/web1' });
  });
});

describe('what the guest gets', () => {
  test("its gateway is the gateway, and not the host's loopback", () => {
    expect(commandOf(planOf())).toMatch(/ --no-map-gw$/);
    expect(planOf().notes).toEqual([]);
  });

  test('name servers on the loopback are asked for it', () => {
    const passt = { ...recent, loopbackDns: true };
    expect(commandOf(planOf({}, { passt }))).toContain(' --no-map-gw --dns-forward 169.254.1.1');
  });

  test('an old passt can do that only by showing all of the loopback, which is said', () => {
    const plan = planOf({}, { passt: { ...old, loopbackDns: true } });
    expect(commandOf(plan)).not.toContain('map-gw');
    expect(commandOf(plan)).not.toContain('dns');
    expect(plan.notes).toEqual([expect.stringContaining("all of this host's loopback")]);
    expect(commandOf(planOf({}, { passt: old }))).toMatch(/ --no-map-gw$/);
  });

  test('so it answers datagrams of this host; of TCP there is no need', () => {
    const udp = planOf({ forwards: [aForward({ protocol: 'udp' })] }, { passt: old });
    expect(commandOf(udp)).not.toContain('map-gw');
    expect(udp.notes).toEqual([expect.stringContaining('UDP')]);
    expect(commandOf(planOf({ forwards: [aForward()] }, { passt: old }))).toContain('--no-map-gw');
    expect(commandOf(planOf({ forwards: [aForward({ protocol: 'udp' })] }))).toContain('--no-map-gw');
  });

  test('the MTU that the profile says, what a card can take, else what passt thinks best', () => {
    expect(commandOf(planOf())).not.toContain('--mtu');
    expect(commandOf(planOf({ mtu: 9000 }))).toContain(' --mtu 9000');
    expect(commandOf(planOf({ model: 'e1000' }))).toContain(' --mtu 1500');
    expect(commandOf(planOf({ model: 'virtio-net-device' }))).not.toContain('--mtu');
  });
});

describe('%eth0', () => {
  const links = [{ name: 'eth0', up: true, addresses: ['192.0.2.7/24', '2001:db8::7/64'] }];
  const onEth0 = [aForward({ hostAddress: '%eth0' })];

  test('is each address of that interface, IPv6 too', () => {
    const plan = planOf({ forwards: onEth0 }, { links });
    expect(commandOf(plan)).toContain('--tcp-ports 192.0.2.7/8080:80 --tcp-ports 2001:db8::7/8080:80');
    expect(plan.notes).toEqual([]);
  });

  test('an old passt forwards a port once: on the first, which is said', () => {
    const plan = planOf({ forwards: onEth0 }, { links, passt: old });
    expect(commandOf(plan)).toMatch(/--no-map-gw --tcp-ports 192\.0\.2\.7\/8080:80$/);
    expect(plan.notes).toEqual([expect.stringContaining('not on 2001:db8::7 of eth0')]);
    const auto = planOf({ forwards: [aForward({ hostAddress: '%eth0', hostPort: 'auto' })] }, { links, passt: old });
    expect(auto.steps.map((step) => step.id)).toEqual(['port:net0:0', 'port:net0:0.1', 'passt:net0']);
  });

  test('an interface that is not there, or has no address', () => {
    expect(() => planOf({ forwards: onEth0 })).toThrow(/no interface eth0/);
    const bare = [{ name: 'eth0', up: true, addresses: [] }];
    expect(() => planOf({ forwards: onEth0 }, { links: bare })).toThrow(/has no address/);
    const twice = [aForward({ hostAddress: '192.0.2.7' }), ...onEth0];
    expect(() => planOf({ forwards: twice }, { links })).toThrow(/two forwards want 192\.0\.2\.7:8080/);
  });
});

describe('where its files lie', () => {
  const confined = { ...recent, confined: true };
  const placesAt = (runtime: string, state: string): Partial<HostFacts> => ({
    passt: confined,
    places: { config: [], examples: '/nowhere', state, runtime, cache: '/cache', host: '/host' },
  });
  const planIn = (facts: Partial<HostFacts>): NicPlan => planOf({}, facts);

  test('below /tmp or home, where AppArmor leaves it nothing else', () => {
    const plan = planIn(placesAt('/run/user/1000/qrun', '/home/alice/.local/state/qrun'));
    const [directory] = plan.steps;
    expect(directory).toMatchObject({
      kind: 'directory',
      path: expect.stringMatching(/^\/tmp\/qrun-1000\/passt-[0-9a-f]+$/),
    });
    const step = stepOf(plan);
    expect(directory).toMatchObject({ path: step.socket.slice(0, step.socket.lastIndexOf('/')) });
    expect(step.log).toBe('/home/alice/.local/state/qrun/vms/web1/passt.net0.log');
  });

  test("and all of root's, whose QEMU is another user's", () => {
    const runAs = { name: 'qrun', uid: 998, gid: 997 };
    const root = { uid: 0, gid: 0, name: 'root', home: '/root' };
    const plan = planIn({ ...placesAt('/run/qrun', '/var/lib/qrun'), runAs, user: root });
    expect(plan.steps[0]).toMatchObject({
      path: expect.stringMatching(/^\/tmp\/qrun-0\//),
      owner: { uid: 998, gid: 997 },
    });
    const step = stepOf(plan);
    for (const file of [step.socket, step.pidFile, step.log]) expect(file).toMatch(/^\/tmp\/qrun-0\/passt-/);
  });

  test('no other VM has the same', () => {
    const [one, other] = ['/run/user/1000/qrun', '/run/user/1000/other'].map(
      (runtime) => stepOf(planIn(placesAt(runtime, '/state'))).socket,
    );
    expect(one).not.toBe(other);
  });

  test('with the others, where AppArmor is not in the way', () => {
    expect(planOf().steps.map(({ kind }) => kind)).toEqual(['passt']);
    expect(planIn(placesAt('/tmp/qrun-1000', '/home/alice/s')).steps.map(({ kind }) => kind)).toEqual(['passt']);
  });
});

describe('what is not there', () => {
  test('passt: exit 3, and the package', () => {
    const nic = aPasstNic();
    expect(() => passtNic.plan(nic, aContext([nic]))).toThrow(
      expect.objectContaining({ code: 'missing-tool', hint: expect.stringContaining('apt-get install passt') }),
    );
  });

  test('a QEMU before 7.2, which has no stream', () => {
    expect(() => planOf({}, { qemu: qemuWithout('stream') })).toThrow(
      expect.objectContaining({ code: 'missing-feature', message: expect.stringContaining('from 7.2 on') }),
    );
  });
});
