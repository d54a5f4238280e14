/** `transport: vde` on a bridge of the network's own: what is planned, and what it cannot honour. */
import { describe, expect, test } from 'vitest';
import type { Mac } from '../../../../src/names.ts';
import type { NetworkFacts, PortFacts } from '../../../../src/network/plan-input.ts';
import { hostNetworkOf, type NetworkPlan } from '../../../../src/network/network-plan.ts';
import { aHostLink } from '../../nic/a-link-door.ts';
import { faultsOf } from '../network-text.ts';
import { planOf, stepOf } from '../a-plan.ts';

const macs = ['52:54:00:00:00:0a', '52:54:00:00:00:0b'] as Mac[];
const tools = {
  nft: '/usr/sbin/nft',
  dnsmasq: '/usr/sbin/dnsmasq',
  vde_switch: '/usr/bin/vde_switch',
  setpriv: '/usr/bin/setpriv',
};
const ports = (changes: Partial<PortFacts> = {}): PortFacts => ({
  ...{ host: '/host', state: '/root-state', macs, rights: true, registry: true, udev: false, ipv6: true },
  ...(changes.user === undefined && { group: 44, account: { uid: 102, gid: 44 } }),
  ...changes,
});
const asRoot = (text: string, changes: Partial<PortFacts> = {}, facts: Partial<NetworkFacts> = {}): NetworkPlan =>
  planOf(text, { name: 'lan0', uid: 0, pinned: true, facts: { tools, ports: ports(changes), ...facts } });

const base = 'forward: nat\nscope: system\ntransport: vde\naddresses: [10.10.120.1/24]\nports: 2\n';
const ofGroup = `${base}group: qemusers\n`;
const ofOwner = `${base}owner: alice\n`;
const alice = { user: 1000, account: { uid: 1000, gid: 1000 } };

describe('the plan', () => {
  test('is that of taps, with a tap, a directory and a switch in place of the ports', () => {
    const plan = asRoot(ofGroup);
    const idsOf = ({ steps }: NetworkPlan): string[] => steps.map(({ kind, id }) => `${kind} ${id}`);
    const ofTaps = idsOf(asRoot(ofGroup.replace('transport: vde', 'transport: tap')));
    const at = ofTaps.indexOf('link port:0');
    expect(ofTaps.slice(at)).toEqual(['link port:0', 'link port:1', 'host-network registry']);
    expect(idsOf(plan)).toEqual([
      ...ofTaps.slice(0, at),
      'link switch-tap',
      'switch-directory directory:switch',
      'service switch',
      'host-network registry',
    ]);
    expect(plan).toMatchObject({ transport: 'vde', attach: { by: 'bridge', bridge: 'qr-lan0' } });
    const { name, commands } = stepOf(plan, 'link', 'switch-tap');
    expect(name).toMatch(/^qr-[0-9a-f]{12}$/);
    expect(commands.join('\n')).toContain(`tuntap add dev ${name} mode tap user 102 `);
    expect(commands.join('\n')).toContain(`link set dev ${name} master qr-lan0`);
    expect(hostNetworkOf(plan)).toMatchObject({
      vde: { directory: '/host/vde/lan0', tap: name, user: 102, group: 44 },
      ports: [
        { device: name, switchPort: 2, mac: macs[0], lock: '/host/ports/lan0/0' },
        { device: name, switchPort: 3, mac: macs[1], lock: '/host/ports/lan0/1' },
      ],
    });
  });

  test('for a group: its members join, and take away nobody else’s; the switch is an account’s in that group, with no rights', () => {
    const plan = asRoot(ofGroup);
    expect(stepOf(plan, 'switch-directory')).toMatchObject({ owner: { uid: 102, gid: 44 }, mode: 0o3770 });
    const { programs, awaits } = stepOf(plan, 'service', 'switch');
    const [{ argv, restart, opens }] = programs as [(typeof programs)[number]];
    expect(argv.slice(argv.indexOf('/usr/bin/setpriv')).join(' ')).toBe(
      '/usr/bin/setpriv --reuid=102 --regid=44 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- ' +
        `/usr/bin/vde_switch -s /host/vde/lan0 -t ${opens} -n 4 -M /host/vde/lan0/mgmt -f /dev/null ` +
        '-m 0660 --dirmode 3770 --mgmtmode 0600',
    );
    expect({ restart, opens, awaits }).toEqual({
      restart: false,
      opens: stepOf(plan, 'link', 'switch-tap').name,
      awaits: ['/host/vde/lan0/ctl'],
    });
  });

  test('for an owner: the switch is his, and nobody else’s', () => {
    const plan = asRoot(ofOwner, alice);
    expect(stepOf(plan, 'switch-directory')).toMatchObject({ owner: { uid: 1000, gid: 1000 }, mode: 0o700 });
    expect(stepOf(plan, 'service', 'switch').programs[0]?.argv.join(' ')).toMatch(/-m 0600 --dirmode 0700 /);
  });

  test('rogue servers are kept off by the port that all its guests are behind', () => {
    const plan = asRoot(ofGroup);
    const { name } = stepOf(plan, 'link', 'switch-tap');
    const rules = JSON.stringify(stepOf(plan, 'nft').commands);
    expect(rules).toContain(`"${name}"`);
    expect(rules).not.toContain(`"${name}","${name}"`);
  });

  test('on a bridge of the host’s, too: frames of more than it carries are for nobody there', () => {
    const link = aHostLink('br0', { kind: 'bridge', mtu: 9000 });
    const plan = asRoot('forward: bridge\nbridge: { name: br0 }\ntransport: vde\nports: 2\ngroup: qemusers\n', {
      link,
    });
    expect(plan.steps.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
      'link switch-tap',
      'directory directory:runtime',
      'switch-directory directory:switch',
      'service switch',
      'host-network registry',
    ]);
    expect(stepOf(plan, 'link', 'switch-tap').commands.join('\n')).toMatch(/ mtu 1500.*\n.* master br0\n/);
    expect(plan).toMatchObject({ transport: 'vde', attach: { by: 'bridge', bridge: 'br0', mtu: 1500 } });
  });

  test('without a dnsmasq the directory for its input is made all the same', () => {
    const plan = asRoot(ofGroup.replace('nat', 'open'));
    expect(plan.steps.map(({ id }) => id)).toContain('directory:runtime');
  });

  test('what is missing is said before anything is made', () => {
    const { vde_switch: _none, ...others } = tools;
    expect(() => asRoot(ofGroup, {}, { tools: others })).toThrow(
      expect.objectContaining({ code: 'missing-tool', hint: expect.stringContaining('vde2') }),
    );
    const host = `/${'h'.repeat(100)}`;
    expect(() => asRoot(ofGroup, { host })).toThrow(expect.objectContaining({ code: 'host-failed' }));
  });
});

test('what it cannot honour, each with the reason', () => {
  const saidOf = (text: string): string[] => faultsOf(text, { uid: 0 }).map(({ message }) => message);
  expect(saidOf(ofGroup)).toEqual([]);
  for (const [more, reason] of [
    ['antiSpoof: true', 'filters nothing'],
    ['isolatedPorts: true', 'lets all guests reach one another'],
    ['mtu: 9000', 'packets of 1500 bytes at most'],
  ] as const)
    expect(saidOf(`${ofGroup}${more}\n`)).toEqual([expect.stringContaining(reason)]);
  expect(saidOf(`${ofGroup.replace('nat', 'bridge').replace(/addresses.*\n/, '')}antiSpoof: true\n`)).toHaveLength(1);
  expect(saidOf('forward: nat\ntransport: vde\n')).toEqual([
    'transport vde is for the guests of ordinary users: write "ports", and "owner" or "group"',
  ]);
});
