/** Root's units, in a network and with directories of the test's own: written, run as systemd would run them, taken away. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { stateOf } from '../cli/a-network.ts';
import { analyze, fakeSystemctl, runOfUnit, verifyUnit } from '../cli/a-unit.ts';
import { parseDocument } from '../harness/document.ts';
import { must, needsFile } from '../harness/harness.ts';
import { createBridgedHost, everything, type BridgedHost } from './a-bridged-host.ts';

/** As on a host that systemd started; what is written of units is seen by nobody else. */
async function createSystemdHost(context: Parameters<typeof createBridgedHost>[0]): Promise<BridgedHost> {
  needsFile(context, '/usr/bin/systemctl');
  const bridged = await createBridgedHost(context);
  const { host, root } = bridged;
  const tool = `${root.dir}/systemctl`;
  writeFileSync(tool, fakeSystemctl('/etc/systemd/system/told'));
  chmodSync(tool, 0o755);
  host.must('mount -t tmpfs -o mode=755 none /run');
  host.must('mkdir -p /run/systemd/system /etc/systemd/system');
  host.must('mount -t tmpfs -o mode=755 none /etc/systemd/system');
  host.must(`mount --bind ${tool} /usr/bin/systemctl`);
  return bridged;
}

const unit = '/etc/systemd/system/qrun-net-lan0.service';

test('a network of root’s: its unit brings it up and down, and goes with its definition', async (context) => {
  const bridged = await createSystemdHost(context);
  const { host, root, home } = bridged;
  root.write('lan0.yaml', 'forward: isolated\naddresses: [10.10.120.1/24]\nautostart: true\n');
  const before = everything(bridged);
  await must(root, 'net', 'define', `${root.dir}/lan0.yaml`);
  expect(host.must('ls -l /etc/systemd/system/multi-user.target.wants')).toContain('qrun-net-lan0.service');
  if (existsSync(analyze)) expect(await verifyUnit(root, unit, 'system')).toEqual([]);
  const text = host.must(`cat ${unit}`);
  const file = root.write('unit', text);
  expect(await runOfUnit(root, file, 'ExecStart')).toMatchObject({ status: 0 });
  expect(await stateOf(root, 'lan0')).toBe('pinned');
  const rows = JSON.parse((await root.qrun(['net', 'ls', '--json'])).stdout) as { name: string; autostart: boolean }[];
  expect(rows.find(({ name }) => name === 'lan0')).toMatchObject({ autostart: true });
  // it is root's systemd that starts it, whoever asks
  const info = parseDocument('net-info', (await home.qrun(['net', 'info', 'lan0', '--json'])).stdout);
  expect(info).toMatchObject({ scope: 'system', autostart: true });
  expect(await runOfUnit(root, file, 'ExecStop')).toMatchObject({ status: 0 });
  expect(everything(bridged)).toEqual(before);
  await must(root, 'net', 'rm', 'lan0');
  expect(host.must('find /etc/systemd/system -name "qrun-*"')).toBe('');
});

test('a network of scope user is none of root’s', async (context) => {
  const { root, host } = await createSystemdHost(context);
  root.network('lab', 'forward: nat\nscope: user\n');
  const { status, stderr } = await root.qrun(['net', 'autostart', 'lab']);
  expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('as an ordinary user') });
  expect(host.must('find /etc/systemd/system -name "qrun-*"')).toBe('');
});

test('MACs of a network of root’s: its bridge, ports and who had them, fixed hosts', async (context) => {
  const { root, home } = await createBridgedHost(context);
  const fixed = 'dhcp: { hosts: [{ mac: "52:54:00:aa:bb:cc", ip: 10.10.120.9, name: printer }] }';
  root.network(
    'lan0',
    `forward: isolated\naddresses: [10.10.120.1/24]\nports: 2\nowner: ${home.env['USER'] ?? ''}\n${fixed}\n`,
  );
  const macsOf = async (): Promise<unknown> =>
    parseDocument('net-macs', (await root.qrun(['net', 'macs', 'lan0', '--json'])).stdout);
  const mac = expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
  const bridge = { mac, kind: 'bridge', device: 'qr-lan0' };
  const printer = { mac: '52:54:00:aa:bb:cc', kind: 'fixed', ip: '10.10.120.9', name: 'printer', joined: false };
  expect(await macsOf()).toMatchObject([bridge, printer]);
  await must(root, 'net', 'up', 'lan0');
  const port = { mac, kind: 'port', ip: expect.stringMatching(/^10\.10\.120\./), device: expect.any(String), vm: null };
  const up = await macsOf();
  expect(up).toMatchObject([bridge, port, port, printer]);
  await must(root, 'net', 'down', 'lan0');
  // they last
  const macs = (rows: unknown): string[] => (rows as { mac: string }[]).map((row) => row.mac);
  expect(macs(await macsOf())).toEqual(macs(up));
});
