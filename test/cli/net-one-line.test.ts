/** `qrun net up NAME --nat …`: a network in a line, without a definition. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, needsQemu } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';

test('it is up, is told of, goes, and can come again as another', async (context) => {
  needsQemu(context);
  const home = createHome();
  const up = await home.qrun(['net', 'up', 'spot', '--nat', '10.199.7.1/24', '--domain', 'spot.test']);
  expect(up).toMatchObject({ status: 0, stderr: 'spot is up: 10.199.7.0/24\n' });
  const info = parseDocument('net-info', (await home.qrun(['net', 'info', 'spot', '--json'])).stdout);
  expect(info).toMatchObject({ state: 'pinned', forward: 'nat', gateway: '10.199.7.1', domain: 'spot.test' });
  expect((await home.qrun(['net', 'down', 'spot'])).status).toBe(0);
  const again = await home.qrun(['net', 'up', 'spot', '--isolated', '10.199.8.1/24']);
  expect(again).toMatchObject({ status: 0, stderr: 'spot is up: 10.199.8.0/24\n' });
  expect((await home.qrun(['net', 'down', 'spot'])).status).toBe(0);
});

test('a name that is defined, several names, two modes, and what a user’s own network cannot have are refused', async (context) => {
  needsQemu(context);
  const home = createHome();
  const refusal = async (...words: string[]) => {
    const { status, stderr } = await home.qrun(['net', 'up', ...words]);
    return { status, stderr };
  };
  expect(await refusal('default', '--nat', '10.199.7.1/24')).toEqual({
    status: 4,
    stderr: expect.stringContaining('network default is defined in'),
  });
  expect((await refusal('a1', 'a2', '--nat', '10.199.7.1/24')).status).toBe(2);
  expect((await refusal('a1', '--nat', '10.199.7.1/24', '--open', '10.199.7.1/24')).status).toBe(2);
  expect(await refusal('a1', '--nat', '10.199.7.1/24', '-n', '4')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('cannot honour ports'),
  });
  expect(existsSync(path.join(home.state, 'networks', 'a1', 'a1.yaml'))).toBe(false);
});
