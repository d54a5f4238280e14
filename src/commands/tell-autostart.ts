/** What is said of networks and VMs that start with the host, and of those that do no more. */
import { readIdentity } from '../host/accounts.ts';
import { lingers, unitPlacesOf } from '../host/units.ts';
import type { KeptDefinition } from '../networks/autostart.ts';
import type { KeptUnit } from '../networks/keep-unit.ts';
import type { CommandContext } from './command.ts';
import { launchContext } from './launch-context.ts';

/** `now`: the command that starts it at once. */
export function tellStarts({ name, file }: KeptUnit, now: string, { report, system }: CommandContext): void {
  const places = unitPlacesOf(system);
  if (places.manager === 'system') report.note(`${name} starts with the host: ${file}; now: ${now}`);
  else {
    const user = readIdentity(system).name;
    const when = lingers(user, places)
      ? 'with the host'
      : `when ${user} logs in first; with the host after: loginctl enable-linger`;
    report.note(`${name} starts ${when}: ${file}; now: ${now}`);
  }
}

export function tellStartsNoMore(name: string, removed: KeptUnit | undefined, { report }: CommandContext): void {
  report.note(
    removed === undefined
      ? `${name} does not start by itself`
      : `${name} starts by itself no more: ${removed.file} is removed`,
  );
}

/** After a definition was kept: what its key `autostart` says is so. */
export async function followDefinition(kept: KeptDefinition, context: CommandContext): Promise<void> {
  const { followKey } = await import('../networks/autostart.ts');
  const followed = await followKey(kept, launchContext(context));
  if (followed?.on === false) tellStartsNoMore(kept.name, followed.unit, context);
  else if (followed?.unit.changed === true) tellStarts(followed.unit, `qrun net up ${kept.name}`, context);
}
