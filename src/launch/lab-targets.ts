/** What the words of `qrun up` and `qrun down` mean: VMs by their profiles, and labs. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { homeDirectory } from '../home.ts';
import { readTrusted } from '../host/definition-files.ts';
import { directoriesOf, listLabNames, readLabNamed, type LabFile } from '../host/lab-files.ts';
import { findProfileFile, listProfiles } from '../host/profile-files.ts';
import { mergeParts, type Part, type Together } from '../lab/merge.ts';
import type { LabVm } from '../lab/lab.ts';
import { parseVmName, type VmName } from '../names.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { closestOf } from '../profile/closest.ts';
import type { Where } from './vms.ts';

/** @throws QrunError `unknown-name`, `invalid-name`, `unsafe-file`, `invalid-lab`, `usage` */
export async function readTargets(words: readonly string[], where: Where): Promise<Together> {
  const parts: Part[] = [];
  for (const word of new Set(words)) parts.push({ word, ...(await readTarget(word, where)) });
  return mergeParts(parts);
}

const isPath = (word: string): boolean => word.includes('/') || /\.ya?ml$/.test(word);

async function readTarget(word: string, where: Where): Promise<Together> {
  if (isPath(word)) return await readPath(word, where);
  const name = parseVmName(word);
  // a VM before a lab of its name: that is what the word means everywhere else
  if (findProfileFile(name, where) !== undefined || existsSync(vmFiles(where.places, name).dir))
    return { networks: [], vms: [vmNamed(name, name)] };
  const lab = readLabNamed(name, where);
  if (lab === undefined) throw unknownName(name, where);
  return await parseFile(lab);
}

async function readPath(word: string, where: Where): Promise<Together> {
  const file = path.resolve(word);
  const text = /\.ya?ml$/.test(word) ? readTrusted(file, where.system, 'invalid-lab') : undefined;
  if (text !== undefined && (await import('../lab/parse.ts')).isLab(text)) return await parseFile({ file, text });
  const found = findProfileFile(word, where);
  if (found === undefined) throw new QrunError('unknown-name', `there is no ${word}`, { hint: 'qrun ls' });
  return { networks: [], vms: [vmNamed(found.name, found.file)] };
}

async function parseFile({ file, text }: LabFile): Promise<Together> {
  const { parseLab } = await import('../lab/parse.ts');
  return parseLab(text, { file, home: homeDirectory() });
}

const vmNamed = (name: VmName, profile: string): LabVm => ({ name, profile, after: [], args: [] });

function unknownName(name: string, { places }: Where): QrunError {
  const near = closestOf(name, [...listProfiles(places).map((profile) => profile.name), ...listLabNames(places)]);
  return new QrunError(
    'unknown-name',
    `there is no profile and no lab ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    {
      hint: near === undefined ? 'qrun ls' : `qrun up ${near}`,
      causes: [`for labs, looked in ${directoriesOf(places).join(', ')}`],
    },
  );
}
