/** Who would be let in by setup and should not be, and who would not be and should: told before anything is done. Pure. */
import { QrunError } from '../errors.ts';
import { predictBridgeConf, type BridgeVerdict } from '../host/bridge-conf.ts';
import { shellWord } from '../shell-word.ts';
import { confRule, recordedGroup, type ConfRule } from './conf-rule.ts';
import type { ConfFact, SetupFacts, SetupOptions } from './facts.ts';
import { runAsName } from './general-items.ts';
import { addLine } from './line-edit.ts';

/** Members of these can become root, or read or write what is root's: root's QEMU would be one. */
const privilegedGroups = [
  ...['root', 'wheel', 'sudo', 'admin', 'adm', 'disk', 'shadow', 'kmem', 'mem', 'tty', 'sys', 'daemon', 'bin', 'staff'],
  ...['docker', 'lxd', 'incus', 'incus-admin', 'libvirt', 'systemd-journal', 'input', 'backup', 'operator'],
];

/** The user `qrun`, whom root's QEMU runs as, becomes a member. */
export function faultOfGroup({ group: name }: SetupOptions, { group }: SetupFacts): QrunError | undefined {
  if (name === undefined || (group?.gid !== 0 && !privilegedGroups.includes(name))) return undefined;
  return new QrunError(
    'usage',
    `--group ${name}: its members may do far more than use a bridge, and QEMU of root's would be one`,
    { hint: 'a group for VMs alone: --group qemusers' },
  );
}

const firstPersonUid = 1000;

/** A person of that name would have root's QEMU run as them, and QEMU all that is theirs. */
export function faultOfAccount({ account, recorded }: SetupFacts): QrunError | undefined {
  if (account === undefined || recorded.some(({ item }) => item.kind === 'account')) return undefined;
  const isClosed = /\/(nologin|false)$/.test(account.shell);
  if (isClosed && account.uid < firstPersonUid && account.uid !== 0) return undefined;
  return new QrunError(
    'in-use',
    `there is a user ${runAsName} already, who is no system account without a login (uid ${account.uid}, shell ${account.shell || '/bin/sh'}): QEMU of root's would run as that user`,
    { hint: `sudo usermod --login OTHERNAME ${runAsName}   # if it is a person` },
  );
}

/** With our line in it the helper must say yes to those who are meant, and to nobody else. */
export function faultOfConf(bridge: string, options: SetupOptions, facts: SetupFacts): QrunError | undefined {
  if (facts.conf.fault !== undefined)
    return new QrunError('unsafe-state', facts.conf.fault.message, { hint: facts.conf.fault.hint });
  const group = options.group ?? recordedGroup(bridge, facts);
  const rule = confRule(bridge, group, facts);
  return (
    faultOfReaders({ bridge, group, file: facts.helper.conf }, rule) ??
    (rule.included === undefined ? undefined : faultOfOthers(bridge, facts, rule)) ??
    faultOfRule(bridge, facts, rule)
  );
}

/** The helper reads it as its caller. */
function faultOfReaders(
  { bridge, group, file }: { readonly bridge: string; readonly group: string | undefined; readonly file: string },
  { conf: { everybodyReads, onlyGroup } }: ConfRule,
): QrunError | undefined {
  if (everybodyReads || (onlyGroup !== undefined && (group === undefined || group === onlyGroup))) return undefined;
  if (onlyGroup === undefined)
    return new QrunError('permission', `root alone may read ${file}, and the bridge helper reads it as its caller`, {
      hint: `sudo chmod a+r ${shellWord(file)}`,
    });
  return new QrunError('in-use', `the group ${onlyGroup} alone may read ${file}, so no rule in it is for ${group}`, {
    hint: `sudo qrun setup --bridge ${bridge} --group ${onlyGroup}`,
  });
}

/** A rule of somebody else's that lets everybody on the bridge: a group of ours would narrow nothing. */
function faultOfOthers(bridge: string, { helper }: SetupFacts, { conf }: ConfRule): QrunError | undefined {
  const verdict = predict(bridge, helper.conf, conf);
  if (verdict.verdict !== 'allowed') return undefined;
  const { file, line, text } = verdict.rule;
  return new QrunError('in-use', `${file}:${line} lets everybody on ${bridge} already: --group would narrow nothing`, {
    hint: `sudo sensible-editor +${line} ${shellWord(file)}`,
    causes: [`line ${line}: ${JSON.stringify(text.slice(0, 120))}`],
  });
}

function predict(bridge: string, file: string, { text = '', included }: ConfFact): BridgeVerdict {
  return predictBridgeConf({
    bridge,
    file,
    read: (one) => {
      const found = one === file ? text : included?.[one];
      return found === undefined ? { missing: 'absent' } : { text: found };
    },
    cwd: '/',
  });
}

/** A file that the helper does not parse, or a `deny`, is for a person to mend. */
function faultOfRule(
  bridge: string,
  { helper }: SetupFacts,
  { rule, included, conf }: ConfRule,
): QrunError | undefined {
  const verdict = predict(bridge, helper.conf, {
    ...conf,
    text: addLine(conf.text ?? '', rule),
    included: { ...conf.included, ...(included !== undefined && { [included.path]: included.text }) },
  });
  return verdict.verdict === 'allowed' ? undefined : refusal(bridge, verdict);
}

function refusal(bridge: string, verdict: Exclude<BridgeVerdict, { verdict: 'allowed' }>): QrunError {
  if (verdict.verdict === 'invalid') {
    const { file, line, text } = verdict.place;
    return new QrunError(
      'host-failed',
      `${file}:${line}: ${verdict.reason}: the bridge helper takes nothing of the file`,
      {
        hint: `sudo sensible-editor +${line} ${shellWord(file)}`,
        causes: [`line ${line}: ${JSON.stringify(text.slice(0, 120))}`],
      },
    );
  }
  const rule = verdict.verdict === 'denied' ? verdict.rule : undefined;
  return new QrunError(
    'host-failed',
    `${rule === undefined ? 'bridge.conf' : `${rule.file}:${rule.line}`} denies ${bridge}; deny wins wherever it stands`,
    {
      ...(rule !== undefined && { hint: `sudo sensible-editor +${rule.line} ${shellWord(rule.file)}` }),
    },
  );
}
