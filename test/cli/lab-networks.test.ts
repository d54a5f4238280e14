/** The networks of a lab: up before its VMs, down after them, and given back by an `up` that fails. */
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, needsQemu, type Home } from '../harness/harness.ts';
import { hub, noNetworkLeft, onLab } from './a-network.ts';
import { detach, still } from './a-vm.ts';

const failing = `${still}nics: []\nhooks: { beforeStart: [/bin/false] }\n`;

function createLab(lab: string): Home {
  const home = createHome();
  home.network('lab', hub);
  for (const name of ['web1', 'web2', 'guest']) home.profile(name, onLab);
  home.profile('bad', failing);
  home.write('lab.yaml', lab);
  return home;
}

/** By name: `defined`, `up`, `pinned`. Those of the package are none of ours. */
async function states(home: Home): Promise<Record<string, string>> {
  const rows = JSON.parse((await home.qrun(['net', 'ls', '--json'])).stdout) as { name: string; state: string }[];
  return Object.fromEntries(rows.filter(({ name }) => name !== 'default').map(({ name, state }) => [name, state]));
}

describe('the networks of a lab', () => {
  test('are up with no VM on them, and end with it', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab]');
    const up = await home.qrun(['up', 'lab.yaml', '--json']);
    expect(up).toMatchObject({ status: 0, stderr: '' });
    expect(parseDocument('up', up.stdout)).toEqual({ vms: [], networks: [{ network: 'lab', started: true }] });
    expect(await states(home)).toEqual({ lab: 'pinned' });
    expect((await home.qrun(['up', 'lab.yaml'])).stderr).toBe('network lab is up already\n');
    const down = await home.qrun(['down', 'lab.yaml', '--json']);
    expect(parseDocument('down', down.stdout)).toEqual({ vms: [], networks: [{ network: 'lab', state: 'down' }] });
    expect(await noNetworkLeft(home)).toBe(true);
    expect((await home.qrun(['down', 'lab.yaml'])).stderr).toBe('network lab was not up\n');
  });

  test('that no list names come up and end with the VMs', async (context) => {
    needsQemu(context);
    const home = createLab('vms: [web1, web2]');
    expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(0);
    expect(await states(home)).toEqual({ lab: 'up' });
    expect((await home.qrun(['down', 'lab.yaml'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('may be files beside the lab, and its VMs find them', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [./dmz.yaml]\nvms: [{ name: one, profile: ./one.yaml }]');
    home.write('dmz.yaml', hub.replace('10.44', '10.45'));
    home.write('one.yaml', `${still}nics: ["network:dmz"]\n`);
    expect(await home.qrun(['up', 'lab.yaml'])).toMatchObject({ status: 0 });
    expect(await states(home)).toMatchObject({ dmz: 'pinned' });
    expect((await home.qrun(['down', 'lab.yaml'])).stderr).toBe('one stopped\nnetwork dmz is down\n');
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('stay for a VM that is not of the lab, and end with it', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab]\nvms: [web1]');
    expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(0);
    await detach(home, 'guest');
    const down = await home.qrun(['down', 'lab.yaml']);
    expect(down).toMatchObject({ status: 0 });
    expect(down.stderr).toBe('web1 stopped\nnetwork lab stays until the last VM has left it\n');
    expect(await states(home)).toEqual({ lab: 'up' });
    expect((await home.qrun(['kill', 'guest'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('an up that fails', () => {
  test('takes its networks down again', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab]\nvms: { web1: , bad: { after: web1 } }');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toMatch(/^ {2}ended again: web1, network lab$/m);
    expect(status).toBe(3);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('leaves one that was up before as it was', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab]\nvms: { web1: , bad: { after: web1 } }');
    await detach(home, 'guest');
    expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(3);
    expect(await states(home)).toEqual({ lab: 'up' });
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect((await home.qrun(['up', 'lab.yaml'])).status).toBe(3);
    expect(await states(home)).toEqual({ lab: 'pinned' });
    await home.qrun(['kill', 'guest']);
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('because of a second network takes the first down', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab, ./same.yaml]\nvms: [web1]');
    // a port that is taken is found when it is to be taken
    const taker = createServer();
    await new Promise<void>((resolve) => taker.listen({ port: 0, host: '127.0.0.1' }, resolve));
    onTestFinished(() => void taker.close());
    const { port } = taker.address() as { port: number };
    home.write('same.yaml', `${hub.replace('10.44', '10.45')}forwards: ["127.0.0.1:${port}:10.45.0.9:80"]\n`);
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toContain(String(port));
    expect(status).toBe(4);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('a network that is not there is exit 2 before anything starts', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab, nowhere]\nvms: [web1]');
    const { status, stderr } = await home.qrun(['up', 'lab.yaml']);
    expect(stderr).toMatch(/nowhere/);
    expect(stderr).not.toMatch(/is up/);
    expect(status).toBe(2);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('killed with SIGKILL after its network is up: down ends all', async (context) => {
    needsQemu(context);
    const home = createLab('networks: [lab]\nvms: [web1]');
    for (const failpoint of ['network:lab:kill', 'spawned:kill']) {
      const { status } = await home.qrun(['up', 'lab.yaml'], { env: { QRUN_FAILPOINT: failpoint } });
      expect({ failpoint, status }).toEqual({ failpoint, status: 137 });
      expect((await home.qrun(['down', 'lab.yaml'])).status).toBe(0);
      expect(await noNetworkLeft(home)).toBe(true);
    }
  });
});
