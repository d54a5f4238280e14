/** Who gets which frame. */
import { describe, expect, test } from 'vitest';
import { checksum } from '../../../src/switch/frame.ts';
import { maxMacs, maxMacsOfPort, MacTable } from '../../../src/switch/mac-table.ts';
import {
  arpFrame,
  dhcpFrame,
  dhcpPayload,
  dhcpReply,
  dnsMac,
  dnsQuestion,
  envelop,
  everyMac,
  frame,
  gatewayMac,
  ipv4Frame,
  ipv6Frame,
  macOf,
  tagged,
  udpFrame,
} from './a-frame.ts';
import { fakeNetwork } from './a-network.ts';

const a = '52:54:00:00:00:0a';
const b = '52:54:00:00:00:0b';
const c = '52:54:00:00:00:0c';
const ips: Readonly<Record<string, string>> = {
  [a]: '10.44.0.10',
  [b]: '10.44.0.11',
  [c]: '10.44.0.12',
  [gatewayMac]: '192.0.2.1',
};
/** A segment from one to the other, as they are or with an address that is not the sender's. */
const tcp = (from: string, to: string, source = ips[from] ?? ''): Buffer =>
  ipv4Frame({ from, to, source, destination: ips[to] ?? '' });
const aToB = tcp(a, b);
const bToA = tcp(b, a);

function threeGuests(...options: Parameters<typeof fakeNetwork>) {
  const network = fakeNetwork(...options);
  const ports = { a: network.plug('a'), b: network.plug('b'), c: network.plug('c'), gateway: network.gateway() };
  const learn = (...said: readonly (readonly [port: 'a' | 'b' | 'c', frame: Buffer])[]): void => {
    for (const [port, one] of said) ports[port].say(one);
    for (const port of Object.values(ports)) port.heard();
  };
  return { ...network, ...ports, learn };
}

describe('frames between guests', () => {
  test('go to all until it is known where the receiver is, but not to the gateway and not back', () => {
    const net = threeGuests();
    net.a.say(aToB);
    expect([net.a.heard(), net.b.heard(), net.c.heard(), net.gateway.heard()]).toEqual([[], [aToB], [aToB], []]);
    net.b.say(bToA);
    expect([net.a.heard(), net.b.heard(), net.c.heard(), net.gateway.heard()]).toEqual([[bToA], [], [], []]);
    net.a.say(aToB);
    expect([net.b.heard(), net.c.heard()]).toEqual([[aToB], []]);
  });

  test('of one read to one receiver are handed over together, in order', () => {
    const net = threeGuests();
    const others = tcp(a, c);
    net.learn(['b', bToA], ['c', tcp(c, a)]);
    const before = net.b.sends;
    net.a.say(aToB, aToB, aToB, others, aToB);
    expect(net.b.heard()).toEqual([aToB, aToB, aToB, aToB]);
    expect(net.c.heard()).toEqual([others]);
    expect(net.b.sends - before).toBe(2);
  });

  test('to oneself are sent nowhere', () => {
    const net = threeGuests();
    net.learn(['a', aToB]);
    net.a.say(tcp(b, a), frame({ from: a, to: a }, 0x0800));
    expect([net.a.heard(), net.b.heard()]).toEqual([[], []]);
  });

  test('find the receiver behind another port when it has moved', () => {
    const net = threeGuests();
    net.learn(['b', bToA], ['c', bToA]);
    net.a.say(aToB);
    expect([net.b.heard(), net.c.heard()]).toEqual([[], [aToB]]);
  });

  test('go to all again when a port was unplugged, or its guest was silent for long', () => {
    const net = threeGuests();
    net.learn(['b', bToA]);
    net.hub.unplug(net.b);
    net.a.say(aToB);
    expect([net.b.heard(), net.c.heard()]).toEqual([[], [aToB]]);
    const other = threeGuests();
    other.learn(['b', bToA]);
    other.clock.ms = 301_000;
    other.learn(['a', frame({ from: a, to: everyMac }, 0x9000)]);
    other.a.say(aToB);
    expect([other.b.heard(), other.c.heard()]).toEqual([[aToB], [aToB]]);
  });

  test('that no cable would carry on are carried nowhere', () => {
    const net = threeGuests();
    net.a.say(
      Buffer.alloc(13),
      frame({ from: '53:54:00:00:00:0a', to: b }, 0x9000), // a group as the source
      frame({ from: '00:00:00:00:00:00', to: b }, 0x9000),
      frame({ from: a, to: '01:80:c2:00:00:01' }, 0x8808), // pause
      frame({ from: a, to: '01:80:c2:00:00:0e' }, 0x88cc), // LLDP
    );
    expect([net.b.heard(), net.c.heard(), net.gateway.heard()]).toEqual([[], [], []]);
    const tree = frame({ from: a, to: '01:80:c2:00:00:00' }, 0x0027);
    net.a.say(tree);
    expect(net.b.heard()).toEqual([tree]);
  });

  test('with a VLAN of their own pass, and are not shown to the gateway', () => {
    const net = threeGuests();
    const inVlan = tagged(arpFrame({ from: a, to: everyMac, senderIp: '10.44.0.1', targetIp: '10.44.0.1' }), 7);
    net.a.say(inVlan);
    expect([net.b.heard(), net.gateway.heard()]).toEqual([[inVlan], []]);
  });
});

describe('the gateway', () => {
  test('gets what is addressed to it, and nobody else does', () => {
    const net = threeGuests();
    const out = tcp(a, gatewayMac);
    const out6 = ipv6Frame({ from: a, to: '52:56:00:00:00:02' }, 6, Buffer.alloc(20));
    net.a.say(out, out6);
    expect([net.gateway.heard(), net.b.heard(), net.c.heard()]).toEqual([[out, out6], [], []]);
  });

  test('gets ARP and neighbour discovery of what goes to all, and no other broadcasts', () => {
    const net = threeGuests();
    const who = arpFrame({ from: a, to: everyMac, senderIp: '10.44.0.10', targetIp: '10.44.0.11' });
    const solicit = ipv6Frame({ from: a, to: '33:33:00:00:00:02' }, 58, Buffer.from([133, 0, 0, 0]));
    const chatter = udpFrame({
      from: a,
      to: everyMac,
      source: '10.44.0.10',
      destination: '10.44.0.255',
      sourcePort: 137,
      destinationPort: 137,
    });
    const mdns = udpFrame({
      from: a,
      to: '01:00:5e:00:00:fb',
      source: '10.44.0.10',
      destination: '224.0.0.251',
      sourcePort: 5353,
      destinationPort: 5353,
    });
    const mdns6 = ipv6Frame({ from: a, to: '33:33:00:00:00:fb' }, 17, Buffer.from([20, 233, 20, 233, 0, 8, 0, 0]));
    const spoken = frame({ from: a, to: everyMac }, 0x88b5);
    net.a.say(who, solicit, chatter, mdns, mdns6, spoken);
    expect(net.gateway.heard()).toEqual([who, solicit]);
    expect(net.b.heard()).toEqual([who, solicit, chatter, mdns, mdns6, spoken]);
  });

  test('answers a guest, and speaks with its own MACs alone', () => {
    const net = threeGuests();
    net.a.say(aToB);
    for (const port of [net.b, net.c]) port.heard();
    const back = tcp(gatewayMac, a);
    const ask = arpFrame({ from: gatewayMac, to: everyMac, senderIp: '10.44.0.1', targetIp: '10.44.0.10' });
    net.gateway.say(back, ask, bToA);
    expect([net.a.heard(), net.b.heard()]).toEqual([[back, ask], [ask]]);
  });

  test('hands out no addresses, and advertises no route where there is none', () => {
    const offer = udpFrame({
      from: gatewayMac,
      to: everyMac,
      source: '10.44.0.1',
      destination: '255.255.255.255',
      sourcePort: 67,
      destinationPort: 68,
    });
    const advertisement = ipv6Frame(
      { from: '52:56:00:00:00:02', to: '33:33:00:00:00:01' },
      58,
      Buffer.from([134, 0, 0, 0]),
    );
    const net = threeGuests();
    net.gateway.say(offer, advertisement);
    expect(net.a.heard()).toEqual([advertisement]);
    const isolated = threeGuests({ isolated: true });
    isolated.gateway.say(offer, advertisement);
    expect(isolated.a.heard()).toEqual([]);
  });

  test('that is away takes nothing with it', () => {
    const net = threeGuests();
    net.hub.unplug(net.gateway);
    net.a.say(tcp(a, gatewayMac), aToB);
    expect([net.b.heard(), net.gateway.heard()]).toEqual([[aToB], []]);
    net.a.say(arpFrame({ from: a, to: everyMac, senderIp: '10.44.0.10', targetIp: '10.44.0.1' }));
    expect(net.a.heard()).toHaveLength(1);
  });
});

describe('ABUSE: a guest cannot speak as the gateway', () => {
  const spoofs: Readonly<Record<string, Buffer>> = {
    'its MAC': tcp(gatewayMac, b, '10.44.0.10'),
    'its MAC for IPv6': frame({ from: '52:56:00:00:00:02', to: b }, 0x86dd),
    'its address in ARP': arpFrame({
      from: a,
      to: everyMac,
      operation: 2,
      senderIp: '10.44.0.1',
      targetIp: '10.44.0.11',
    }),
    'the name server in ARP': arpFrame({ from: a, to: everyMac, senderIp: '10.44.0.3', targetIp: '10.44.0.3' }),
    'its MAC in ARP': arpFrame({
      from: a,
      to: everyMac,
      senderMac: gatewayMac,
      senderIp: '10.44.0.77',
      targetIp: '10.44.0.11',
    }),
    'ARP that is too short': arpFrame({
      from: a,
      to: everyMac,
      senderIp: '10.44.0.9',
      targetIp: '10.44.0.11',
    }).subarray(0, 40),
    'its address': tcp(a, b, '10.44.0.1'),
    'the name server’s answer': udpFrame({
      from: a,
      to: b,
      source: '10.44.0.3',
      destination: '10.44.0.11',
      sourcePort: 53,
      destinationPort: 4000,
    }),
    'a DHCP server': udpFrame({
      from: a,
      to: everyMac,
      source: '10.44.0.10',
      destination: '255.255.255.255',
      sourcePort: 67,
      destinationPort: 68,
    }),
    'a DHCP server of another port': udpFrame({
      from: a,
      to: b,
      source: '10.44.0.10',
      destination: '10.44.0.11',
      sourcePort: 1067,
      destinationPort: 68,
    }),
    'a DHCP server that speaks to another port': udpFrame({
      from: a,
      to: b,
      source: '10.44.0.10',
      destination: '10.44.0.11',
      sourcePort: 67,
      destinationPort: 4011,
    }),
    'a DHCP server in fragments': udpFrame({
      from: a,
      to: everyMac,
      source: '10.44.0.10',
      destination: '255.255.255.255',
      sourcePort: 67,
      destinationPort: 68,
      fragment: 0x2000,
    }),
    'a DHCP server behind a tag without a number': tagged(
      udpFrame({
        from: a,
        to: everyMac,
        source: '10.44.0.10',
        destination: '255.255.255.255',
        sourcePort: 67,
        destinationPort: 68,
      }),
      0,
    ),
    'ARP behind two tags without a number': tagged(
      tagged(arpFrame({ from: a, to: everyMac, operation: 2, senderIp: '10.44.0.1', targetIp: '10.44.0.11' }), 0),
      0,
    ),
    'many tags': Array.from({ length: 40 }).reduce<Buffer>((one) => tagged(one, 0), aToB),
    'a router': ipv6Frame({ from: a, to: '33:33:00:00:00:01' }, 58, Buffer.from([134, 0, 0, 0])),
    'a redirection': ipv6Frame({ from: a, to: b }, 58, Buffer.from([137, 0, 0, 0])),
    'a router behind other headers': ipv6Frame(
      { from: a, to: '33:33:00:00:00:01' },
      0,
      Buffer.from([60, 0, 0, 0, 0, 0, 0, 0, 44, 1, ...Array(14).fill(0), 58, 0, 0, 0, 0, 0, 0, 1, 134, 0, 0, 0]),
    ),
    'headers without an end': ipv6Frame({ from: a, to: b }, 0, Buffer.alloc(800)),
    'a header that is cut off': ipv6Frame({ from: a, to: b }, 0, Buffer.from([58])),
    'headers that are cut off': ipv6Frame({ from: a, to: b }, 0, Buffer.from([58, 9, 0, 0, 0, 0, 0, 0])),
    'a DHCPv6 server': ipv6Frame({ from: a, to: b }, 17, Buffer.from([2, 35, 2, 34, 0, 8, 0, 0])),
    'IPv4 that is too short': frame({ from: a, to: b }, 0x0800, Buffer.alloc(19)),
    'UDP that is too short': ipv4Frame({
      from: a,
      to: b,
      source: '10.44.0.10',
      destination: '10.44.0.11',
      protocol: 17,
      payload: Buffer.alloc(7),
    }),
  };

  test.for(Object.keys(spoofs))('with %s', (name) => {
    const net = threeGuests();
    net.learn(['b', bToA]);
    net.a.say(spoofs[name] ?? Buffer.alloc(0));
    expect([net.b.heard(), net.c.heard(), net.gateway.heard()]).toEqual([[], [], []]);
    const told = /too short|tags|end|cut off/.test(name) && !name.startsWith('ARP behind') ? 0 : 1;
    expect(net.log.lines.filter((line) => line.includes('only the gateway may'))).toHaveLength(told);
  });

  test('nor claim an IPv6 address that the gateway has named', () => {
    const net = threeGuests();
    const advertisement = (target: Buffer): Buffer =>
      ipv6Frame(
        { from: a, to: '33:33:00:00:00:01' },
        58,
        Buffer.concat([Buffer.from([136, 0, 0, 0, 0, 0, 0, 0]), target]),
      );
    const gateways = Buffer.from('fe800000000000000000000000000002', 'hex');
    const router = ipv6Frame({ from: '52:56:00:00:00:02', to: '33:33:00:00:00:01' }, 58, Buffer.from([134, 0, 0, 0]));
    gateways.copy(router, 14 + 8);
    net.gateway.say(router);
    net.b.heard();
    const own = advertisement(Buffer.from('fe80000000000000505400fffe00000a', 'hex'));
    net.a.say(advertisement(gateways), own);
    expect(net.b.heard()).toEqual([own]);
  });

  test('what is ordinary passes: fragments, IPv6, UDP, priority', () => {
    const net = threeGuests();
    net.learn(['b', bToA]);
    const ordinary = [
      udpFrame({
        from: a,
        to: b,
        source: '10.44.0.10',
        destination: '10.44.0.11',
        sourcePort: 53,
        destinationPort: 4000,
      }),
      ipv4Frame({ from: a, to: b, source: '10.44.0.10', destination: '10.44.0.11', protocol: 17, fragment: 0x0010 }),
      ipv6Frame({ from: a, to: b }, 58, Buffer.from([128, 0, 0, 0])),
      ipv6Frame({ from: a, to: b }, 44, Buffer.from([58, 0, 0x05, 0x00, 0, 0, 0, 1, 134, 0, 0, 0])),
      tagged(aToB, 0),
      frame({ from: a, to: b }, 0x88b5),
    ];
    net.a.say(...ordinary);
    expect(net.b.heard()).toEqual(ordinary);
  });
});

describe('ABUSE: another VM’s MAC', () => {
  const members = {
    a: { vm: 'web1', mac: a },
    b: { vm: 'web2', mac: b },
    b2: { vm: 'web2', mac: '52:54:00:00:00:1b' },
  };

  test('cannot be used by a guest, and is told once', () => {
    const net = threeGuests({ members });
    net.learn(['b', bToA]);
    net.a.say(tcp(b, c), tcp(b, c));
    net.c.say(tcp(a, b));
    expect([net.c.heard(), net.b.heard()]).toEqual([[], []]);
    expect(net.log.lines.filter((line) => line.includes('belongs to another VM'))).toHaveLength(2);
    net.a.say(aToB);
    expect(net.b.heard()).toEqual([aToB]);
  });

  test('may be used by another NIC of the same VM', () => {
    const net = threeGuests({ members });
    const second = net.plug('b2');
    second.say(bToA);
    expect(net.a.heard()).toEqual([bToA]);
  });

  test('is taken from a guest that used it before its VM was there', () => {
    const late: Record<string, { readonly vm: string; readonly mac: string }> = {};
    const net = threeGuests({ members: late });
    const cToB = tcp(c, b);
    net.learn(['a', bToA]);
    net.c.say(cToB);
    expect([net.a.heard(), net.b.heard()]).toEqual([[cToB], []]);
    late['b'] = members.b;
    net.hub.checkPlaces();
    net.c.say(cToB);
    expect([net.a.heard(), net.b.heard()]).toEqual([[cToB], [cToB]]);
  });

  test('that two guests have is told once', () => {
    const net = threeGuests();
    for (let round = 0; round < 5; round++) {
      net.a.say(aToB);
      net.c.say(aToB);
    }
    const lines = net.log.lines.filter((line) => line.includes('is used on ports'));
    expect(lines).toEqual(['1970-01-01T00:00:00.000Z switch: 52:54:00:00:00:0a is used on ports a and c\n']);
  });
});

describe('questions that the switch answers itself', () => {
  test('where the gateway and the name server are', () => {
    const net = threeGuests();
    net.a.say(
      arpFrame({ from: a, to: everyMac, senderIp: '10.44.0.10', targetIp: '10.44.0.1' }),
      arpFrame({ from: a, to: dnsMac, senderIp: '0.0.0.0', targetIp: '10.44.0.3' }),
    );
    const [gateway, dns] = net.a.heard();
    expect(gateway?.toString('hex', 0, 32)).toBe(
      `52540000000a52550a2c0001080600010800060400025255${'0a2c00010a2c0001'}`,
    );
    expect(dns?.toString('hex', 22, 32)).toBe('52550a2c00030a2c0003');
    expect([net.b.heard(), net.gateway.heard()]).toEqual([[], []]);
  });

  test('DHCP, from members and others, and nobody else hears of it', () => {
    const net = threeGuests({ members: { a: { vm: 'web1', mac: a, ip: '10.44.0.50' } } });
    net.a.say(dhcpFrame({ mac: a, type: 1 }));
    expect(dhcpReply(envelop(...net.a.heard()))).toMatchObject({ type: 2, yourIp: '10.44.0.50' });
    net.b.say(dhcpFrame({ mac: b, type: 1 }));
    expect(dhcpReply(envelop(...net.b.heard()))?.yourIp).toMatch(/^10\.44\.0\.10\d$/);
    expect([net.c.heard(), net.gateway.heard()]).toEqual([[], []]);
  });

  test('DHCP that is switched off is the guests’ own affair, and never the gateway’s', () => {
    const net = threeGuests({ dhcp: false });
    const router = ipv6Frame({ from: a, to: '33:33:00:00:00:01' }, 58, Buffer.from([134, 0, 0, 0]));
    net.a.say(router);
    expect(net.c.heard()).toEqual([router]);
    net.learn();
    const discover = dhcpFrame({ mac: a, type: 1 });
    const unicast = udpFrame({
      from: a,
      to: gatewayMac,
      source: '10.44.0.10',
      destination: '10.44.0.1',
      sourcePort: 68,
      destinationPort: 67,
      payload: dhcpPayload({ mac: a, type: 3 }),
    });
    const offer = udpFrame({
      from: b,
      to: everyMac,
      source: '10.44.0.11',
      destination: '255.255.255.255',
      sourcePort: 67,
      destinationPort: 68,
    });
    net.a.say(discover, unicast);
    net.b.say(offer);
    expect([net.a.heard(), net.b.heard(), net.gateway.heard()]).toEqual([[offer], [discover], []]);
  });

  const ask = (name: string, more = {}): Buffer =>
    udpFrame({
      from: a,
      to: dnsMac,
      source: '10.44.0.10',
      destination: '10.44.0.3',
      sourcePort: 4000,
      destinationPort: 53,
      payload: dnsQuestion(name),
      ...more,
    });

  test('names of the network; others go on to the gateway', () => {
    const net = threeGuests({ members: { b: { vm: 'web2', mac: b, ip: '10.44.0.51' } } });
    net.a.say(ask('web2.lab.test'));
    const [answer] = net.a.heard();
    expect(answer?.subarray(-4)).toEqual(Buffer.from([10, 44, 0, 51]));
    expect(net.gateway.heard()).toEqual([]);
    net.a.say(ask('example.org'));
    expect([net.a.heard(), net.gateway.heard()]).toEqual([[], [ask('example.org')]]);
  });

  test('names are told over IPv6 too; other questions, and those to servers elsewhere, go on', () => {
    const net = threeGuests({ members: { b: { vm: 'web2', mac: b, ip: '10.44.0.51' } } });
    const ask6 = (name: string, to: string, server: string): Buffer => {
      const payload = dnsQuestion(name);
      const ports = Buffer.from([0x0f, 0xa0, 0, 53, 0, 8 + payload.length, 0, 0]);
      const one = ipv6Frame({ from: a, to }, 17, Buffer.concat([ports, payload]));
      Buffer.from('fec0000000000000505400fffe00000a', 'hex').copy(one, 22);
      Buffer.from(server, 'hex').copy(one, 38);
      return one;
    };
    const own = 'fec00000000000000000000000000003';
    const elsewhere = ask6('web2.lab.test', '52:56:00:00:00:02', '20010db8000000000000000000000035');
    const other = ask6('example.org', '52:56:00:00:00:03', own);
    net.a.say(elsewhere, other);
    expect([net.a.heard(), net.gateway.heard()]).toEqual([[], [elsewhere, other]]);
    const question = ask6('web2.lab.test', '52:56:00:00:00:03', own);
    net.a.say(question);
    const [answer = Buffer.alloc(0), ...more] = net.a.heard();
    expect([more, net.gateway.heard()]).toEqual([[], []]);
    expect(answer.toString('hex', 0, 14)).toBe('52540000000a' + '525600000003' + '86dd');
    expect(answer.subarray(22, 54)).toEqual(Buffer.concat([question.subarray(38, 54), question.subarray(22, 38)]));
    expect(answer.toString('hex', 54, 58)).toBe('00350fa0');
    expect(answer.subarray(-4)).toEqual(Buffer.from([10, 44, 0, 51]));
    const udpSize = answer.length - 54;
    const header = Buffer.concat([
      answer.subarray(22, 54),
      Buffer.from([0, 0, udpSize >> 8, udpSize & 255, 0, 0, 0, 17]),
    ]);
    expect(checksum(Buffer.concat([header, answer.subarray(54)]))).toBe(0);
  });

  test('by TCP they go on to the gateway', () => {
    const net = threeGuests();
    const syn = ipv4Frame({ from: a, to: dnsMac, source: '10.44.0.10', destination: '10.44.0.3' });
    net.a.say(syn);
    expect(net.gateway.heard()).toEqual([syn]);
  });

  test('names are told to guests of the subnet alone, and not to all at once', () => {
    const net = threeGuests();
    net.a.say(
      ask('web2.lab.test', { source: '192.0.2.7' }),
      ask('web2.lab.test', { source: '0.0.0.0' }),
      ask('web2.lab.test', { to: everyMac }),
    );
    expect([net.a.heard(), net.gateway.heard()]).toEqual([[], []]);
  });
});

describe('the table', () => {
  const port = (name: string) => ({ name });

  test('forgets a port’s own first address when a guest invents too many', () => {
    const table = new MacTable();
    const [one, other] = [port('one'), port('other')];
    table.learn(macOf(b), other, 0);
    for (let index = 0; index < 3 * maxMacsOfPort; index++) table.learn(0x0200_0000_0000 + index, one, 0);
    expect(table.size).toBe(maxMacsOfPort + 1);
    expect(table.find(macOf(b), 0)).toBe(other);
    expect(table.find(0x0200_0000_0000, 0)).toBeUndefined();
    expect(table.find(0x0200_0000_0000 + 3 * maxMacsOfPort - 1, 0)).toBe(one);
    table.forgetPort(one);
    expect(table.size).toBe(1);
  });

  test('has an end', () => {
    const table = new MacTable();
    for (let number = 0; number < 40; number++) {
      const one = port(`p${number}`);
      for (let index = 0; index < maxMacsOfPort; index++) table.learn(0x0200_0000_0000 + number * 1000 + index, one, 0);
    }
    expect(table.size).toBe(maxMacs);
  });
});
