import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { checkOfPorts, type PortNetwork } from '../../../src/launch/doctor-ports.ts';

const lan0 = (changes: Partial<NonNullable<PortNetwork['up']>> = {}): PortNetwork => ({
  name: 'lan0',
  up: { on: 'br0', takers: 'alice', base: { up: true }, count: 2, faults: [], free: 1, ...changes },
});

test('none, whole ones, one that is not up', () => {
  expect(checkOfPorts([], false)).toMatchObject({ id: 'ports', state: 'ok', evidence: 'there is no such network' });
  expect(checkOfPorts([lan0(), { name: 'lan1' }], false)).toMatchObject({
    state: 'ok',
    evidence: 'lan0 on br0: 2 ports for alice, 1 free; lan1 is not up',
    mend: null,
  });
  expect(checkOfPorts([lan0(), { name: 'lan1' }], true)).toMatchObject({
    state: 'warn',
    evidence: 'lan1 is not up',
    mend: 'sudo qrun net up lan1',
  });
});

test('what is wrong with it', () => {
  const gone = { device: 'qr-a', what: 'is gone', of: 'link' } as const;
  const open = { device: 'qr-b', what: ': /dev/tap7 is of uid 0, gid 0, mode 0666', of: 'rights' } as const;
  expect(checkOfPorts([lan0({ faults: [gone, open] })], false)).toMatchObject({
    state: 'warn',
    evidence: 'lan0: qr-a is gone, qr-b: /dev/tap7 is of uid 0, gid 0, mode 0666',
    mend: 'sudo qrun net up lan0',
  });
  expect(checkOfPorts([lan0({ base: { up: false } })], false)).toMatchObject({
    state: 'warn',
    mend: 'sudo ip link set dev br0 up',
  });
  const { base: _base, ...up } = lan0().up as NonNullable<PortNetwork['up']>;
  expect(checkOfPorts([{ name: 'lan0', up }], false)).toMatchObject({ state: 'warn', mend: 'sudo qrun net down lan0' });
});

test('what keeps a profile from a port is no fault of the host’s', () => {
  const { free: _free, ...up } = lan0().up as NonNullable<PortNetwork['up']>;
  const closed = new QrunError('permission', 'network lan0: its ports are for bob', { hint: 'sudo x' });
  const others = { name: 'lan0', up: { ...up, closed } };
  expect(checkOfPorts([others], false).state).toBe('ok');
  expect(checkOfPorts([others], true)).toMatchObject({ state: 'warn', evidence: closed.message, mend: 'sudo x' });
  expect(checkOfPorts([lan0({ free: 0 })], false).state).toBe('ok');
  expect(checkOfPorts([lan0({ free: 0, count: 1 })], true)).toMatchObject({
    state: 'warn',
    evidence: 'lan0 on br0: 1 port for alice, none of them free',
    mend: 'qrun net info lan0',
  });
});
