import { expect, test } from 'vitest';
import { parseGuestForward } from '../../../src/network/guest-forward.ts';
import { renderForward } from '../../../src/profile/forward.ts';

const tcp = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8080, guest: 'web1', guestPort: 80 } as const;

test.for<[string, object]>([
  ['8080:web1:80', tcp],
  ['8080:web1:80/tcp', tcp],
  ['auto:web1:80', { ...tcp, hostPort: 'auto' }],
  ['0.0.0.0:8080:web1:80/udp', { ...tcp, protocol: 'udp', hostAddress: '0.0.0.0' }],
  ['[::1]:8080:web1:80', { ...tcp, hostAddress: '::1' }],
  ['8080:[fd00::9]:80', { ...tcp, guest: 'fd00::9' }],
  ['8080:10.1.1.9:80', { ...tcp, guest: '10.1.1.9' }],
  ['8080:443:80', { ...tcp, guest: '443' }],
  ['%eth0:8080:web1:80', { ...tcp, hostAddress: '%eth0' }],
])('%s', ([text, value]) => expect(parseGuestForward(text)).toEqual({ value }));

test.for([
  '',
  '8080',
  '8080:80',
  '127.0.0.1:8080:80',
  '%eth0:8080:80',
  '8080:web1:80:1',
  ':web1:80',
  '8080::80',
  '8080:web1:',
  '8080:we b:80',
])('%j is none', (text) => expect(parseGuestForward(text)).toHaveProperty('fault'));

test.for([
  [':::9000:web1:80', '[::]:9000:web1:80'],
  ['::1:9000:web1:80/udp', '[::1]:9000:web1:80/udp'],
  ['9000:fd00:120::9:80', '9000:[fd00:120::9]:80'],
  ['auto:fd00:120::9:80', 'auto:[fd00:120::9]:80'],
])('%s lacks brackets: what to write is told', ([text = '', meant = '']) => {
  expect(parseGuestForward(text)).toEqual({ fault: expect.stringContaining(`: write ${meant}`) as string });
  expect(parseGuestForward(meant)).toHaveProperty('value');
});

test('what is shown reads back as the same', () => {
  for (const text of ['8080:web1:80', '0.0.0.0:auto:10.1.1.9:53/udp', '[::1]:80:[fd00::9]:80']) {
    const parsed = parseGuestForward(text);
    if ('fault' in parsed) throw new Error(parsed.fault);
    expect(parseGuestForward(renderForward(parsed.value))).toEqual(parsed);
  }
});
