import { describe, expect, test } from 'vitest';
import type { HostFacts } from '../../../src/host/facts.ts';
import { userNic } from '../../../src/nic/user.ts';
import type { UserNic } from '../../../src/profile/profile.ts';
import { aContext, aForward, aUserNic, capabilitiesOf } from '../qemu/a-profile.ts';

function plan(changes: Partial<UserNic>, facts: Partial<HostFacts> = {}, ports?: Record<string, number>) {
  const nic = aUserNic(changes);
  return userNic.plan(nic, { ...aContext([nic], facts), ...(ports && { ports }) });
}

describe('the network', () => {
  test('stands openly, at the places where QEMU would put it', () => {
    expect(plan({}).netdev).toEqual({
      type: 'user',
      id: 'net0',
      net: '10.0.2.0/24',
      host: '10.0.2.2',
      dns: '10.0.2.3',
      dhcpstart: '10.0.2.15',
    });
  });

  test('is moved by subnet; a small one has the guest right behind the name server', () => {
    expect(plan({ subnet: '192.168.7.0/24' }).netdev).toMatchObject({ host: '192.168.7.2', dhcpstart: '192.168.7.15' });
    expect(plan({ subnet: '10.9.0.8/29' }).netdev).toMatchObject({
      net: '10.9.0.8/29',
      host: '10.9.0.10',
      dhcpstart: '10.9.0.12',
    });
  });

  test.each([
    '10.0.2.0',
    '10.0.2.0/30',
    '10.0.2.0/7',
    '10.0.2/24',
    '010.0.0.0/24',
    '10.0.2.256/24',
    'fd00::/64',
    '10.0.2.0/24,dns=1',
  ])('%j is refused', (subnet) => {
    expect(() => plan({ subnet })).toThrow(/nics\[0\]\.subnet/);
  });

  test('a name server outside of the subnet cannot be told, and is refused', () => {
    expect(plan({ dns: '10.0.2.9' }).netdev['dns']).toBe('10.0.2.9');
    expect(() => plan({ dns: '1.1.1.1' })).toThrow(/nics\[0\]\.dns/);
    expect(() => plan({ dns: '10.0.2.2' })).toThrow(/gateway/);
    expect(() => plan({ dns: '10.0.2.15' })).toThrow(/guest/);
  });

  test('restrict, ipv6, hostname, tftp and bootFile reach the back end', () => {
    expect(plan({ restrict: true, ipv6: false, hostname: 'h', tftp: '/srv', bootFile: 'b' }).netdev).toMatchObject({
      restrict: true,
      ipv6: false,
      hostname: 'h',
      tftp: '/srv',
      bootfile: 'b',
    });
  });

  test('what user networking has not got is refused, never ignored', () => {
    expect(() => plan({ queues: 2 })).toThrow(/nics\[0\]\.queues/);
    expect(() => plan({ vhost: 'on' })).toThrow(/nics\[0\]\.vhost/);
  });

  test('a QEMU without it is said to be one', () => {
    const qemu = { ...capabilitiesOf('7.2'), netdevTypes: ['tap'] };
    expect(() => plan({}, { qemu })).toThrow(expect.objectContaining({ code: 'missing-feature' }));
  });
});

describe('forwards', () => {
  test('ABUSE 31: each is a rule with both addresses said, and a port to take', () => {
    const planned = plan({
      forwards: [aForward(), aForward({ protocol: 'udp', hostPort: 53, guest: '10.0.2.20', guestPort: 5353 })],
    });
    expect(planned.netdev['hostfwd']).toEqual([
      { str: 'tcp:127.0.0.1:8080-10.0.2.15:80' },
      { str: 'udp:127.0.0.1:53-10.0.2.20:5353' },
    ]);
    expect(planned.steps).toEqual([
      { kind: 'port', id: 'port:net0:0', needsRoot: false, protocol: 'tcp', address: '127.0.0.1', port: 8080 },
      { kind: 'port', id: 'port:net0:1', needsRoot: false, protocol: 'udp', address: '127.0.0.1', port: 53 },
    ]);
    expect(planned.forwards?.[0]).toMatchObject({
      hostAddress: '127.0.0.1',
      hostPort: 8080,
      guestPort: 80,
      step: 'port:net0:0',
    });
  });

  test('auto stands as 0 until the port is known, and wishes for the one of last time', () => {
    const forwards = [aForward({ hostPort: 'auto' })];
    const planned = plan({ forwards }, { lastPorts: { 'net0:0': 40001 } });
    expect(planned.netdev['hostfwd']).toEqual([{ str: 'tcp:127.0.0.1:0-10.0.2.15:80' }]);
    expect(planned.steps[0]).toMatchObject({ port: 'auto', last: 40001 });
    const known = plan({ forwards }, {}, { 'port:net0:0': 40002 });
    expect(known.netdev['hostfwd']).toEqual([{ str: 'tcp:127.0.0.1:40002-10.0.2.15:80' }]);
  });

  test('an interface stands for its IPv4 addresses', () => {
    const links = [{ name: 'eth0', up: true, addresses: ['192.0.2.7/24', '192.0.2.8', 'fe80::1/64'] }];
    const planned = plan({ forwards: [aForward({ hostAddress: '%eth0' })] }, { links });
    expect(planned.netdev['hostfwd']).toEqual([
      { str: 'tcp:192.0.2.7:8080-10.0.2.15:80' },
      { str: 'tcp:192.0.2.8:8080-10.0.2.15:80' },
    ]);
    expect(planned.steps.map((step) => step.id)).toEqual(['port:net0:0', 'port:net0:0.1']);
    expect(planned.notes).toHaveLength(1);
    expect(() => plan({ forwards: [aForward({ hostAddress: '%eth1' })] }, { links })).toThrow(/no interface eth1/);
  });

  test('QEMU cannot listen on IPv6, and that is said before it starts', () => {
    expect(() => plan({ forwards: [aForward({ hostAddress: '::1' })] })).toThrow(
      expect.objectContaining({ code: 'missing-feature' }),
    );
    const links = [{ name: 'eth0', up: true, addresses: ['fe80::1/64'] }];
    expect(() => plan({ forwards: [aForward({ hostAddress: '%eth0' })] }, { links })).toThrow(/IPv6/);
  });

  test('two forwards of one port are refused, on 0.0.0.0 too; tcp and udp are not one', () => {
    expect(() => plan({ forwards: [aForward(), aForward({ guestPort: 81 })] })).toThrow(/127.0.0.1:8080/);
    expect(() => plan({ forwards: [aForward(), aForward({ hostAddress: '0.0.0.0' })] })).toThrow(/two forwards/);
    expect(plan({ forwards: [aForward(), aForward({ protocol: 'udp' })] }).steps).toHaveLength(2);
  });

  test('a guest outside of the subnet, and a host by name, are refused', () => {
    expect(() => plan({ forwards: [aForward({ guest: '10.0.3.1' })] })).toThrow(/not in 10\.0\.2\.0\/24/);
    expect(() => plan({ forwards: [aForward({ guest: 'web2' })] })).toThrow(/nics\[0\]\.forwards\[0\]/);
    expect(() => plan({ forwards: [aForward({ hostAddress: 'localhost' })] })).toThrow(/no address/);
  });
});
