/** Forwards that are changed in the definition of a network that is up: they count at its next `net up`, beside those of `net forward`. */
import { expect, test } from 'vitest';
import { must, refused } from '../harness/harness.ts';
import { stateOf } from '../cli/a-network.ts';
import { createBridgedHost, everything } from './a-bridged-host.ts';

const definition = (forwards: readonly string[], more = ''): string =>
  `forward: nat\naddresses: [10.10.120.1/24]\nforwards: ${JSON.stringify(forwards)}\n${more}`;

interface Forward {
  readonly protocol: string;
  readonly hostPort: number;
  readonly guest: string;
  readonly guestAddress: string;
  readonly guestPort: number;
}

test('new ones come, others go, those of net forward stay; with anything else changed, or in the way, all is as it was', async (context) => {
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const before = everything(bridged);
  const list = async (): Promise<string[]> =>
    (JSON.parse(await must(root, 'net', 'forward', 'lan0', '--json')) as Forward[])
      .map(({ protocol, hostPort, guest, guestPort }) => `${hostPort}:${guest}:${guestPort}/${protocol}`)
      .toSorted();
  root.network('lan0', definition(['8080:10.10.120.60:80', '0.0.0.0:81:10.10.120.60:81/udp', 'auto:10.10.120.60:22']));
  await must(root, 'net', 'up', 'lan0');
  await must(root, 'net', 'forward', 'lan0', '9000:10.10.120.61:90');
  const [auto = ''] = (await list()).filter((one) => one.includes(':22/'));

  root.network('lan0', definition(['8080:10.10.120.62:80', 'auto:10.10.120.60:22', '8082:web9:82']));
  expect(await must(root, 'net', 'up', 'lan0')).toMatch(/the forwards of .*lan0\.yaml count from now on/);
  const now = [auto, '8080:10.10.120.62:80/tcp', '8082:web9:82/tcp', '9000:10.10.120.61:90/tcp'].toSorted();
  expect(await list()).toEqual(now);
  const rules = host.must('nft list table inet qrun_lan0');
  for (const part of ['dport 8080 dnat ip to 10.10.120.62:80', 'dport 9000 dnat ip to 10.10.120.61:90', 'dport 8082 '])
    expect(rules).toContain(part);
  expect(rules).not.toMatch(/udp dport 81 dnat/);
  expect(await must(root, 'net', 'up', 'lan0')).not.toMatch(/count/);
  expect(await stateOf(root, 'lan0')).toBe('pinned');

  for (const [text, said] of [
    [definition(['8080:10.10.120.63:80'], 'dns: { domain: lan0.test }\n'), 'counts after: qrun net down lan0'],
    // which of those in force it is nobody knows
    [definition(['8080:10.10.120.62:80', '8082:web9:82']), 'counts after: qrun net down lan0'],
  ] as const) {
    root.network('lan0', text);
    expect(await must(root, 'net', 'up', 'lan0')).toContain(said);
    expect(await list()).toEqual(now);
  }
  root.network('lan0', definition(['9000:10.10.120.62:80', 'auto:10.10.120.60:22', '8082:web9:82']));
  expect(await refused(root, 'net', 'up', 'lan0')).toMatchObject({
    status: 4,
    stderr: expect.stringContaining('tcp port 9000 on 127.0.0.1 leads to 10.10.120.61:90 already'),
  });
  expect(await list()).toEqual(now);
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  await must(root, 'net', 'down', 'lan0');
  expect(everything(bridged)).toEqual(before);
});
