/** What stands in front of a program of the VM's when root starts it: nothing of a VM runs as root, or knows what root's environment says. */
import type { HostFacts } from '../host/facts.ts';

/**
 * Empty for ordinary users. setpriv drops everything before exec.
 * @param keeps capabilities that a program which it starts may gain by its file, such as `net_admin`; it has none of them itself
 */
export function dropTo({ runAs, tools }: Pick<HostFacts, 'runAs' | 'tools'>, keeps: readonly string[] = []): string[] {
  if (runAs === undefined) return [];
  const groups = runAs.name === 'nobody' ? '--clear-groups' : '--init-groups';
  return [
    tools['setpriv'] ?? 'setpriv',
    `--reuid=${runAs.uid}`,
    `--regid=${runAs.gid}`,
    groups,
    '--reset-env',
    '--inh-caps=-all',
    `--bounding-set=${['-all', ...keeps.map((name) => `+${name}`)].join(',')}`,
    '--',
  ];
}
