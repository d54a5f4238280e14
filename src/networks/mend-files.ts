/** What a network's programs read, and where they have their sockets: what somebody removed or changed of it is told, and made anew before they are. */
import { existsSync, lstatSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import type { FileStep } from '../plan/step.ts';
import { makeMissingDirectory } from '../system/missing-directory.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkRecord } from './record.ts';
import { takeSteps } from './take-steps.ts';

/** Its only file that is never written while it is up. */
const dnsmasqStep = 'file:dnsmasq';

/** `/run/qrun/_net/lan0`, `…/dnsmasq.conf (changed)`. */
export const missingFiles = (plan: NetworkPlan): string[] =>
  plan.steps.flatMap((step) => {
    if (step.kind === 'directory') return existsSync(step.path) ? [] : [step.path];
    if (step.kind !== 'file') return [];
    if (!existsSync(step.path)) return [step.path];
    return isChanged(step) ? [`${step.path} (changed)`] : [];
  });

const isChanged = (step: FileStep): boolean => step.id === dnsmasqStep && textOf(step.path) !== step.content;

function textOf(file: string): string | undefined {
  try {
    return lstatSync(file).isFile() ? readFileSync(file, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}

/** Under the network's lock, and before its programs are looked at: one without its file of a pid is started anew. */
export async function mendFiles(files: NetworkFiles, record: NetworkRecord, context: NetworkContext): Promise<void> {
  const { plan, network, runId } = record;
  const steps = plan.steps.filter((step) => step.kind === 'file');
  const gone = steps.filter(({ path: file }) => !existsSync(file));
  const changed = steps.filter((step) => !gone.includes(step) && isChanged(step));
  if (plan.attach.by !== 'bridge') {
    if (gone.length > 0) await (await import('./live-forwards.ts')).keepForwards(record, record.forwards, context);
  } else {
    const config = steps.filter((step) => step.id === dnsmasqStep && (gone.includes(step) || changed.includes(step)));
    await takeSteps(config, { files, runId, system: context.system, warn: context.warn });
    if (config.length > 0) rmSync(path.join(files.runtimeDir, 'dnsmasq.pid'), { force: true });
    for (const step of gone) if (step.public === true) makeMissingDirectory(path.dirname(step.path), 0o755);
    const { listensToMembers, tellHosts } = await import('./tell-members.ts');
    if (listensToMembers(plan)) tellHosts(record, context);
  }
  for (const { path: file } of gone) context.warn(`network ${network}: ${file} had gone, and was written again`);
  for (const { path: file } of changed) context.warn(`network ${network}: ${file} was changed, and is as it was`);
}
