import { expect, test } from 'vitest';
import { linkStateOf } from '../../../src/qmp/info-network.ts';

const withCard = (info: string): string =>
  `nic-net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:aa:bb:cc\r\n \\ net0: index=0,type=stream,${info}\r\n`;

test.each([
  ['', { state: 'pending' }],
  ['listening', { state: 'pending' }],
  ['connecting', { state: 'pending' }],
  ['connection error', { state: 'failed', reason: 'connection error' }],
  [
    "error: Failed to connect to '/run/a': No such file or directory",
    { state: 'failed', reason: "Failed to connect to '/run/a': No such file or directory" },
  ],
  ['unix:/run/a', { state: 'connected' }],
  ['tcp:127.0.0.1:5000', { state: 'connected' }],
])('a stream of which QEMU says %j', (info, expected) => {
  expect(linkStateOf(withCard(info), 'net0')).toEqual(expected);
  expect(linkStateOf(`net0: index=0,type=stream,${info}\r\n`, 'net0')).toEqual(expected);
});

test('other back ends, and others’ lines, are not it', () => {
  expect(linkStateOf(withCard('listening'), 'net1')).toBeUndefined();
  expect(linkStateOf(withCard('listening'), 'nic-net0')).toBeUndefined();
  expect(linkStateOf('net0: index=0,type=user,net=10.0.2.0,restrict=off\r\n', 'net0')).toBeUndefined();
  const both = `net0: index=0,type=stream,listening\r\nnet00: index=0,type=stream,connection error\r\n`;
  expect(linkStateOf(both, 'net00')).toMatchObject({ state: 'failed' });
});
