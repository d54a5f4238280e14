/** Which port a NIC has when it comes again, and what is said where there is none. Networks of root's, in a network of the test's own. */
import { expect, test } from 'vitest';
import { must, needsQemu, ownerFor, refused, type Home } from '../harness/harness.ts';
import { detach, still } from '../cli/a-vm.ts';
import { createPortHost } from './a-port-host.ts';

const usersGid = 100;

test('a NIC whose port somebody else had by now leaves the other NIC of its VM the port that is its', async (context) => {
  needsQemu(context);
  const { root, another } = await createPortHost(context);
  root.network('lan0', 'forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 2\ngroup: users\n');
  await must(root, 'net', 'up', 'lan0');
  const [first, second] = [another(54_321, usersGid), another(54_322, usersGid)];
  const nic = '{ kind: network, network: lan0 }';
  first.profile('two', `${still}nics: [${nic}, ${nic}]\n`);
  second.profile('one', `${still}nics: [${nic}]\n`);
  const run = async (user: typeof first, vm: string): Promise<string[]> => {
    expect(await user.qrun('run', vm, '-d')).toMatchObject({ status: 0 });
    const { stdout } = await user.qrun('nics', vm, '--json');
    expect((await user.qrun('kill', vm)).status).toBe(0);
    return (JSON.parse(stdout) as { mac: string }[]).map(({ mac }) => mac);
  };
  const had = await run(first, 'two');
  expect(new Set(had).size).toBe(2);
  // the port that is unused for longest: that of net0
  expect(await run(second, 'one')).toEqual([had[0]]);
  expect(await run(first, 'two')).toEqual(had);
  // given on with a word, but when it was forgotten
  second.profile('other', `${still}nics: [${nic}]\n`);
  const told = async (): Promise<string> => (await second.qrun('show', 'other')).stdout;
  expect(await told()).toContain('is given on');
  expect((await first.qrun('rm', 'two')).status).toBe(0);
  expect(await told()).not.toContain('is given on');
  await must(root, 'net', 'down', 'lan0');
});

test('all ports of a bridge of qrun’s own are taken: who has them, and no word of the bridge helper', async (context) => {
  needsQemu(context);
  const { root, home } = await createPortHost(context);
  root.network('lan0', `forward: isolated\nscope: system\nports: 1\nowner: ${ownerFor('user').name}\n`);
  await must(root, 'net', 'up', 'lan0');
  for (const name of ['web1', 'web2']) home.profile(name, `${still}nics: [{ kind: network, network: lan0 }]\n`);
  await detach(home, 'web1');
  const taken = await refused(home, 'run', 'web2', '-d');
  expect(taken).toEqual({ status: 4, stderr: expect.stringMatching(/its port is taken, by web1/) });
  expect(taken.stderr).not.toContain('helper');
  // it does not run yet: its owner is told so, root that it has the port
  const told = async (who: Home): Promise<unknown> => JSON.parse(await must(who, 'net', 'info', 'lan0', '--json'));
  expect(await told(home)).toMatchObject({ members: [{ vm: 'web1', state: 'paused' }] });
  expect(await told(root)).toMatchObject({ members: [{ vm: `${ownerFor('user').name}/web1`, state: 'running' }] });
  await must(home, 'kill', 'web1');
  await must(root, 'net', 'down', 'lan0');
});
