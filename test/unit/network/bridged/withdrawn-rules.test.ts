import { expect, test } from 'vitest';
import { mostWithdrawn, withdrawnOf } from '../../../../src/network/bridged/withdrawn-rules.ts';
import type { NetworkForward } from '../../../../src/network/network-plan.ts';

const at = (hostPort: number, more: Partial<NetworkForward> = {}): NetworkForward => ({
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort,
  guest: 'web1',
  guestAddress: '10.66.0.11',
  guestPort: 80,
  ...more,
});

test('what was in force and is not; each once, the last ones', () => {
  expect(withdrawnOf([at(1), at(2)], [at(2)])).toEqual([at(1)]);
  expect(withdrawnOf([at(1), at(1)], [])).toEqual([at(1)]);
  expect(withdrawnOf([at(1)], [at(1)])).toEqual([]);
  const many = Array.from({ length: mostWithdrawn + 5 }, (_, index) => at(index + 1));
  const left = withdrawnOf(many, []);
  expect(left).toHaveLength(mostWithdrawn);
  expect(left[0]).toEqual(at(6));
});

test('one that leads there from another address keeps its connections; another guest, port or protocol does not', () => {
  expect(withdrawnOf([at(1)], [at(1, { hostAddress: '192.0.2.1' })])).toEqual([]);
  for (const more of [{ guestAddress: '10.66.0.12' }, { guestPort: 81 }, { protocol: 'udp' as const }])
    expect(withdrawnOf([at(1)], [at(1, more)])).toEqual([at(1)]);
});
