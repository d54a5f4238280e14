import { expect, test } from 'vitest';
import { anL2tpv3Nic, netdevOf, planOf, qemuWithout } from './a-cable.ts';

const bare = 'l2tpv3,id=net0,src=192.0.2.1,dst=192.0.2.2,udp=on,srcport=17011,dstport=17012,txsession=1,rxsession=2';

test('QEMU is told what a careful person writes, in the old syntax and in JSON', () => {
  expect(netdevOf(anL2tpv3Nic(), '6.2')).toBe(bare);
  expect(netdevOf(anL2tpv3Nic({ cookies: { tx: 7, rx: 0 } }), '6.2')).toBe(`${bare},txcookie=7,rxcookie=0`);
  expect(JSON.parse(netdevOf(anL2tpv3Nic({ cookies: { tx: 7, rx: 8 } }), '7.2'))).toEqual({
    type: 'l2tpv3',
    id: 'net0',
    src: '192.0.2.1',
    dst: '192.0.2.2',
    udp: true,
    srcport: '17011',
    dstport: '17012',
    txsession: 1,
    rxsession: 2,
    txcookie: 7,
    rxcookie: 8,
  });
});

test('cookies are of 64 bits at both ends as soon as one of them needs it', () => {
  const big = 2 ** 32;
  for (const cookies of [
    { tx: big, rx: 1 },
    { tx: 1, rx: big },
  ])
    expect(planOf(anL2tpv3Nic({ cookies })).netdev).toMatchObject({ cookie64: true });
  expect(planOf(anL2tpv3Nic({ cookies: { tx: big - 1, rx: 1 } })).netdev).not.toHaveProperty('cookie64');
});

test('IPv6 is told by a word of its own', () => {
  const nic = anL2tpv3Nic({ source: { host: '::1', port: 1 }, destination: { host: '::1', port: 2 } });
  expect(netdevOf(nic, '6.2')).toContain('src=::1,dst=::1,udp=on,srcport=1,dstport=2,ipv6=on,');
  expect(planOf(anL2tpv3Nic()).netdev).not.toHaveProperty('ipv6');
});

test('its own port is taken', () => {
  expect(planOf(anL2tpv3Nic()).steps).toMatchObject([
    { kind: 'port', id: 'source:net0', protocol: 'udp', address: '192.0.2.1', port: 17_011 },
  ]);
});

test('who can get at the frames is said', () => {
  expect(planOf(anL2tpv3Nic({ cookies: { tx: 1, rx: 1 } })).notes).toEqual([expect.stringContaining('in clear')]);
  const here = { source: { host: '127.0.0.1', port: 1 }, destination: { host: '127.0.0.1', port: 2 } };
  expect(planOf(anL2tpv3Nic(here)).notes).toEqual([expect.stringMatching(/without cookies, every user of this host/)]);
  expect(planOf(anL2tpv3Nic({ ...here, cookies: { tx: 1, rx: 1 } })).notes).toEqual([]);
});

test('both ends in one, and a QEMU without it, are refused', () => {
  const end = { host: '192.0.2.1', port: 1 };
  expect(() => planOf(anL2tpv3Nic({ source: end, destination: end }))).toThrow(/both ends/);
  expect(() => planOf(anL2tpv3Nic(), { qemu: qemuWithout('l2tpv3') })).toThrow(
    expect.objectContaining({ code: 'missing-feature' }),
  );
});
