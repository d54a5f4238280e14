/** The plan of a network, for people and as `qrun net show --json` prints it. */
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Action, Description, Step } from '../plan/step.ts';
import { renderActionLines } from './action.ts';
import { forwardRows } from './network-info.ts';
import { networkDocument, stepDocument, type NetworkPlanDocument, type StepDocument } from './plan-json.ts';
import type { Styles } from './style.ts';
import { renderTable } from './table.ts';
import { visible } from './visible.ts';

type Describe = (step: Step) => Description;

export interface NetworkShowDocument extends NetworkPlanDocument {
  readonly steps: readonly StepDocument[];
}

export const networkShowDocument = (plan: NetworkPlan, describe: Describe): NetworkShowDocument => ({
  ...networkDocument(plan),
  steps: plan.steps.map((step) => stepDocument(step, describe)),
});

export function renderNetworkPlan(plan: NetworkPlan, describe: Describe, styles: Styles): string {
  const { steps, forwards, notes } = plan;
  const releases = steps.toReversed().flatMap((step): readonly Action[] => describe(step).release);
  const lines = (actions: readonly Action[]): string =>
    actions.map((action) => `${renderActionLines(action).join('\n')}\n`).join('');
  const sections = [
    `${styles.strong(plan.network)}  ${visible(plan.file)}${plan.running === true ? '  (it is up)' : ''}\n`,
    section('Network', renderFacts(plan), styles),
    section(
      'Forwards',
      forwards.length === 0 ? '' : renderTable(forwards, forwardRows, { heading: styles.faint }),
      styles,
    ),
    section('Steps, in this order', lines(steps.flatMap((step) => describe(step).acquire)), styles),
    section('At the end', lines(releases), styles),
    section('Notes', notes.map((note) => `${styles.warning('!')} ${visible(note)}\n`).join(''), styles),
  ];
  return sections.filter((text) => text !== '').join('\n');
}

function renderFacts({ forward, scope, transport, subnet, gateway, dnsServer }: NetworkPlan): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['forward', forward],
    ['scope', scope],
    ['transport', transport],
    ['subnet', subnet],
    ['gateway', gateway],
    ['name server', dnsServer],
  ];
  return rows.map(([what, value]) => (value === undefined ? '' : `${what.padEnd(11)}  ${visible(value)}\n`)).join('');
}

const section = (title: string, text: string, styles: Styles): string =>
  text === '' ? '' : `${styles.heading(title)}\n${text.replace(/^(?=.)/gm, '  ')}`;
