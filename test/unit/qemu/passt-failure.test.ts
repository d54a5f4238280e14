import { describe, expect, test } from 'vitest';
import { parseQemuFailure } from '../../../src/qemu/failure.ts';
import { parsePasstFailure, wordsOfPasst } from '../../../src/qemu/passt-failure.ts';

/** As passt of 2023-03, 2025-05 and 2026-10 say them. */
const said = {
  noRoute:
    'Failed to send 46 bytes to syslog\nNo external routable interface for IPv4\nFailed to send 46 bytes to syslog\nNo external routable interface for IPv6\nFailed to send 36 bytes to syslog\nExternal interface not usable\n',
  busy2023: "Failed to bind any port for '-t 127.0.0.1/9000:80', exiting\n",
  busy2025: "Failed to bind port 9000 (Address already in use) for option '-t 127.0.0.1/9000:80'\n",
  low2025: "Failed to bind port 80 (Permission denied) for option '-t 127.0.0.1/80:80'\n",
  low2026: "Listen failed for HOST TCP port 127.0.0.1/80: Permission denied\nCouldn't listen on requested ports\n",
  noIpv62023: "No external routable interface for IPv6\nFailed to bind any port for '-t ::1/8080:80', exiting\n",
  noIpv62025: "Failed to bind port 8080 ((null)) for option '-t ::1/8080:80'\n",
  noIpv62026: 'IPv6 forward, but IPv6 not enabled\nUnable to add rule TCP [::1]:8080  =>  80 \n',
  noIpv42023: "No external routable interface for IPv4\nFailed to bind any port for '-u 127.0.0.1/7:7', exiting\n",
  overlap: 'Overlapping port specifier 10.77.0.2/8080:80\n',
};

describe('what passt says', () => {
  test('without a default route, in its own words and ours', () => {
    expect(parsePasstFailure(said.noRoute)).toEqual({
      code: 'host-failed',
      message: expect.stringContaining('default route'),
      hint: expect.stringContaining('kind: user'),
      words: 'External interface not usable',
    });
  });

  test.each([
    [said.busy2023, 'in-use', '127.0.0.1/9000:80'],
    [said.busy2025, 'in-use', '127.0.0.1/9000:80'],
    [said.low2025, 'permission', '127.0.0.1/80:80'],
    [said.low2026, 'permission', '127.0.0.1/80'],
  ])('of a port that it could not take: %s', (text, code, forward) => {
    expect(parsePasstFailure(text)).toMatchObject({ code, forward });
  });

  test.each([
    [said.noIpv62023, '6'],
    [said.noIpv62025, '6'],
    [said.noIpv62026, '6'],
    [said.noIpv42023, '4'],
  ])('of an address whose family has no route is not of the port: %s', (text, family) => {
    const failure = parsePasstFailure(text);
    expect(failure).toMatchObject({
      code: 'host-failed',
      message: expect.stringContaining(`IPv${family} default route`),
    });
    expect(failure).not.toHaveProperty('forward');
  });

  test('of one port on two addresses', () => {
    expect(parsePasstFailure(said.overlap)).toMatchObject({ code: 'missing-feature' });
  });

  test('that is none of these is left to its own words', () => {
    expect(parsePasstFailure('Something new\n')).toBeUndefined();
    expect(wordsOfPasst('Failed to send 9 bytes to syslog\n\nSomething new\n')).toEqual(['Something new']);
    expect(wordsOfPasst('UNIX domain socket bound at /x\n    ./qrap 5 kvm ...\n')).toEqual([]);
  });
});

test('behind QEMU that started it, passt tells why, and not QEMU', () => {
  const qemu = 'qemu-system-x86_64: -netdev {"type":"passt"}: Passt exited with code 1\n';
  expect(parseQemuFailure(`${said.noRoute}${qemu}`)).toMatchObject({
    code: 'host-failed',
    message: expect.stringContaining('default route'),
    line: 'External interface not usable',
  });
  expect(parseQemuFailure(`${said.busy2025}${qemu}`)).toMatchObject({ code: 'in-use', forward: '127.0.0.1/9000:80' });
  expect(parseQemuFailure(qemu)).toMatchObject({ code: 'qemu-failed' });
});
