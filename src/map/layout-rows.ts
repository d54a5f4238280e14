/** VMs as boxes in rows, and the way of each NIC's line from its box up past the rows above. */
import type { Colour, Point, Rectangle } from './layout.ts';
import { lineHeight, lineOf, shortened, smallLineHeight, widthOfLine, type Line } from './layout-labels.ts';
import type { MapNetwork, MapNic, MapVm } from './map-document.ts';
import { forwardWords, nicWords } from './words.ts';

/** A text of a box, relative to it. */
export interface BoxText extends Point {
  readonly line: Line;
  readonly role: 'name' | 'state' | 'nic' | 'detail';
  /** A mark of the network's colour stands before it. */
  readonly mark?: Colour | 'none';
}

export interface Box {
  readonly vm: string;
  readonly state: string;
  readonly width: number;
  readonly height: number;
  readonly texts: readonly BoxText[];
  readonly ports: readonly Port[];
}

/** Where a NIC's line leaves the box, relative to its left edge. */
interface Port {
  readonly id: string;
  readonly network: string;
  readonly x: number;
  /** On the line: `NAT`, for a NIC that has one for itself. */
  readonly pill?: string;
}

export interface PlacedBox extends Rectangle, Box {
  readonly pills: readonly (Rectangle & { readonly text: string })[];
}

export interface Route {
  readonly id: string;
  readonly network: string;
  /** From the box to above all rows. */
  readonly points: readonly Point[];
  readonly idle: boolean;
}

export interface Rows {
  readonly boxes: readonly PlacedBox[];
  readonly routes: readonly Route[];
  readonly right: number;
  readonly bottom: number;
}

const padding = 10;
const portPitch = 46;
const pillHeight = 15;
const pillZone = 24;
const channelPitch = 8;
const gutter = 26;
const gutterPitch = 10;
const rowGap = 14;
const leastWidth = 1200;
/** Wider than high, as screens are. */
const wantedRatio = 3.2;
const maxForwards = 4;
const indent = 14;

export function boxOf(vm: MapVm, networks: readonly MapNetwork[], colourOf: ReadonlyMap<string, Colour>): Box {
  const texts: BoxText[] = [];
  let y = padding + lineHeight - 4;
  const add = (
    line: Line,
    role: BoxText['role'],
    more: { readonly x?: number; readonly mark?: BoxText['mark'] } = {},
  ): void => {
    texts.push({ line, role, x: more.x ?? padding, y, ...('mark' in more && { mark: more.mark }) });
    y += line.small ? smallLineHeight : lineHeight;
  };
  add(lineOf(vm.vm, { small: false, columns: 40 }), 'name');
  add(lineOf(vm.nics.length === 0 ? `${vm.state}, no network` : vm.state, { small: true }), 'state');
  y += 4;
  for (const nic of vm.nics) {
    const colour = colourOf.get(nic.network);
    const mark = colourOf.has(nic.network) ? colour : undefined;
    add(lineOf(nicTitle(nic, networks), { small: true }), 'nic', { x: padding + indent, mark });
    for (const text of nicDetails(nic)) add(lineOf(text, { small: true }), 'detail', { x: padding + indent });
  }
  const ports = portsOf(vm, networks);
  const width = Math.ceil(
    Math.max(...texts.map(({ x, line }) => x + widthOfLine(line)), ports.length * portPitch) + padding,
  );
  const spread = (ports.length - 1) * portPitch;
  return {
    vm: vm.vm,
    state: vm.state,
    width,
    height: y - 4 + padding - 4,
    texts,
    ports: ports.map((port, index) => ({ ...port, x: Math.round(width / 2 - spread / 2 + index * portPitch) })),
  };
}

function nicTitle(nic: MapNic, networks: readonly MapNetwork[]): string {
  const network = networks.find(({ id }) => id === nic.network);
  const on =
    network?.kind === 'managed' ? [network.name] : [nic.kind, network?.kind === 'private' ? network.subnet : null];
  return [nic.id, ...on.filter((word) => word !== null)].join(' · ');
}

function nicDetails(nic: MapNic): string[] {
  const forwards = nic.forwards.map((forward) => forwardWords(forward, '→'));
  return [...nicWords(nic), ...shortened(forwards, maxForwards)];
}

/** NICs in the order of the profile; one that leads nowhere, and is alone on it, has no line. */
function portsOf({ vm, nics }: MapVm, networks: readonly MapNetwork[]): Omit<Port, 'x'>[] {
  return nics.flatMap((nic) => {
    const network = networks.find(({ id }) => id === nic.network);
    if (network === undefined || (network.kind === 'private' && network.uplink === null)) return [];
    const pill = network.kind === 'private' ? network.name : undefined;
    return [{ id: `${vm}:${nic.id}`, network: nic.network, ...(pill !== undefined && { pill }) }];
  });
}

interface Grid {
  readonly rows: readonly (readonly Box[])[];
  readonly columns: readonly Column[];
}

interface Column {
  /** The left edge of its boxes; the gutter is left of it. */
  readonly x: number;
  readonly width: number;
}

export function placeRows(boxes: readonly Box[], origin: { readonly left: number; readonly top: number }): Rows {
  const grid = gridOf(boxes, origin.left);
  const placed: PlacedBox[] = [];
  const routes: Route[] = [];
  let top = origin.top;
  grid.rows.forEach((row, index) => {
    const channel = index === 0 ? 0 : Math.max(0, ...row.map(({ ports }) => ports.length)) * channelPitch;
    const boxTop = top + channel + pillZone;
    row.forEach((box, column) => {
      const x = Math.round((grid.columns[column]?.x ?? 0) + ((grid.columns[column]?.width ?? 0) - box.width) / 2);
      placed.push({ ...box, x, y: boxTop, pills: pillsOf(box, x, boxTop) });
      routes.push(...routesOf(box, { x, boxTop, row: index, lanes: lanesOf(grid, index, column), top: origin.top }));
    });
    top = boxTop + Math.max(0, ...row.map(({ height }) => height)) + rowGap;
  });
  const last = grid.columns.at(-1);
  return {
    boxes: placed,
    routes,
    right: last === undefined ? origin.left : last.x + last.width,
    bottom: boxes.length === 0 ? origin.top : top - rowGap,
  };
}

/** As few rows as keep the picture about as wide as a screen, and rows of about one length. */
function gridOf(boxes: readonly Box[], left: number): Grid {
  const area = boxes.reduce((sum, { width, height }) => sum + (width + gutter) * (height + pillZone + rowGap), 0);
  const wantedWidth = Math.max(leastWidth, Math.sqrt(area * wantedRatio));
  for (let rowCount = 1; ; rowCount += 1) {
    const perRow = Math.ceil(boxes.length / rowCount);
    const rows = Array.from({ length: rowCount }, (_, row) => boxes.slice(row * perRow, (row + 1) * perRow)).filter(
      ({ length }) => length > 0,
    );
    const columns = columnsOf(rows, left);
    const last = columns.at(-1);
    if (last === undefined || last.x + last.width - left <= wantedWidth || perRow <= 2) return { rows, columns };
  }
}

function columnsOf(rows: readonly (readonly Box[])[], left: number): Column[] {
  let x = left;
  return (rows[0] ?? []).map((_, column) => {
    const inColumn = rows.flatMap((row) => row.slice(column, column + 1));
    const lanes = rows.slice(1).flatMap((row) => row[column]?.ports ?? []).length;
    x += gutter + lanes * gutterPitch;
    const width = Math.max(...inColumn.map((box) => box.width));
    const placed = { x, width };
    x += width;
    return placed;
  });
}

/** The places in the gutter for one box's lines: the lower the row, the further left. */
function lanesOf({ rows, columns }: Grid, row: number, column: number): number[] {
  const left = columns[column]?.x ?? 0;
  const before = rows.slice(1, row).flatMap((one) => one[column]?.ports ?? []).length;
  const ports = rows[row]?.[column]?.ports ?? [];
  return ports.map((_, index) => left - gutter / 2 - (before + ports.length - 1 - index) * gutterPitch);
}

interface Way {
  readonly x: number;
  readonly boxTop: number;
  readonly row: number;
  readonly lanes: readonly number[];
  readonly top: number;
}

function routesOf(box: Box, { x, boxTop, row, lanes, top }: Way): Route[] {
  const idle = box.state === 'stopped';
  return box.ports.map(({ id, network, x: portX }, index) => {
    const out = { x: x + portX, y: boxTop };
    if (row === 0) return { id, network, idle, points: [out, { x: out.x, y: top }] };
    // the first NIC turns lowest, so that no line of the same box crosses another
    const y = boxTop - pillZone - index * channelPitch;
    const lane = lanes[index] ?? out.x;
    return { id, network, idle, points: [out, { x: out.x, y }, { x: lane, y }, { x: lane, y: top }] };
  });
}

function pillsOf(box: Box, x: number, boxTop: number): PlacedBox['pills'] {
  return box.ports.flatMap(({ x: portX, pill }) => {
    if (pill === undefined) return [];
    const width = Math.ceil(widthOfLine({ text: pill, small: true })) + 10;
    return [{ text: pill, x: x + portX - width / 2, y: boxTop - pillHeight - 5, width, height: pillHeight }];
  });
}
