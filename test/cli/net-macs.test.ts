/** The MACs that a network of the user's knows: of VMs that are on it, of those that have an address there, and the definition's. */
import { expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, needsQemu, type Home } from '../harness/harness.ts';
import { hub, onLab } from './a-network.ts';
import { detach, rowOf, still } from './a-vm.ts';

async function macsOf(home: Home, network = 'lab'): Promise<unknown> {
  const { status, stdout, stderr } = await home.qrun(['net', 'macs', network, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return parseDocument('net-macs', stdout);
}

const hosts =
  'dhcp: { hosts: [{ mac: 52-54-00-AA-BB-CC, ip: 10.44.0.9, name: printer }, { vm: web2, ip: 10.44.0.10 }] }\n';
const printer = { mac: '52:54:00:aa:bb:cc', kind: 'fixed', ip: '10.44.0.9', name: 'printer', vm: null, joined: false };

test('of a network that is not up, of one with a VM on it, and of one that it left', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.network('lab', `${hub}${hosts}`);
  home.profile('web1', onLab);
  home.profile('web2', `${still}nics: [{ kind: network, network: lab, id: lan }]\n`);
  expect(await macsOf(home)).toEqual([expect.objectContaining(printer)]);
  await detach(home, 'web1');
  const mac = (await rowOf(home, 'web1')).nics[0]?.mac;
  const web1 = { mac, vm: 'web1', nic: 'net0', ip: expect.stringMatching(/^10\.44\.0\./) };
  expect(await macsOf(home)).toMatchObject([{ ...web1, kind: 'member', joined: true }, printer]);
  const { stdout } = await home.qrun(['net', 'macs', 'lab']);
  expect(stdout).toMatch(new RegExp(`^${mac ?? ''} +member +10\\.44\\.0\\.\\d+ +web1 net0 .*yes$`, 'm'));
  // shown, it has its address, and is not on it
  await home.qrun(['show', 'web2']);
  expect(await macsOf(home)).toContainEqual(
    expect.objectContaining({ kind: 'kept', vm: 'web2', nic: 'lan', ip: '10.44.0.10', joined: false }),
  );
  await home.qrun(['kill', 'web1']);
  expect(await macsOf(home)).toContainEqual(expect.objectContaining({ ...web1, kind: 'kept', joined: false }));
});

test('unknown, faulty, without any', async () => {
  const home = createHome();
  home.network('bad', 'forward: nowhere\n');
  home.network('lab', hub);
  expect(await macsOf(home)).toEqual([]);
  expect(await home.qrun(['net', 'macs', 'lab'])).toMatchObject({
    status: 0,
    stderr: expect.stringContaining('knows no MAC'),
  });
  expect(await home.qrun(['net', 'macs', 'nobody'])).toMatchObject({ status: 2 });
  expect(await home.qrun(['net', 'macs', 'bad'])).toMatchObject({ status: 2 });
});
