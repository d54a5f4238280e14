import { expect, test } from 'vitest';
import { addressesMet, mostTelling, parseNeighbourRows, readNeighbours } from '../../../src/host/neighbours.ts';

const mac = '52:54:00:aa:00:01';
const row = (dst: string, more: object = {}) => ({
  dst,
  dev: 'br0',
  lladdr: mac.toUpperCase(),
  state: ['STALE'],
  ...more,
});

test('rows of ip: of both families, those that have answered', () => {
  const rows = [
    row('fd00::7'),
    row('10.9.0.7'),
    row('fe80::7'),
    row('10.9.0.8', { state: ['FAILED'] }),
    row('10.9.0.9', { state: ['INCOMPLETE'], lladdr: undefined }),
    { dst: 7 },
    null,
  ];
  const neighbours = parseNeighbourRows(JSON.stringify(rows)) ?? [];
  expect(neighbours.map(({ address }) => address)).toEqual(['fd00::7', '10.9.0.7', 'fe80::7']);
  expect(addressesMet(mac, neighbours)).toEqual(['10.9.0.7', 'fd00::7', 'fe80::7%br0']);
  expect(addressesMet('52:54:00:aa:00:02', neighbours)).toEqual([]);
  expect(parseNeighbourRows('')).toEqual([]);
  for (const text of ['Object "neigh" is unknown', '{}']) expect(parseNeighbourRows(text)).toBeUndefined();
});

test('a link-local address is told where nothing else is known', () => {
  expect(mostTelling(['fe80::7%br0', 'fd00::7', 'fd00::7'])).toEqual(['fd00::7']);
  expect(mostTelling(['fe80::7%br0'])).toEqual(['fe80::7%br0']);
});

test('one run of ip for all that a command lists; who waits looks again', () => {
  const ran: (readonly string[])[] = [];
  const system = {
    which: (tool: string) => `/bin/${tool}`,
    runNow: (tool: string, args: readonly string[]) => {
      ran.push([tool, ...args]);
      return { status: 0, stdout: JSON.stringify([row(`10.9.0.${ran.length}`)]), stderr: '' };
    },
  };
  const look = (again?: boolean) => readNeighbours(system, again).map(({ address }) => address);
  expect([look(), look(), look(true), look()]).toEqual([['10.9.0.1'], ['10.9.0.1'], ['10.9.0.2'], ['10.9.0.2']]);
  expect(ran).toEqual([
    ['ip', '-j', 'neigh', 'show'],
    ['ip', '-j', 'neigh', 'show'],
  ]);
});
