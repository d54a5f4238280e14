import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { parseNetwork } from '../../../src/network/parse.ts';
import { faultOfOneLine, renderOneLine, type OneLine } from '../../../src/network/one-line.ts';
import type { VmName } from '../../../src/names.ts';

const nothing: OneLine = { dhcp: false, forward: [] };
const meant = (said: Partial<OneLine>, { uid = 0, user }: { uid?: number; user?: string } = {}) =>
  parseNetwork(renderOneLine({ ...nothing, ...said }, user === undefined ? {} : { owner: user }) ?? '', {
    file: '/lan.yaml',
    name: 'lan' as VmName,
    uid,
  });

test('without a word it is no network that is made on the spot', () => {
  expect(renderOneLine(nothing)).toBeUndefined();
});

test('a mode with an address is a whole network', () => {
  expect(meant({ nat: '10.66.0.1/24' })).toMatchObject({
    forward: 'nat',
    addresses: ['10.66.0.1/24'],
    dhcp: { server: 'auto' },
  });
  expect(meant({ route: '10.66.0.1/24,fd66::1/64' })).toMatchObject({
    forward: 'route',
    addresses: ['10.66.0.1/24', 'fd66::1/64'],
  });
  expect(meant({ route: '10.66.0.1/24' }).dhcp).toBeUndefined();
  expect(meant({ route: '10.66.0.1/24', dhcp: true }).dhcp).toBeDefined();
});

test('ports are for whoever called sudo, unless somebody is named', () => {
  expect(meant({ nat: '10.66.0.1/24', ports: 8 }, { user: 'alice' })).toMatchObject({ ports: 8, owner: 'alice' });
  expect(meant({ nat: '10.66.0.1/24', ports: 8, group: 'qemusers' }, { user: 'alice' })).toMatchObject({
    group: 'qemusers',
  });
  expect(meant({ nat: '10.66.0.1/24', ports: 8, group: 'g' }, { user: 'alice' }).owner).toBeUndefined();
  expect(() => meant({ nat: '10.66.0.1/24', ports: 8 })).toThrow('no valid network');
});

test('forwards and a domain', () => {
  expect(meant({ nat: '10.66.0.1/24', forward: ['8080:web1:80'], domain: 'lan.test' })).toMatchObject({
    dns: { domain: 'lan.test' },
    forwards: [{ hostPort: 8080, guest: 'web1', guestPort: 80 }],
  });
});

test('what belongs to a network on the spot is refused without a mode', () => {
  expect(() => renderOneLine({ ...nothing, ports: 2 })).toThrow('its mode is missing');
  expect(() => renderOneLine({ ...nothing, dhcp: true })).toThrow('its mode is missing');
});

test.for(['10.66.0.1/24"\nhooks: [x', '10.66.0.1', "'", '{}'])(
  'what is no address is a fault, and nothing else: %j',
  (nat) => {
    expect(() => meant({ nat })).toThrow('no valid network');
  },
);

test('faults are said of the options, for nobody has the file', () => {
  const said = (words: Partial<OneLine>): QrunError => {
    try {
      meant(words);
    } catch (error) {
      if (error instanceof QrunError) return faultOfOneLine(error, { ...nothing, ...words }, '/lan.yaml');
      throw error;
    }
    throw new Error('it is valid');
  };
  expect(said({ nat: '10.66.0.1/24', ports: 2 }).message).toBe(
    '-n: who may take a port must be said: --owner or --group',
  );
  expect(said({ nat: '10.66.0.1/24', owner: 'alice' }).message).toBe(
    '--owner: owner says who may take ports: write -n too',
  );
  expect(said({ isolated: '10.66.0.1' }).message).toMatch(/^--isolated 10\.66\.0\.1: /);
  expect(said({ nat: '10.66.0.1/24', forward: ['80:10.66.0.9:80', '80:10.9.9.9:80'] })).toMatchObject({
    message: 'the command line is no valid network: it has 2 faults',
    causes: [
      expect.stringMatching(/^--forward 80:10\.9\.9\.9:80: /),
      expect.stringMatching(/^--forward 80:10\.9\.9\.9:80: /),
    ],
    status: 2,
    faults: [],
  });
});
