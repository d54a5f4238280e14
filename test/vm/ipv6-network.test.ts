/** IPv6 on a network without root: guests give themselves addresses by what the gateway announces. */
import { expect, test } from 'vitest';
import { createHome, needsGuest, needsQemu } from '../harness/harness.ts';
import { noNetworkLeft } from '../cli/a-network.ts';
import { get, guestProfile, kill, openAll, start } from './a-lan.ts';
import type { GuestShell } from './guest-shell.ts';

/** The guest's DHCP client clears all addresses of a link; a link that is taken up anew asks for a router again. */
const ownAddress =
  "ip link set eth0 down; ip link set eth0 up; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; ip -6 -o addr show dev eth0 scope global | grep -v tentative && break; done | awk '{ print $4 }'";

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
    const [ofA, ofB] = await Promise.all([a.run(ownAddress), b.run(ownAddress)]);
    for (const address of [ofA, ofB]) expect(address).toMatch(/^fd00:70::[0-9a-f:]+\/64$/);
    expect(await a.run('ip -6 route | grep ^default')).toMatch(/^default via fe80::/);
    expect(await a.run('ping6 -c 1 -W 3 fd00:70::1 >/dev/null && echo gateway')).toBe('gateway');
    expect(await a.run(get(`[${ofB?.split('/')[0]}]/`))).toMatch(/^qrun-guest b\n/);
    expect(await b.run(get(`[${ofA?.split('/')[0]}]/`))).toMatch(/^qrun-guest a\n/);
    for (const shell of [a, b]) shell.close();
    await kill(home, 'a', 'b');
    expect(await noNetworkLeft(home)).toBe(true);
  },
);
