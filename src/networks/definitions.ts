/** `qrun net define`, `edit` and `rm`: definitions written, changed and removed; checked before they are kept. */
import { isUtf8 } from 'node:buffer';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { homeDirectory } from '../home.ts';
import { findNetworkFile, readNetworkFile } from '../host/network-definitions.ts';
import { isVmName, parseNetworkName } from '../names.ts';
import type { Network, NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { editFile } from '../system/edit-file.ts';
import { failureOf } from '../system/failure.ts';
import { createExclusive, readOwned, writeDurable } from '../system/files.ts';
import { makeMissingDirectory } from '../system/missing-directory.ts';
import { checkStateFilesystem } from '../system/state-filesystem.ts';
import type { NetworkContext } from './context.ts';
import { isExample } from './example.ts';
import { requireFreeDefinition } from './free-definition.ts';
import { requireKnownNetwork } from './names.ts';
import { withNetworkLock } from './lock.ts';
import { faultOfRoot, requireOwnDirectory } from './of-root.ts';
import { faultOfWho } from './port-facts.ts';
import { readNetworkStatus } from './state.ts';
import { endLocked, isHeld } from './take-down.ts';

/** Where a definition goes: the first of the configuration's directories. */
const ownFile = ({ places }: NetworkContext, name: NetworkName): string =>
  path.join(places.config[0] ?? '.', 'networks', `${name}.yaml`);

const maxBytes = 256 * 1024;

export interface DefineOptions {
  /** A path; `-` is the standard input. */
  readonly file: string;
  readonly name?: string;
  /** Replaces a definition that is there. */
  readonly force: boolean;
}

export interface Defined {
  readonly name: NetworkName;
  /** Where it is kept. */
  readonly file: string;
  readonly changed: boolean;
  /** It is up as it was before. */
  readonly isUp: boolean;
}

/** What the definition that was there before said of its start with the host. */
export interface Replaced {
  readonly autostartBefore: boolean;
}

/** @throws QrunError `invalid-network`, `in-use` when another definition of that name is there, or what it wants of the host is another's */
export async function defineNetwork(options: DefineOptions, context: NetworkContext): Promise<Defined & Replaced> {
  const { name, file: source, text } = await readSource(options, context);
  const target = ownFile(context, name);
  const definition = await parse(text, { file: source, name, context });
  if (
    JSON.stringify(relocated(await parse(text, { file: target, name, context }))) !==
    JSON.stringify(relocated(definition))
  ) {
    throw new QrunError('usage', `${source} has paths that are relative to it, and it would be kept as ${target}`, {
      hint: 'write them as absolute paths, or beginning with ~/',
    });
  }
  const isUp = readNetworkStatus(name, context).record !== undefined;
  const before = readOwned(target, { maxBytes })?.text;
  const changed = before !== text;
  const autostartBefore = before !== undefined && (await saysAutostart(before, { file: target, name, context }));
  if (changed) {
    await requireFreeDefinition(definition, context);
    tellWho(definition, context);
    keep(target, text, options);
  }
  return { name, file: target, changed, isUp, autostartBefore };
}

/** Whom ports are for is a user or a group that this host has not got, yet. */
function tellWho(definition: Network, context: NetworkContext): void {
  const fault = faultOfWho(definition, context);
  if (fault !== undefined) context.warn(`${fault.message}: until there is, it does not come up (${fault.hint ?? ''})`);
}

/** What a definition means, wherever it lies. */
const relocated = ({ file: _file, ...rest }: Network): object => rest;

function keep(target: string, text: string, { force }: DefineOptions): void {
  makeMissingDirectory(path.dirname(target), 0o755);
  if (force) writeDurable(target, text, { mode: 0o644 });
  else if (!createExclusive(target, text, { mode: 0o644 })) {
    const name = path.basename(target, '.yaml');
    throw new QrunError('in-use', `${target} exists, and is another`, {
      hint: `qrun net edit ${name}, or: qrun net define --force FILE`,
    });
  }
}

interface Source {
  readonly name: NetworkName;
  readonly file: string;
  readonly text: string;
}

async function readSource({ file, name }: DefineOptions, { system, places }: NetworkContext): Promise<Source> {
  if (file !== '-') {
    return readNetworkFile(path.resolve(file), { system, places, ...(name !== undefined && { name }) });
  }
  if (name === undefined) {
    throw new QrunError('usage', 'what comes from the standard input has no name', {
      hint: 'qrun net define - --name NAME',
    });
  }
  return { name: parseNetworkName(name), file: path.resolve('stdin.yaml'), text: await readStdin() };
}

/** @throws QrunError `invalid-network` for what is no text, or too much of it */
async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > maxBytes) throw notText(`it is larger than ${maxBytes / 1024} KiB`);
    chunks.push(bytes);
  }
  const all = Buffer.concat(chunks);
  if (!isUtf8(all)) throw notText('it is not UTF-8 text');
  return all.toString('utf8');
}

const notText = (why: string): QrunError => new QrunError('invalid-network', `the standard input: ${why}`);

interface ParseOptions {
  readonly file: string;
  readonly name: NetworkName;
  readonly context: NetworkContext;
}

async function parse(text: string, { file, name, context }: ParseOptions): Promise<Network> {
  const { parseNetwork } = await import('../network/parse.ts');
  return parseNetwork(text, { file, name, home: homeDirectory(), uid: context.system.uid });
}

/** Of a text that may have faults. */
async function saysAutostart(text: string, options: ParseOptions): Promise<boolean> {
  try {
    return (await parse(text, options)).autostart;
  } catch (error) {
    if (error instanceof QrunError) return false;
    throw error;
  }
}

/**
 * Opens the editor on a copy; the definition is replaced only by one that is valid, unless `force`.
 * @returns whether it was changed @throws QrunError `invalid-network`, `in-use`, with where the refused text is kept
 */
export async function editNetwork(
  argument: string,
  force: boolean,
  context: NetworkContext,
): Promise<Defined & Replaced> {
  const { system, places } = context;
  if (isVmName(argument)) refuseRoots(argument, 'edit', context);
  const found = readNetworkFile(argument, { system, places });
  const { name } = found;
  const target = isExample(found.file, context) ? ownFile(context, name) : found.file;
  // before a text is written that could not be kept
  requireOwnDirectory(target, name, { verb: 'edit' });
  ensurePrivateDirectory(places.state, { uid: system.uid });
  checkStateFilesystem(places.state);
  const draft = path.join(places.state, `edit-net-${name}.yaml`);
  const validate = async (text: string): Promise<void> => {
    try {
      const definition = await parse(text, { file: target, name, context });
      await requireFreeDefinition(definition, context);
      tellWho(definition, context);
    } catch (error) {
      if (!(error instanceof QrunError)) throw error;
      if (!force) throw refusedEdit(error, { draft, target, name });
      const why = error.code === 'in-use' ? 'it could not come up' : 'it is not valid';
      context.warn(`${target} is kept although ${why}: ${error.message}`);
    }
  };
  const changed = await editFile({ target, text: found.text, draft, env: system.env, validate });
  const autostartBefore = await saysAutostart(found.text, { file: target, name, context });
  return { name, file: target, changed, isUp: readNetworkStatus(name, context).record !== undefined, autostartBefore };
}

interface Refused {
  readonly draft: string;
  readonly target: string;
  readonly name: NetworkName;
}

const refusedEdit = (error: QrunError, { draft, target, name }: Refused): QrunError =>
  new QrunError(error.code, `${error.message}; ${target} is as it was`, {
    faults: error.faults,
    hint: `your text is kept in ${draft}; or: qrun net edit --force ${name}`,
  });

/** One of root's that is up, and whose definition only root sees. */
function refuseRoots(name: NetworkName, verb: 'edit' | 'rm', context: NetworkContext): void {
  if (findNetworkFile(name, context) !== undefined) return;
  const fault = faultOfRoot(name, { verb }, context);
  if (fault !== undefined) throw fault;
}

export interface Removed {
  readonly name: NetworkName;
  /** Undefined: it had no definition, only state. */
  readonly file?: string;
  /** Another definition of that name, which counts from now on. */
  readonly next?: string;
}

/** The definition, and what is kept of the network between its runs. @throws QrunError `unknown-name`, `in-use` while it is up */
export async function removeNetwork(argument: string, context: NetworkContext): Promise<Removed> {
  const name = parseNetworkName(argument);
  const files = networkFiles(context.places, name);
  requireKnownNetwork(name, context.places);
  refuseRoots(name, 'rm', context);
  const own = findNetworkFile(name, context);
  if (own !== undefined && !isExample(own.file, context)) requireOwnDirectory(own.file, name, { verb: 'rm' });
  return await withNetworkLock({ name, files }, context, async () => {
    if (isHeld(files) && readNetworkStatus(name, context).state !== 'defined') {
      throw new QrunError('in-use', `network ${name} is up`, { hint: `qrun net down ${name}` });
    }
    const found = findNetworkFile(name, context);
    if (found !== undefined && isExample(found.file, context)) {
      throw new QrunError('usage', `network ${name} is an example of the package`, { hint: `qrun net edit ${name}` });
    }
    // of an earlier boot
    if (isHeld(files)) await endLocked(files, context);
    if (context.system.uid === 0) (await import('./port-removal.ts')).removePorts(name, context);
    if (found !== undefined) removeFile(found.file);
    rmSync(files.dir, { recursive: true, force: true });
    const next = findNetworkFile(name, context)?.file;
    return { name, ...(found && { file: found.file }), ...(next !== undefined && { next }) };
  });
}

function removeFile(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (error) {
    throw failureOf(file, error, 'cannot remove it');
  }
}
