/** The host's way to macvtaps in a script: made if nobody has, gone with the last of them. Under the same lock as qrun's own. */
import { reachedGroup } from '../host-way-name.ts';
import type { Description, HostAccessStep } from '../plan/step.ts';
import { lineOf } from './shell-action.ts';
import { shellWord } from '../shell-word.ts';

const lockOf = ({ parent }: HostAccessStep): string => shellWord(`/sys/class/net/${parent}/ifindex`);
const waits = 'flock -w 10 3';

export function hostWayLines(step: HostAccessStep, acquire: Description['acquire']): readonly string[] {
  const { name, parent, alias } = step;
  return [
    '(',
    `  ${waits} || exit 1`,
    `  [ "$(cat /sys/class/net/${name}/ifalias 2>/dev/null || :)" != ${shellWord(alias)} ] || exit 0`,
    `  [ ! -e /sys/class/net/${name} ] || ip link delete dev ${name} || exit 1`,
    ...acquire.map((action) => `  ${lineOf(action)} || exit 1`),
    `) 3<${lockOf(step)} || fail 3 ${shellWord(`the host's way on ${parent} could not be made`)}`,
  ];
}

export function releaseHostWay(
  step: HostAccessStep,
  number: number,
  release: Description['release'],
): readonly string[] {
  const { name, parent, links } = step;
  const own = links.map((link) => `"$one" = ${shellWord(link)}`).join(' ] || [ ');
  return [
    `[ "$taken" -lt ${number} ] || [ ! -e /sys/class/net/${name} ] || (`,
    `  ${waits} || exit 1`,
    `  for one in ${shellWord(`/sys/class/net/${parent}`)}/upper_*; do`,
    '    one=${one##*/upper_}',
    `    { [ ${own} ]; } || [ "$(cat "/sys/class/net/$one/netdev_group" 2>/dev/null)" != ${reachedGroup} ] || exit 0`,
    '  done',
    ...release.map((action) => `  ${lineOf(action)} || exit 1`),
    `) 3<${lockOf(step)} || left=1`,
  ];
}
