/** Networks with a bridge, rules and a dnsmasq of their own: up, broken, mended, down. In a network of the test's own. */
import { expect, test } from 'vitest';
import { createBridgedHost, everything, must, settingOf, stateOf } from './a-bridged-host.ts';

const addresses = 'addresses: [10.10.120.1/24, "fd00:120::1/64"]\n';

test.for([
  ['nat', 'forwards: ["8080:10.10.120.60:80", "0.0.0.0:8081:10.10.120.60:81/udp"]\n', '1'],
  ['route', '', '1'],
  ['open', '', '1'],
  ['open', 'dhcp: true\n', '1'],
  ['isolated', '', '0'],
] as const)('%s%s: up, down, up: nothing stays but what the host forwards', async ([mode, more, forwards], context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  host.must('nft add table inet theirs');
  host.must('nft add chain inet theirs forward { type filter hook forward priority 0 ; policy accept ; }');
  host.must('nft add table ip qrun_theirs');
  const before = everything(bridged);
  const four = mode === 'isolated' ? 'addresses: [10.10.120.1/24]\n' : addresses;
  root.network('lan0', `forward: ${mode}\n${four}${more}`);
  for (const _round of [1, 2]) {
    await must(root, 'net', 'up', 'lan0');
    expect(await stateOf(root, 'lan0')).toBe('pinned');
    expect(host.row('qr-lan0')).toMatchObject({ flags: expect.arrayContaining(['UP']), linkinfo: { info_kind: 'bridge' } });
    expect(settingOf(host, 'net.ipv4.ip_forward')).toBe(forwards);
    await must(root, 'net', 'down', 'lan0');
    expect(everything(bridged)).toEqual(before);
  }
});
