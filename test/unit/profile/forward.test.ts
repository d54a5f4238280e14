import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forwardPattern, parseForward, renderForward } from '../../../src/profile/forward.ts';
import type { Forward } from '../../../src/profile/profile.ts';

const tcp = (rest: Partial<Forward>): Forward => ({
  protocol: 'tcp',
  hostAddress: '127.0.0.1',
  hostPort: 8080,
  guestPort: 80,
  ...rest,
});

const port = fc.integer({ min: 1, max: 65535 });
const ipv6 = fc.ipV6().filter((text) => !text.includes('%'));
const interfaceName = fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/);
const forwards: fc.Arbitrary<Forward> = fc
  .record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    hostAddress: fc.oneof(
      fc.constant('127.0.0.1'),
      fc.ipV4(),
      ipv6,
      interfaceName.map((name) => `%${name}`),
    ),
    hostPort: fc.oneof(port, fc.constant('auto' as const)),
    guest: fc.option(fc.oneof(fc.ipV4(), ipv6, fc.stringMatching(/^[a-z][a-z0-9_.-]{0,39}$/)), { nil: undefined }),
    guestPort: port,
  })
  .map(({ guest, ...rest }) => ({ ...rest, ...(guest !== undefined && { guest }) }));

describe('parseForward', () => {
  test.each<[string, Forward]>([
    ['8080:80', tcp({})],
    ['127.0.0.1:10022:22', tcp({ hostPort: 10022, guestPort: 22 })],
    ['5353:53/udp', tcp({ protocol: 'udp', hostPort: 5353, guestPort: 53 })],
    ['8080:80/tcp', tcp({})],
    ['auto:22', tcp({ hostPort: 'auto', guestPort: 22 })],
    ['0.0.0.0:8080:80', tcp({ hostAddress: '0.0.0.0' })],
    ['[::1]:8080:80', tcp({ hostAddress: '::1' })],
    ['%eth0:8080:80', tcp({ hostAddress: '%eth0' })],
    ['%br-lan.5:auto:80/udp', tcp({ hostAddress: '%br-lan.5', hostPort: 'auto', protocol: 'udp' })],
    ['0.0.0.0:8080:web1:80/tcp', tcp({ hostAddress: '0.0.0.0', guest: 'web1' })],
    ['127.0.0.1:8080:10.0.2.15:80', tcp({ guest: '10.0.2.15' })],
    ['[::]:8080:[fec0::2]:80', tcp({ hostAddress: '::', guest: 'fec0::2' })],
    ['1:65535', tcp({ hostPort: 1, guestPort: 65535 })],
  ])('%s', (text, expected) => {
    expect(parseForward(text)).toEqual(expected);
  });

  test.for([
    ['::1:8080:80', '[::1]:8080:80'],
    [':::9000:80', '[::]:9000:80'],
    ['fd00::1:8080:web1:80/udp', '[fd00::1]:8080:web1:80/udp'],
    ['127.0.0.1:8080:fd00::9:80', '127.0.0.1:8080:[fd00::9]:80'],
  ])('%s lacks brackets: what to write is told', ([text = '', meant = '']) => {
    expect(parseForward(text)).toEqual({ fault: expect.stringContaining(`: write ${meant}`) as string });
    expect(parseForward(meant)).not.toHaveProperty('fault');
  });

  test.for(['1:2:3:4:5', '::::', '::1:x:80', `::1:${':'.repeat(5000)}`, '[::1]:1:::2:80'])(
    '%s: the form is told',
    (text) => expect(parseForward(text)).toEqual({ fault: expect.stringContaining('IPv6 in brackets') as string }),
  );

  test('ABUSE 31: without an address it is 127.0.0.1, and every address only when that is written', () => {
    expect(parseForward('2222:22')).toMatchObject({ hostAddress: '127.0.0.1' });
    expect(parseForward('auto:22')).toMatchObject({ hostAddress: '127.0.0.1' });
    expect(parseForward('0.0.0.0:2222:22')).toMatchObject({ hostAddress: '0.0.0.0' });
    expect(parseForward(':2222:22')).toHaveProperty('fault');
    expect(parseForward('*:2222:22')).toHaveProperty('fault');
  });

  test.each([
    '',
    ':',
    '80',
    '80:',
    ':80',
    '80:80:',
    '0:80',
    '80:0',
    '65536:80',
    '80:65536',
    '010:80',
    '+80:80',
    '8e1:80',
    ' 80:80',
    '80:80 ',
    '80:80\n',
    '80:80/sctp',
    '80:80/TCP',
    '80:80/',
    '80:auto',
    'AUTO:80',
    '8000-8010:80',
    'localhost:80:80',
    '10.0.0.256:80:80',
    '010.0.0.1:80:80',
    '1:80:80',
    '::1:80:80',
    '[::1:80:80',
    '::1]:80:80',
    '[]:80:80',
    '[127.0.0.1]:80:80',
    '[fe80::1%eth0]:80:80',
    '%:80:80',
    '%eth0/x:80:80',
    '%interface-too-long:80:80',
    '1.2.3.4:80:5.6.7.8:80:90',
    '127.0.0.1:80:a b:80',
    '127.0.0.1:80:,x:80',
    '127.0.0.1:80:-x:80',
    '127.0.0.1:80:10.0.2:80',
    '127.0.0.1:80::80',
    '127.0.0.1:80:80,hostfwd=tcp::1-:1',
  ])('refuses %j and says why', (text) => {
    const parsed = parseForward(text);
    expect(parsed).toEqual({ fault: expect.stringMatching(/\w{3}/) });
  });

  test('says what is wrong, not only that something is', () => {
    expect(parseForward('80:80/sctp')).toEqual({ fault: '"sctp" is no protocol of a forward: /tcp or /udp' });
    expect(parseForward('70000:80')).toEqual({
      fault: '"70000" is no port: a port is 1 to 65535, or auto on the host\'s side',
    });
    expect(parseForward('localhost:80:80')).toHaveProperty('fault', expect.stringContaining('%eth0'));
  });

  test('takes any text in good time and throws never', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(parseForward(text)).toBeTypeOf('object');
      }),
    );
    expect(parseForward(':'.repeat(200_000))).toHaveProperty('fault');
    expect(parseForward('['.repeat(200_000))).toHaveProperty('fault');
  });
});

describe('renderForward', () => {
  test('gives what parses back to the same value', () => {
    fc.assert(
      fc.property(forwards, (forward) => {
        expect(parseForward(renderForward(forward))).toEqual(forward);
      }),
    );
  });

  test('is within the pattern that editors check', () => {
    const pattern = new RegExp(forwardPattern);
    fc.assert(fc.property(forwards, (forward) => pattern.test(renderForward(forward))));
  });

  test('is as short as a person would write it', () => {
    expect(renderForward(tcp({}))).toBe('8080:80');
    expect(renderForward(tcp({ hostAddress: '::1', protocol: 'udp', hostPort: 'auto' }))).toBe('[::1]:auto:80/udp');
    expect(renderForward(tcp({ guest: 'web1' }))).toBe('127.0.0.1:8080:web1:80');
  });
});
