import { expect, test } from 'vitest';
import { uplink } from '../../../src/setup/items/uplink.ts';
import type { SetupHost } from '../../../src/setup/kind.ts';

const item = { kind: 'uplink', what: 'a port', link: 'eth1', bridge: 'br0' } as const;

/** A host whose `ip` shows these addresses of IPv6 on whichever link, each the link's own. */
function hostWith(...own: readonly string[]): SetupHost {
  const addresses = own.map((local) => ({ family: 'inet6', local, prefixlen: 64, scope: 'link' }));
  const look = (ifname: string) => JSON.stringify([{ ifname, flags: ['UP'], addr_info: addresses }]);
  const runNow = (_: string, args: readonly string[]) => ({
    status: 0,
    signal: undefined,
    stdout: args.includes('-details') ? look(args.at(-1) ?? '') : '',
    stderr: '',
  });
  return { system: { runNow } as unknown as SetupHost['system'] };
}

const commands = (actions: ReturnType<typeof uplink.undo>) =>
  actions.map((action) => (action.do === 'run' ? action.argv.join(' ') : action.do));

test('the card has its own addresses of IPv6 again, whoever chose them', () => {
  const before = { ...uplink.before(item, hostWith('fe80::1')) };
  expect(before).toMatchObject({ links: ['fe80::1/64'] });
  expect(commands(uplink.undo(item, before, hostWith('fe80::2')))).toEqual([
    'ip address delete fe80::2/64 dev eth1',
    'ip address replace fe80::1/64 dev eth1 scope link nodad',
  ]);
  expect(commands(uplink.undo(item, before, hostWith('fe80::1')))).toEqual([]);
});

test('a record of before they were written down leaves them', () => {
  expect(commands(uplink.undo(item, { up: true }, hostWith('fe80::2')))).toEqual([]);
});

test('a DHCP client hears of it when all is moved', () => {
  const reload = [['systemctl', 'try-restart', 'dhcpcd.service']];
  const actions = uplink.actions({ ...item, reload }, { addresses: [{ cidr: '192.0.2.7/24' }] }, hostWith());
  expect(actions.at(-1)).toEqual({ do: 'run', argv: reload[0], mayFail: true });
});
