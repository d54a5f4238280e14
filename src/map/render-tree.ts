/** The map as a tree for a terminal: where things lead to, then networks, then the NICs that are on them. */
import { visible } from '../report/visible.ts';
import type { MapDocument, MapNetwork, MapNic, MapVm } from './map-document.ts';
import { detailsOf, forwardWords, nameBeside, nicWords, titleOf, uplinkWords } from './words.ts';

export interface TreeStyles {
  /** False: nothing but ASCII. */
  readonly unicode: boolean;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warning: (text: string) => string;
}

interface Branch {
  readonly text: string;
  readonly below: readonly Branch[];
}

interface OnNetwork {
  readonly vm: MapVm;
  readonly nic: MapNic;
}

/** Lines, each with its end; empty when there is nothing. */
export function renderTree(map: MapDocument, styles: TreeStyles): string {
  const roots = rootsOf(map, styles);
  return roots
    .flatMap((root) => [root.text, ...linesOf(root.below, styles)])
    .map((line) => `${line}\n`)
    .join('');
}

function rootsOf(map: MapDocument, styles: TreeStyles): Branch[] {
  const uplinks = [...new Set(map.networks.map(({ uplink }) => uplink))].toSorted(byUplink);
  const roots = uplinks.map((uplink): Branch => ({
    text: styles.strong(visible(uplink === null ? 'no way out' : uplinkWords(uplink))),
    below: map.networks
      .filter((network) => network.uplink === uplink)
      .map((network) => networkBranch(network, map, styles)),
  }));
  const alone = map.vms.filter(({ nics }) => nics.length === 0);
  if (alone.length === 0) return roots;
  const below = alone.map((vm): Branch => ({ text: vmWords(vm, undefined, styles), below: [] }));
  return [...roots, { text: styles.strong('no network'), below }];
}

/** The world first, then the host's interfaces, and what leads nowhere last. */
function byUplink(left: string | null, right: string | null): number {
  const rank = (uplink: string | null): number =>
    uplink === 'outside' ? 0 : uplink === 'host' ? 1 : uplink === null ? 3 : 2;
  return rank(left) - rank(right) || ((left ?? '') < (right ?? '') ? -1 : 1);
}

function networkBranch(network: MapNetwork, map: MapDocument, styles: TreeStyles): Branch {
  const on = map.vms.flatMap((vm) => vm.nics.filter((nic) => nic.network === network.id).map((nic) => ({ vm, nic })));
  const arrow = styles.unicode ? '→' : '->';
  const forwards = network.forwards.map((forward): Branch => ({
    text: visible(forwardWords(forward, arrow)),
    below: [],
  }));
  const [first] = on;
  if (network.kind === 'private' && first !== undefined) return privateBranch(network, first, styles);
  const words = [
    styles.strong(visible(titleOf(network))),
    ...detailsOf(network).map((word) => stateStyle(word, styles)(visible(word))),
  ];
  return {
    text: words.join(separator(styles)),
    below: [...forwards, ...on.map((one) => nicBranch(one, map, styles))],
  };
}

/** A NAT of one NIC is not worth a level of its own. */
function privateBranch(network: MapNetwork, { vm, nic }: OnNetwork, styles: TreeStyles): Branch {
  const branch = nicBranch({ vm, nic }, undefined, styles);
  const nat = [titleOf(network), ...detailsOf(network)].map(visible).join(' ');
  return { ...branch, text: `${branch.text}${separator(styles)}${nat}` };
}

function nicBranch({ vm, nic }: OnNetwork, map: MapDocument | undefined, styles: TreeStyles): Branch {
  const others = map === undefined ? [] : othersOf(vm, nic, map);
  const arrow = styles.unicode ? '→' : '->';
  return {
    text: [vmWords(vm, nic, styles), ...others.map((text) => styles.faint(visible(text)))].join(separator(styles)),
    below: nic.forwards.map((forward) => ({ text: visible(forwardWords(forward, arrow)), below: [] })),
  };
}

function vmWords({ vm, state }: MapVm, nic: MapNic | undefined, styles: TreeStyles): string {
  const name = nic === undefined ? vm : `${vm}:${nic.id}`;
  const words = nic === undefined ? [] : nicWords(nic).map(visible);
  const text = [styles.strong(visible(name)), ...words].join('  ');
  if (state === 'running') return text;
  return `${state === 'stopped' ? styles.faint(text) : text}  ${stateStyle(state, styles)(`(${visible(state)})`)}`;
}

/** Where a VM's other NICs are: a router is on two networks. */
function othersOf(vm: MapVm, nic: MapNic, map: MapDocument): string[] {
  const names = vm.nics
    .filter((one) => one !== nic)
    .map((one) => map.networks.find(({ id }) => id === one.network))
    .flatMap((network) => (network === undefined ? [] : [nameBeside(network)]));
  return names.length === 0 ? [] : [`also on ${[...new Set(names)].join(', ')}`];
}

const separator = ({ unicode }: TreeStyles): string => (unicode ? ' · ' : ', ');

function stateStyle(word: string, styles: TreeStyles): (text: string) => string {
  if (word === 'up' || word === 'pinned') return styles.good;
  if (word === 'broken' || word === 'missing' || word === 'lost') return styles.warning;
  return word === 'stopped' || word === 'defined' ? styles.faint : (text) => text;
}

function linesOf(branches: readonly Branch[], styles: TreeStyles): string[] {
  const [tee, end, bar] = styles.unicode ? ['├── ', '└── ', '│   '] : ['|-- ', '`-- ', '|   '];
  return branches.flatMap(({ text, below }, index) => {
    const isLast = index === branches.length - 1;
    const under = linesOf(below, styles).map((line) => `${isLast ? '    ' : bar}${line}`);
    return [`${isLast ? end : tee}${text}`, ...under];
  });
}
