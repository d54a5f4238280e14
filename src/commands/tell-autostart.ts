/** What is said of networks and VMs that start with the host, and of those that do no more. */
import { readIdentity } from '../host/accounts.ts';
import { lingers, unitPlacesOf } from '../host/units.ts';
import type { KeptDefinition } from '../networks/autostart.ts';
import type { KeptUnit } from '../networks/keep-unit.ts';
import type { CommandContext } from './command.ts';
import { shellWord } from '../shell-word.ts';
import { launchContext } from './launch-context.ts';

/** What systemd starts, it ends in order before the host does: so the command for now is its own. */
export function tellStarts({ name, unit, file }: KeptUnit, { report, system }: CommandContext): void {
  const places = unitPlacesOf(system);
  const now = (user: string): string => `now: systemctl ${user}start ${shellWord(unit)}`;
  if (places.manager === 'system') report.note(`${name} starts with the host: ${file}; ${now('')}`);
  else {
    const user = readIdentity(system).name;
    const when = lingers(user, places)
      ? 'with the host'
      : `when ${user} logs in first; with the host after: loginctl enable-linger ${user}`;
    report.note(`${name} starts ${when}: ${file}; ${now('--user ')}`);
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
  else if (followed?.unit.changed === true) tellStarts(followed.unit, context);
}
