/** Units without a systemd: a systemctl that makes the links alone, and their commands run as systemd would, with nothing else in the environment. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Home, Result } from '../harness/harness.ts';

/** What `enable` and `disable` do to links, and nothing else; told what to fail at by a file beside it. */
export const fakeSystemctl = (log: string): string => `#!/bin/sh
echo "$*" >>${log}
user= verb= unit=
for word in "$@"; do
  case $word in --user) user=1 ;; --*) ;; *) if [ -z "$verb" ]; then verb=$word; else unit=$word; fi ;; esac
done
[ ! -e ${log}.fail ] || { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
if [ -n "$user" ]; then units=\${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user target=default.target
else units=/etc/systemd/system target=multi-user.target; fi
case $verb in
  enable) mkdir -p "$units/$target.wants" && ln -sf "$units/$unit" "$units/$target.wants/$unit" ;;
  disable) rm -f "$units/$target.wants/$unit" ;;
esac
`;

export interface UnitUser {
  /** For qrun. */
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly told: () => string[];
}

/** An ordinary user whose systemd runs, as far as that can be seen. */
export function createUnitUser(home: Home): UnitUser {
  for (const name of ['bin', 'x', 'x/systemd']) home.mkdir(name);
  const log = path.join(home.dir, 'systemctl.log');
  home.write('bin/systemctl', fakeSystemctl(log), 0o755);
  return {
    env: { PATH: `${home.dir}/bin:${home.env['PATH'] ?? ''}`, XDG_RUNTIME_DIR: `${home.dir}/x` },
    directory: path.join(home.env['HOME'] ?? '', '.config/systemd/user'),
    told: () => (existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : []),
  };
}

/** One of its commands. Words in double quotes mean to sh what they mean to systemd, but for its doubled signs. */
export async function runOfUnit(home: Home, file: string, key: 'ExecStart' | 'ExecStop'): Promise<Result> {
  const lines = readFileSync(file, 'utf8').split('\n');
  const valuesOf = (name: string): string[] =>
    lines
      .filter((line) => line.startsWith(`${name}=`))
      .map((line) => line.slice(name.length + 1).replaceAll('%%', '%'));
  const [command = 'false'] = valuesOf(key);
  const own = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', `HOME=${home.env['HOME'] ?? ''}`];
  const set = [...own, ...valuesOf('Environment')].join(' ');
  return await home.run(['env', '-i', '/bin/sh', '-c', `exec env ${set} ${command}`]);
}

/** What systemd finds wrong with it. Call `needsFile(context, analyze)` first. */
export async function verifyUnit(home: Home, file: string, manager: 'system' | 'user'): Promise<string[]> {
  const flags = manager === 'user' ? ['--user'] : [];
  const env = { XDG_RUNTIME_DIR: `${home.dir}/x` };
  const { stdout, stderr } = await home.run([analyze, 'verify', ...flags, file], { env });
  return `${stdout}${stderr}`.split('\n').filter((line) => line.includes('qrun-'));
}

export const analyze = '/usr/bin/systemd-analyze';
