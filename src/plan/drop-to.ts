/** What stands in front of a program of the VM's when root starts it: nothing of a VM runs as root. */
import type { HostFacts } from '../host/facts.ts';

/** Empty for ordinary users. setpriv drops everything before exec. */
export function dropTo({ runAs, tools }: Pick<HostFacts, 'runAs' | 'tools'>): string[] {
  if (runAs === undefined) return [];
  const groups = runAs.name === 'nobody' ? '--clear-groups' : '--init-groups';
  return [
    tools['setpriv'] ?? 'setpriv',
    `--reuid=${runAs.uid}`,
    `--regid=${runAs.gid}`,
    groups,
    '--inh-caps=-all',
    '--bounding-set=-all',
    '--',
  ];
}
