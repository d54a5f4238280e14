/** Tables of rules against an nft that keeps them in memory. What the real one does with them: test/netns/rules. */
import { describe, expect, test } from 'vitest';
import { exitStatusOf } from '../../../src/errors.ts';
import type { StepRecord } from '../../../src/journal/journal.ts';
import { buildRuleset } from '../../../src/network/bridged/ruleset.ts';
import { nftText, type NftCommand } from '../../../src/plan/nft-commands.ts';
import type { NftStep } from '../../../src/plan/step.ts';
import { missingTables, nft } from '../../../src/resources/nft.ts';
import type { RunResult, System } from '../../../src/system/system.ts';

type Item = Record<string, Record<string, unknown>>;

const done = { status: 0, stdout: '', stderr: '' };
const saying = (stderr: string): RunResult => ({
  status: 1,
  stdout: '',
  stderr: `internal:0:0-0: Error: ${stderr}\n\n`,
});

class FakeNft {
  /** By `family name`: what was added. */
  tables = new Map<string, Item[]>();
  /** Of each run. */
  readonly runs: string[] = [];
  /** The runs with these numbers, from 1, fail. */
  failsAt: readonly number[] = [];
  error = 'Could not process rule: Operation not supported';
  installed = true;
  uid = 0;

  get system(): System {
    const runNow: System['runNow'] = (tool, args, options) => this.#run([tool, ...args], options?.stdin);
    return {
      env: {},
      uid: this.uid,
      gid: 0,
      bootId: () => 'boot',
      which: () => (this.installed ? '/usr/sbin/nft' : undefined),
      run: async (tool, args, options) => runNow(tool, args, options),
      runNow,
    };
  }

  #run(argv: readonly string[], stdin: string | undefined): RunResult {
    const input = stdin ?? argv[2]?.match(/^\{.*/s)?.[0];
    this.runs.push(input === undefined ? argv.slice(2).join(' ') : 'commands');
    if (this.failsAt.includes(this.runs.length)) return saying(this.error);
    return input === undefined ? this.#list(argv) : this.#commit(input);
  }

  #list([, , , , family = '', name = '']: readonly string[]): RunResult {
    const items = this.tables.get(`${family} ${name}`);
    if (items === undefined) return saying('No such file or directory');
    return { ...done, stdout: textOf(family, name, items) };
  }

  /** All or nothing. */
  #commit(input: string): RunResult {
    const next = new Map([...this.tables].map(([key, items]): [string, Item[]] => [key, [...items]]));
    for (const command of (JSON.parse(input) as { nftables: Record<string, Item>[] }).nftables) {
      const [verb = ''] = Object.keys(command);
      const object = command[verb] ?? {};
      const [what = ''] = Object.keys(object);
      const { family, table, name } = object[what] ?? {};
      const key = [family, what === 'table' ? name : table].join(' ');
      if (verb === 'create' && next.has(key)) return saying('Could not process rule: File exists');
      const has = (chain: unknown): boolean =>
        next.get(key)?.some((item) => item['chain']?.['name'] === chain) === true;
      if (verb === 'flush' && !has(name)) return saying('No such file or directory');
      if (verb === 'flush')
        next.set(key, next.get(key)?.filter(({ rule }) => rule === undefined || rule['chain'] !== name) ?? []);
      else if (verb === 'delete') next.delete(key);
      else if (what === 'table') next.set(key, next.get(key) ?? []);
      else next.get(key)?.push(object);
    }
    this.tables = next;
    return done;
  }
}

/** As nft lists a table, with what its rules do left out. */
function textOf(family: string, name: string, items: readonly Item[]): string {
  const block = (kind: string, { name: own }: Record<string, unknown>, lines: readonly string[]): string =>
    `\t${kind} ${String(own)} { # handle 1\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
  const blocks = items.flatMap(({ set, chain }) => {
    if (set !== undefined) {
      const elements = (set['elem'] as { prefix: { addr: string; len: number } }[]).map(
        ({ prefix: { addr, len } }) => `${addr}/${len}`,
      );
      return [block('set', set, ['type ipv4_addr', `elements = { ${elements.join(',\n\t\t\t     ')} }`])];
    }
    if (chain === undefined) return [];
    const own = items.flatMap(({ rule }) => (rule?.['chain'] === chain['name'] ? [rule] : []));
    const texts = own.map((one) =>
      one?.['comment'] === undefined ? 'return' : `return comment "${one['comment'] as string}"`,
    );
    return [
      block(
        'chain',
        chain,
        texts.map((text) => `${text} # handle 1`),
      ),
    ];
  });
  return `table ${family} ${name} { # handle 1\n${blocks.join('\n')}}\n`;
}

const rules = (more: Partial<Parameters<typeof buildRuleset>[0]> = {}): NftStep => ({
  kind: 'nft',
  id: 'rules',
  needsRoot: true,
  ...buildRuleset({
    table: 'qrun_lan0',
    owner: 'qrun:net/lan0/rules',
    bridge: 'qr-lan0',
    mode: 'nat',
    subnets: ['10.66.0.0/24'],
    addresses: ['10.66.0.1'],
    forwards: [],
    asks: { dhcp: true, dns: true, tftp: false },
    ports: [{ device: 'tap0' }],
    ...more,
  }),
});
const step = rules();
const names = ['inet qrun_lan0', 'bridge qrun_lan0'];
const theirs = (): Item[] => [{ chain: { family: 'inet', table: 'qrun_lan0', name: 'theirs' } }];

async function take(host: FakeNft, wanted = step): Promise<StepRecord | undefined> {
  let kept: StepRecord | undefined;
  const record = (value: StepRecord): void => void (kept = value);
  const context = { system: host.system, runId: 'r1', descriptors: new Map<number, number>(), warn: () => {}, record };
  await nft.acquire(wanted, context).catch((error: unknown) => {
    throw Object.assign(error as Error, { record: kept });
  });
  return kept;
}

const give = (host: FakeNft, record: StepRecord | undefined, sameBoot = true) =>
  nft.release(step, record, { system: host.system, runId: 'r1', started: true, sameBoot });

describe('taken', () => {
  test('in one run, which says what describe says', async () => {
    const host = new FakeNft();
    await take(host);
    expect(host.runs).toEqual(['commands']);
    expect([...host.tables.keys()]).toEqual(names);
    const [action] = nft.describe(step).acquire;
    const commands: readonly NftCommand[] = [
      ...step.tables.map((table) => ({ create: { table: { ...table } } })),
      ...step.commands,
    ];
    expect(action).toEqual({ argv: ['nft', '-j', '-f', '-'], stdin: nftText(commands) });
  });

  test('again: those of a killed run are replaced, with what is in them', async () => {
    const host = new FakeNft();
    await take(host, rules({ mode: 'isolated' }));
    await take(host);
    const fresh = new FakeNft();
    await take(fresh);
    expect(host.tables).toEqual(fresh.tables);
  });

  test("one that is somebody else's stays: no table of ours, no comment of ours, another owner", async () => {
    for (const other of [
      theirs(),
      [],
      rules({ owner: 'qrun:net/lan0/other' }).commands.map(({ add }) => add as Item),
    ]) {
      const host = new FakeNft();
      host.tables.set('inet qrun_lan0', other);
      const error: unknown = await take(host).catch((one: unknown) => one);
      expect(error).toMatchObject({ code: 'in-use', hint: 'sudo nft list table inet qrun_lan0' });
      expect([...host.tables]).toEqual([['inet qrun_lan0', other]]);
      await give(host, (error as { record: StepRecord }).record);
      expect([...host.tables]).toEqual([['inet qrun_lan0', other]]);
    }
  });

  test.for([1, 2])('fails at run %i: nothing is changed, and nothing is left when it is given back', async (at) => {
    const host = new FakeNft();
    const before = rules({ mode: 'isolated' });
    await take(host, before);
    const kept = new Map(host.tables);
    host.runs.length = 0;
    host.failsAt = [at];
    const error: unknown = await take(host).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'host-failed', message: expect.stringContaining('Operation not supported') });
    expect(host.tables).toEqual(kept);
    host.failsAt = [];
    await give(host, (error as { record: StepRecord }).record);
    expect([...host.tables]).toEqual([]);
  });

  test('without nft: exit 3, and how to get it', async () => {
    const host = new FakeNft();
    host.installed = false;
    const error: unknown = await take(host).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'missing-tool', hint: 'sudo apt-get install nftables' });
    expect(exitStatusOf(error)).toBe(3);
    host.installed = true;
    host.uid = 1000;
    await expect(take(host)).rejects.toMatchObject({ code: 'permission' });
    host.uid = 0;
    host.failsAt = [1];
    host.error = 'Could not process rule: Operation not permitted (you must be root)';
    host.runs.length = 0;
    await expect(take(host)).rejects.toMatchObject({ code: 'permission', hint: expect.stringContaining('NET_ADMIN') });
  });
});

describe('given back', () => {
  test('in one run, which names the owner', async () => {
    const host = new FakeNft();
    const record = await take(host);
    host.runs.length = 0;
    await give(host, record);
    expect([host.runs, [...host.tables]]).toEqual([['commands'], []]);
  });

  test('what an older qrun made, and called its owner’s chain otherwise', async () => {
    const host = new FakeNft();
    const old: NftStep = JSON.parse(JSON.stringify(step).replaceAll(/qrun_network_[0-9a-f]{16}/g, 'qrun_network'));
    const record = await take(host, old);
    await take(host);
    expect(missingTables(step, host.system)).toEqual([]);
    await give(host, record);
    expect([...host.tables]).toEqual([]);
  });

  test('twice; what was flushed before is no fault', async () => {
    const host = new FakeNft();
    host.tables.set('ip nat', []);
    const record = await take(host);
    await give(host, record);
    expect([...host.tables.keys()]).toEqual(['ip nat']);
    await give(host, record);
    const again = await take(host);
    host.tables.delete('bridge qrun_lan0');
    host.tables.set(
      'inet qrun_lan0',
      host.tables.get('inet qrun_lan0')?.filter(({ rule }) => rule === undefined) ?? [],
    );
    await give(host, again);
    expect([...host.tables.keys()]).toEqual(['ip nat']);
  });

  test('not what was never made, nor in another boot, nor in another network', async () => {
    const host = new FakeNft();
    const record = await take(host);
    host.runs.length = 0;
    await give(host, undefined);
    await give(host, record, false);
    // of a namespace that is gone
    await give(host, { network: '1' });
    expect(host.runs).toEqual([]);
    expect([...host.tables.keys()]).toEqual(names);
  });

  test("not another's that has come since", async () => {
    const host = new FakeNft();
    const record = await take(host);
    host.tables.set('inet qrun_lan0', theirs());
    await give(host, record);
    expect([...host.tables]).toEqual([['inet qrun_lan0', theirs()]]);
  });

  test('what cannot be removed is left behind, and how to do it is said', async () => {
    const host = new FakeNft();
    const record = await take(host);
    host.runs.length = 0;
    host.failsAt = [1, 4];
    await expect(give(host, record)).rejects.toMatchObject({
      code: 'left-behind',
      hint: 'sudo nft delete table inet qrun_lan0; sudo nft delete table bridge qrun_lan0',
    });
    host.installed = false;
    await expect(give(host, record)).rejects.toMatchObject({ code: 'left-behind' });
  });

  test('describe says it: gone afterwards, whether they were there or not', async () => {
    const host = new FakeNft();
    await take(host);
    const [action] = nft.describe(step).release;
    const stdin = action !== undefined && 'stdin' in action ? action.stdin : undefined;
    for (const _ of [1, 2]) host.system.runNow('nft', [], { stdin: stdin ?? '' });
    expect([...host.tables]).toEqual([]);
  });
});

test('taken again with other rules: in one transaction', async () => {
  const host = new FakeNft();
  await take(host);
  const after = rules({ ports: [] });
  host.runs.length = 0;
  await take(host, after);
  // the first one found that there are some
  expect(host.runs.filter((run) => run === 'commands')).toHaveLength(2);
  expect([...host.tables.keys()]).toEqual(names);
  expect(host.tables.get('bridge qrun_lan0')).toHaveLength(2);
  expect(missingTables(after, host.system)).toEqual([]);
});

test('what is missing of them; only root can tell', async () => {
  const host = new FakeNft();
  await take(host);
  expect(missingTables(step, host.system)).toEqual([]);
  host.tables.get('inet qrun_lan0')?.pop();
  host.tables.delete('bridge qrun_lan0');
  expect(missingTables(step, host.system)).toEqual([
    { family: 'inet', name: 'qrun_lan0', why: 'emptied' },
    { family: 'bridge', name: 'qrun_lan0', why: 'gone' },
  ]);
  host.tables.set('inet qrun_lan0', theirs());
  expect(missingTables(step, host.system)?.[0]).toMatchObject({ why: 'foreign' });
  await take(host, rules({ table: 'qrun_lan1' }));
  const own = rules({ table: 'qrun_lan1' });
  const items = host.tables.get('inet qrun_lan1') ?? [];
  host.tables.set('inet qrun_lan1', [
    ...items,
    { rule: { family: 'inet', table: 'qrun_lan1', chain: 'filter_input' } },
  ]);
  expect(missingTables(own, host.system)).toEqual([{ family: 'inet', name: 'qrun_lan1', why: 'changed' }]);
  host.uid = 1000;
  expect(missingTables(step, host.system)).toBeUndefined();
});
