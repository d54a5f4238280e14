/** Settings of the kernel's in shell: what was there before is kept where `qrun setup --undo` looks for it, as qrun's own start keeps it. */
import type { SysctlStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';

/** The file is one line of JSON, of this boot or of one before; it is for all to read. */
const keepBefore: readonly string[] = [
  'keep_before() { # FILE KEY: what was there before, for qrun setup --undo',
  '  was=$(cat -- "/proc/sys/$2") && (umask 022 && mkdir -p -- "${1%/*}") || return 1',
  '  if ! grep -Fqs -- "\\"bootId\\":\\"$boot_id\\"" "$1"; then',
  `    printf '{"v":1,"bootId":"%s","values":{"%s":"%s"}}' "$boot_id" "$2" "$was" >"$1.new" || return 1`,
  '  elif ! grep -Fq -- "\\"$2\\":" "$1"; then',
  '    sed "s|\\"values\\":{|&\\"$2\\":\\"$was\\",|" "$1" >"$1.new" || return 1',
  '  else',
  '    return 0',
  '  fi',
  '  chmod 644 -- "$1.new" && mv -f -- "$1.new" "$1"',
  '}',
];

/** Before they are set. None for settings that go with their interface. */
export function keepLines({ kept, values }: SysctlStep): readonly string[] {
  if (kept === undefined) return [];
  return [
    ...keepBefore,
    ...Object.entries(values).map(
      ([key, value]) =>
        `[ "$(cat -- ${shellWord(`/proc/sys/${key}`)})" = ${shellWord(value)} ] || keep_before ${shellWord(kept)} ${shellWord(key)} || broken`,
    ),
  ];
}
