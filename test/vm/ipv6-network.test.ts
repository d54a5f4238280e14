/** IPv6 on a network without root: guests give themselves addresses by what the gateway announces. */
import { expect, test } from 'vitest';
import { createHome, needsGuest, needsQemu } from '../harness/harness.ts';
import { noNetworkLeft } from '../cli/a-network.ts';
import { get, guestProfile, kill, openAll, ownAddress6, ping, start } from './a-lan.ts';
import type { GuestShell } from './guest-shell.ts';

test.for(['hub', 'vde'])(
  'guests on a %s have IPv6 addresses, one another and the gateway',
  async (transport, context) => {
    needsQemu(context);
    const files = needsGuest(context);
    const home = createHome();
    home.network('six', `transport: ${transport}\naddresses: [10.70.0.1/24, "fd00:70::1/64"]\n`);
    for (const name of ['a', 'b']) home.profile(name, guestProfile(files, name, '["network:six"]'));
    await start(home, 'a', 'b');
    const [a, b] = (await openAll(home, ['a', 'b'])) as [GuestShell, GuestShell];
    const [ofA, ofB] = await Promise.all([a, b].map((shell) => ownAddress6(shell)));
    for (const address of [ofA, ofB]) expect(address).toMatch(/^fd00:70::[0-9a-f:]+$/);
    expect(await a.run('ip -6 route | grep ^default')).toMatch(/^default via fe80::/);
    expect(await a.run(ping('fd00:70::1'))).toBe('fd00:70::1 answers');
    expect(await a.run(get(`[${ofB}]/`))).toMatch(/^qrun-guest b\n/);
    expect(await b.run(get(`[${ofA}]/`))).toMatch(/^qrun-guest a\n/);
    for (const shell of [a, b]) shell.close();
    await kill(home, 'a', 'b');
    expect(await noNetworkLeft(home)).toBe(true);
  },
);
