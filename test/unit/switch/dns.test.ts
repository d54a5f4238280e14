/** Names of the network. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerDns, answerQuestion, type DnsSettings } from '../../../src/switch/dns.ts';
import { parseDnsQuestion, parseReverseName } from '../../../src/switch/dns-message.ts';
import { parseDatagram } from '../../../src/switch/frame.ts';
import { buildNameTable } from '../../../src/switch/name-table.ts';
import { dnsQuestion, framesOf, ipOf } from './a-frame.ts';
import { subnet } from './a-network.ts';
import { runs } from '../quick.ts';

const names = buildNameTable({
  domain: 'lab.test',
  written: [
    { ip: ipOf('10.44.0.1'), names: ['gw', 'gate.example.org'] },
    { ip: ipOf('10.44.0.51'), names: ['web1'] },
    { ip: ipOf('10.44.0.52'), names: ['web2'] },
    { ip: ipOf('10.44.0.53'), names: ['web2'] },
    { ip: ipOf('10.44.0.54'), names: ['db.1'] },
  ],
  said: [
    { ip: ipOf('10.44.0.100'), names: ['web1'] },
    { ip: ipOf('10.44.0.101'), names: ['laptop'] },
    { ip: ipOf('10.44.0.51'), names: ['alias'] },
  ],
});
const settings: DnsSettings = { subnet, dnsServer: ipOf('10.44.0.3'), isolated: false };

const types: Readonly<Record<string, number>> = { A: 1, NS: 2, PTR: 12, MX: 15, AAAA: 28, ANY: 255 };

interface Answer {
  readonly code: number;
  readonly records: readonly string[];
}

/** `pass`, or the code and the records of the answer. */
function ask(name: string, type = 'A', more: Partial<DnsSettings> = {}): Answer | 'pass' {
  const question = parseDnsQuestion(dnsQuestion(name, types[type]));
  if (question === undefined) throw new Error('no question');
  const answer = answerQuestion(question, names, { ...settings, ...more });
  if (answer === 'pass') return 'pass';
  expect(answer.readUInt16BE(0)).toBe(0x1111);
  expect(answer.readUInt16BE(2) & 0xff80).toBe(0x8580);
  expect(answer.subarray(12, question.head.length)).toEqual(question.head.subarray(12));
  const records: string[] = [];
  let at = question.head.length;
  for (let count = answer.readUInt16BE(6); count > 0; count--) {
    expect(answer.readUInt16BE(at)).toBe(0xc00c);
    const size = answer.readUInt16BE(at + 10);
    const data = answer.subarray(at + 12, at + 12 + size);
    records.push(answer.readUInt16BE(at + 2) === 1 ? [...data].join('.') : data.toString('latin1'));
    at += 12 + size;
  }
  expect(at).toBe(answer.length);
  return { code: answer.readUInt16BE(2) & 15, records };
}

describe('a name', () => {
  test.for([
    ['web1', ['10.44.0.51']],
    ['WEB1.Lab.Test', ['10.44.0.51']],
    ['web2.lab.test', ['10.44.0.52', '10.44.0.53']],
    ['gw', ['10.44.0.1']],
    ['gate.example.org', ['10.44.0.1']],
    ['db.1.lab.test', ['10.44.0.54']],
    ['laptop.lab.test', ['10.44.0.101']],
    ['alias', ['10.44.0.51']],
  ] as const)('%s is known', ([name, records]) => {
    expect(ask(name)).toEqual({ code: 0, records });
  });

  test('that is known has no addresses of other kinds, and exists nevertheless', () => {
    expect(ask('web1', 'AAAA')).toEqual({ code: 0, records: [] });
    expect(ask('web1.lab.test', 'MX')).toEqual({ code: 0, records: [] });
    expect(ask('web1.lab.test', 'ANY')).toEqual({ code: 0, records: ['10.44.0.51'] });
    expect(ask('lab.test')).toEqual({ code: 0, records: [] });
  });

  test('of our domain that is not known does not exist', () => {
    expect(ask('nobody.lab.test')).toEqual({ code: 3, records: [] });
    expect(ask('nobody.lab.test', 'AAAA')).toEqual({ code: 3, records: [] });
  });

  test('of elsewhere is asked elsewhere, or there is no elsewhere', () => {
    for (const name of ['example.org', 'nobody', '', 'notlab.test', '4.3.2.1.in-addr.arpa', '1.in-addr.arpa']) {
      expect(ask(name)).toBe('pass');
      expect(ask(name, 'A', { isolated: true })).toEqual({ code: 3, records: [] });
    }
  });

  test('without a domain is known by itself', () => {
    const plain = buildNameTable({ written: [{ ip: 1, names: ['web1'] }], said: [] });
    expect([plain.addressesOf('web1'), plain.addressesOf('web1.lab.test'), plain.nameOf(1)]).toEqual([
      [1],
      undefined,
      'web1',
    ]);
  });
});

describe('an address', () => {
  test('has the name that was written first', () => {
    expect(ask('51.0.44.10.in-addr.arpa', 'PTR')).toEqual({ code: 0, records: ['\u0004web1\u0003lab\u0004test\0'] });
    expect(ask('101.0.44.10.IN-ADDR.ARPA', 'PTR')).toEqual({ code: 0, records: ['\u0006laptop\u0003lab\u0004test\0'] });
    expect(ask('1.0.44.10.in-addr.arpa', 'PTR')).toEqual({ code: 0, records: ['\u0002gw\u0003lab\u0004test\0'] });
    expect(ask('51.0.44.10.in-addr.arpa', 'A')).toEqual({ code: 0, records: [] });
  });

  test('of the subnet without a name has none; others are asked elsewhere', () => {
    expect(ask('99.0.44.10.in-addr.arpa', 'PTR')).toEqual({ code: 3, records: [] });
    expect(ask('99.0.45.10.in-addr.arpa', 'PTR')).toBe('pass');
  });

  test('is read only when it is one', () => {
    expect(parseReverseName('4.3.2.1.in-addr.arpa')).toBe(ipOf('1.2.3.4'));
    for (const name of [
      '3.2.1.in-addr.arpa',
      '256.3.2.1.in-addr.arpa',
      '04.3.2.1.in-addr.arpa',
      '4.3.2.1.ip6.arpa',
      'x4.3.2.1.in-addr.arpa',
    ])
      expect(parseReverseName(name)).toBeUndefined();
  });
});

test('many addresses of one name stay within what every resolver takes', () => {
  const many = buildNameTable({
    written: Array.from({ length: 300 }, (_, index) => ({ ip: ipOf('10.44.0.10') + index, names: ['all'] })),
    said: [],
  });
  const question = parseDnsQuestion(dnsQuestion('all'));
  expect(question).toBeDefined();
  if (question === undefined) return;
  const answer = answerQuestion(question, many, settings);
  expect(answer).toBeInstanceOf(Buffer);
  expect(answer.length).toBeLessThanOrEqual(512);
});

test('who speaks EDNS is answered in kind', () => {
  const question = parseDnsQuestion(dnsQuestion('web1', 1, { edns: true }));
  const answer = question === undefined ? 'pass' : answerQuestion(question, names, settings);
  if (answer === 'pass') throw new Error('no answer');
  expect(answer.readUInt16BE(10)).toBe(1);
  expect(answer.subarray(-11)).toEqual(Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]));
});

describe('ABUSE: questions that are none', () => {
  const good = dnsQuestion('web1.lab.test');
  const change = (offset: number, value: number): Buffer => {
    const changed = Buffer.from(good);
    changed[offset] = value;
    return changed;
  };
  test.for<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['half a header', good.subarray(0, 11)],
    ['half a name', good.subarray(0, 15)],
    ['no type', good.subarray(0, -4)],
    ['an answer', change(2, 0x81)],
    ['an update', change(2, 0x28)],
    ['two questions', change(5, 2)],
    ['no question', change(5, 0)],
    ['a question with an answer', change(7, 1)],
    ['a name that points', change(12, 0xc0)],
    ['a name that points to itself', Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])],
    [
      'a name that points far',
      Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0]), Buffer.alloc(192, 65), Buffer.from([0, 0, 1, 0, 1])]),
    ],
    [
      'a name that is too long',
      Buffer.concat([
        good.subarray(0, 12),
        ...Array.from({ length: 128 }, () => Buffer.from([1, 65])),
        Buffer.from([0, 0, 1, 0, 1]),
      ]),
    ],
    ['a label that is longer than the question', change(12, 63)],
    ['a name without an end', Buffer.concat([good.subarray(0, 12), Buffer.alloc(600, 1)])],
  ])('%s', ([, bytes]) => {
    expect(parseDnsQuestion(bytes)).toBeUndefined();
  });

  test('a dot inside of a label is no end of one', () => {
    const tricky = Buffer.concat([
      good.subarray(0, 12),
      Buffer.from('\u000dweb1.lab.test\0', 'latin1'),
      Buffer.from([0, 1, 0, 1]),
    ]);
    const question = parseDnsQuestion(tricky);
    expect(question).toBeDefined();
    expect(question === undefined ? undefined : answerQuestion(question, names, settings)).toBe('pass');
  });

  test('any bytes get one answer that fits into a frame, or none', () => {
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(
        changes,
        fc.tuple(fc.nat(good.length), fc.boolean()),
        fc.uint8Array({ maxLength: 700 }),
        (changed, [size, isolated], tail) => {
          const payload = Buffer.concat([good.subarray(0, size), Buffer.from(tail)]);
          for (const [offset, value] of changed) if (offset < payload.length) payload[offset] = value;
          const datagram = {
            sourceMac: 1,
            destinationMac: 2,
            sourceIp: ipOf('10.44.0.51'),
            destinationIp: settings.dnsServer,
            sourcePort: 9,
            destinationPort: 53,
            payload,
          };
          const answer = answerDns(datagram, names, { ...settings, isolated });
          if (answer === undefined || answer === 'pass') return;
          const [only = Buffer.alloc(0), ...more] = framesOf(answer);
          expect([more.length, only.length <= 1514]).toEqual([0, true]);
          expect(parseDatagram(only)).toMatchObject({
            sourceIp: settings.dnsServer,
            sourcePort: 53,
            destinationIp: ipOf('10.44.0.51'),
            destinationPort: 9,
          });
        },
      ),
      { numRuns: runs(500) },
    );
  });
});
