/** A `sudo` that lets everybody do everything, for a test's own PATH: a script around a setuid copy of env. What it was asked is written down. */
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Namespace } from '../harness/harness.ts';

export interface FakeSudo {
  readonly env: Readonly<Record<string, string>>;
  /** What stood behind `sudo -n --`, in order. */
  readonly calls: () => string[];
}

export function createSudo({ dir }: Pick<Namespace, 'dir'>): FakeSudo {
  const rootEnv = path.join(dir, 'root-env');
  const log = path.join(dir, 'sudo.log');
  copyFileSync('/usr/bin/env', rootEnv);
  chmodSync(rootEnv, 0o4755);
  writeFileSync(log, '');
  chmodSync(log, 0o666);
  writeFileSync(
    path.join(dir, 'sudo'),
    `#!/bin/sh\n[ "$1 $2" = "-n --" ] || exit 1\nshift 2\necho "$*" >>${log}\nexec ${rootEnv} -- "$@"\n`,
    { mode: 0o755 },
  );
  chmodSync(path.join(dir, 'sudo'), 0o755);
  return {
    env: { PATH: `${dir}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin` },
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  };
}
