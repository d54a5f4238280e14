/**
 * Tables of rules. One `nft -j` makes all of them, or none: the kernel takes a transaction whole. They are made with `create`, which fails where a table
 * of that name is. Whatever replaces or removes one names its owner's chain first, in the same transaction: in a table that is somebody else's there is
 * none, and nothing is done. What fails so is looked at, for a part of ours may be gone. Nobody else's tables are touched.
 */
import { QrunError } from '../errors.ts';
import {
  createTable,
  deleteTable,
  nftText,
  ownerChain,
  proveOwner,
  type NftCommand,
  type NftTable,
} from '../plan/nft-commands.ts';
import type { NftStep } from '../plan/step.ts';
import type { RunResult, System } from '../system/system.ts';
import { elsewhere, lastWords, ownNetwork } from './link.ts';
import { runPrivileged, runPrivilegedBeside } from './privilege.ts';
import { compareTable, ownerChainIn, type TableState } from './nft-table.ts';
import type { Resource } from './resource.ts';

const tool = ['nft', '-j', '-f', '-'] as const;

type Runner = Pick<System, 'uid' | 'which' | 'runNow' | 'runBeside'>;
type Tables = Pick<NftStep, 'tables' | 'owner' | 'commands'>;

export const nft: Resource<NftStep> = {
  describe: (step) => ({
    acquire: [{ argv: tool, stdin: nftText(made(step)) }],
    release: [{ argv: tool, stdin: nftText(step.tables.flatMap(deleteTable)) }],
  }),

  acquire: async (step, { system, record }) => {
    record({ network: ownNetwork() });
    const result = await run(system, made(step));
    if (/File exists/.test(result.stderr) && result.status !== 0) await replace(step, system);
    else if (result.status !== 0) throw failed(step, result);
    return { network: ownNetwork() };
  },

  release: async (step, record, { system, sameBoot }) => {
    // without a record they were never made: it is written before; and no rules outlive the boot
    if (record === undefined || !sameBoot) return;
    if (record['network'] !== ownNetwork()) {
      for (const { name } of step.tables) elsewhere({ name: `the table ${name}` }, String(record['network']));
      return;
    }
    if (system.which('nft') === undefined) throw noTool('left-behind');
    if ((await run(system, removed(step))).status === 0) return;
    // somebody else's of that name stays: ours is gone then
    const own = step.tables.filter((table) => !['gone', 'foreign'].includes(stateOf(table, step, system)));
    if (own.length === 0) return;
    const { status, stderr } = await run(system, own.flatMap(deleteTable));
    if (status === 0) return;
    throw new QrunError('left-behind', `the rules of ${namesOf(own)} could not be removed: ${lastWords(stderr)}`, {
      hint: own.map(({ family, name }) => `sudo nft delete table ${family} ${name}`).join('; '),
    });
  },
};

/** Where they are ours, all of them; else nothing. */
const proven = (step: Tables): NftCommand[] =>
  step.tables.map((table) => proveOwner(table, ownerChainIn(step, table) ?? ownerChain));

const removed = (step: Tables): NftCommand[] => [...proven(step), ...step.tables.flatMap(deleteTable)];

const made = ({ tables, commands }: Tables): NftCommand[] => [...tables.map(createTable), ...commands];

/**
 * Rules in place of rules, in one transaction: a packet meets the old ones or the new ones.
 * @throws QrunError `in-use`: a table of that name is somebody else's
 */
async function replace(step: NftStep, system: Runner): Promise<void> {
  const first = await run(system, [...removed(step), ...made(step)]);
  if (first.status === 0) return;
  if (!isAbsent(first)) throw failed(step, first);
  for (const table of step.tables) if (stateOf(table, step, system) === 'foreign') throw taken(table);
  const result = await run(system, [...step.tables.flatMap(deleteTable), ...made(step)]);
  if (result.status !== 0) throw failed(step, result);
}

export interface MissingTable extends NftTable {
  readonly why: 'gone' | Exclude<TableState, 'own'>;
}

/** What somebody else's `nft flush ruleset`, or hand, has taken or changed of them. Undefined: only root can tell. */
export function missingTables(step: Tables, system: Runner): MissingTable[] | undefined {
  if (system.uid !== 0 || system.which('nft') === undefined) return undefined;
  return step.tables.flatMap((table) => {
    const state = stateOf(table, step, system);
    return state === 'own' ? [] : [{ ...table, why: state }];
  });
}

const isAbsent = ({ stderr }: RunResult): boolean => /No such file or directory/.test(stderr);

/** @throws QrunError `host-failed`, `permission` */
function stateOf(table: NftTable, { owner, commands }: Tables, system: Runner): TableState | 'gone' {
  const result = runPrivileged(system, ['nft', '-a', 'list', 'table', table.family, table.name]);
  if (result.status === 0) return compareTable({ ...table, owner, commands }, result.stdout);
  if (isAbsent(result)) return 'gone';
  throw failed({ tables: [table] }, result);
}

async function run(system: Runner, commands: readonly NftCommand[]): Promise<RunResult> {
  if (system.which('nft') === undefined) throw noTool('missing-tool');
  const text = nftText(commands);
  // as an argument it takes no other program; the kernel takes 128 KiB for one
  if (text.length < longestArgument) return await runPrivilegedBeside(system, ['nft', '-j', text.trim()]);
  return await runPrivilegedBeside(system, piped(tool), { stdin: text });
}

/** Characters, of which each may be several bytes. */
const longestArgument = 32 * 1024;

/** nft opens /dev/stdin by its name, which cannot be done with the socket that Node gives a child for it, and can with a pipe. */
const piped = (argv: readonly string[]): string[] => ['sh', '-c', 'cat | "$@"', 'qrun', ...argv];

const noTool = (code: 'missing-tool' | 'left-behind'): QrunError =>
  new QrunError(code, 'nft was not found, and rules are made and removed with it', {
    hint: 'sudo apt-get install nftables',
  });

const namesOf = (tables: readonly NftTable[]): string =>
  tables.map(({ family, name }) => `${family} ${name}`).join(', ');

const taken = ({ family, name }: NftTable): QrunError =>
  new QrunError('in-use', `there is a table ${family} ${name} already, and it is not this network's`, {
    hint: `sudo nft list table ${family} ${name}`,
  });

function failed({ tables }: Pick<NftStep, 'tables'>, { status, stderr }: RunResult): QrunError {
  const said = stderr
    .trim()
    .split('\n')
    .filter((line) => line !== '');
  const causes = said.slice(0, 4);
  if (/Operation not permitted/.test(stderr)) {
    return new QrunError(
      'permission',
      `the rules of ${namesOf(tables)} could not be made: root's right CAP_NET_ADMIN is missing`,
      {
        causes,
        hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …',
      },
    );
  }
  const words =
    said.length === 0 ? `nft ended with status ${status}` : (said[0] ?? '').replace(/^internal:0:0-0: Error: /, '');
  return new QrunError('host-failed', `the rules of ${namesOf(tables)} could not be made: ${words}`, {
    causes,
    hint: /not supported|No such file/.test(stderr)
      ? 'sudo modprobe -a nf_tables nft_chain_nat nft_masq nft_fib_inet'
      : 'sudo nft list tables',
  });
}
