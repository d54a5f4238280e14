/** The plan for people: what is done in which order, what the guest's network looks like, and QEMU's command line. */
import type { NetworkPlan } from '../network/network-plan.ts';
import { frontOf } from '../plan/front.ts';
import type { LaunchPlan, PlannedNic } from '../plan/launch-plan.ts';
import type { Action, Description, Step } from '../plan/step.ts';
import { renderHost } from '../profile/address.ts';
import { renderAction, renderActionLines } from './action.ts';
import { shellWord, shellWords } from '../shell-word.ts';
import type { Styles } from './style.ts';
import { renderTable } from './table.ts';
import { renderForwards } from './vm.ts';
import { visible } from './visible.ts';

export function renderPlan(plan: LaunchPlan, describe: (step: Step) => Description, styles: Styles): string {
  const sections = [
    renderHead(plan, styles),
    section('NICs', renderNics(plan, styles), styles),
    ...plan.networks.map((network) =>
      section(
        network.running === true
          ? `Network ${network.network}, which is up`
          : `Network ${network.network}, taken up first if it is not`,
        renderNetwork(network, describe, styles),
        styles,
      ),
    ),
    section('Steps, in this order', renderSteps(plan.steps, describe, styles), styles),
    section('QEMU', renderCommandLine(plan.qemu), styles),
    section('At the end', renderReleases(plan, describe), styles),
    section('Sockets and logs', renderPlaces(plan), styles),
    section('Notes', plan.notes.map((note) => `${styles.warning('!')} ${visible(note)}\n`).join(''), styles),
  ];
  return sections.filter((text) => text !== '').join('\n');
}

function renderHead({ vm, profile, qemu, accel }: LaunchPlan, styles: Styles): string {
  return `${styles.strong(vm)}  ${visible(profile)}\nQEMU ${qemu.version}, ${accel === 'kvm' ? 'KVM' : 'TCG (emulated CPU)'}\n`;
}

function section(title: string, text: string, styles: Styles): string {
  if (text === '') return '';
  return `${styles.heading(title)}\n${indent(text)}`;
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

function renderNics({ nics }: LaunchPlan, styles: Styles): string {
  if (nics.length === 0) return 'none: no network at all\n';
  return renderTable<PlannedNic>(
    nics,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'SOURCE', value: ({ hostInterface, source }) => hostInterface ?? source },
      { title: 'MODEL', value: ({ model }) => model },
      { title: 'MAC', value: ({ mac }) => mac },
      { title: 'FORWARDS', value: ({ forwards }) => renderForwards(forwards ?? []) },
    ],
    { heading: styles.faint },
  );
}

/** What the network is; and how it is made, unless it is there already. */
function renderNetwork(network: NetworkPlan, describe: (step: Step) => Description, styles: Styles): string {
  const { forward, transport, subnet, gateway, dnsServer, forwards } = network;
  const head = [
    `${forward}, ${transport}`,
    ...(subnet === undefined ? [] : [subnet]),
    ...(gateway === undefined ? [] : [`gateway ${gateway}`]),
    ...(dnsServer === undefined ? [] : [`names ${dnsServer}`]),
  ].join(', ');
  const rules = forwards.map(
    ({ protocol, hostAddress, hostPort, guest, guestAddress, guestPort }) =>
      `${protocol} ${renderHost(hostAddress)}:${hostPort} to ${guest === guestAddress ? guest : `${guest} (${guestAddress})`} port ${guestPort}`,
  );
  const steps = network.running === true ? '' : renderSteps(network.steps, describe, styles);
  return [head, ...rules].map((line) => `${visible(line)}\n`).join('') + steps;
}

function renderSteps(steps: readonly Step[], describe: (step: Step) => Description, styles: Styles): string {
  return steps
    .flatMap((step) =>
      describe(step).acquire.map((action) => {
        const root = step.needsRoot ? styles.warning('root ') : '';
        return `${root}${renderActionLines(action).join('\n')}\n`;
      }),
    )
    .join('');
}

function renderReleases({ steps }: LaunchPlan, describe: (step: Step) => Description): string {
  const releases = steps.toReversed().flatMap((step): readonly Action[] => describe(step).release);
  return releases.map((action) => `${renderAction(action)}\n`).join('');
}

/** One option a line, as a shell would take it. */
function renderCommandLine(qemu: LaunchPlan['qemu']): string {
  const front = frontOf(qemu);
  const lines = [...(front.length > 0 ? [shellWords(front)] : []), shellWord(qemu.file), ...optionLines(qemu.argv)];
  return `${lines.map(visible).join(' \\\n  ')}\n`;
}

/** Each option with its value. */
export function optionLines(argv: readonly string[], render: (word: string) => string = shellWord): readonly string[] {
  const lines: string[] = [];
  for (const [index, word] of argv.entries()) {
    const before = argv[index - 1];
    const isValue = !word.startsWith('-') && before !== undefined && before.startsWith('-') && lines.length > 0;
    if (isValue) lines.push(`${lines.pop() ?? ''} ${render(word)}`);
    else lines.push(render(word));
  }
  return lines;
}

function renderPlaces({ sockets, logs, console }: LaunchPlan): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['monitor (QMP)', sockets.qmp],
    [`console${console === 'stdio' ? ', shown on your terminal' : ''}`, sockets.console],
    ['display (VNC)', sockets.vnc],
    ["QEMU's output", logs.qemu],
    ["console's output", logs.console],
    ['events', logs.events],
  ];
  const known = rows.filter((row): row is readonly [string, string] => row[1] !== undefined);
  const width = Math.max(...known.map(([what]) => what.length));
  return known.map(([what, path]) => `${what.padEnd(width)}  ${visible(path)}\n`).join('');
}
