/**
 * Where everything stands in the picture. Ranks from top to bottom: what networks lead to, networks, VMs in rows. Each network is a bar, each NIC a line
 * of its own from its VM's box up to its bar. Pure arithmetic on text widths: the same map always gives the same picture.
 *
 *     lanes | labels      | gutter | box | gutter | box
 *     ┌─────outside━━━━━━━━━━━━━━━━━┿━━━━━━━━━━━━━━━━━     a bar runs from its lane to the last NIC that is on it
 *     └─────lab━━━━━━━━━━━━━━━●━━━━━┿━━━━━━━━━●━━━━━━━
 *                            web1   │
 *                              ┌────┘                      NICs of lower rows come up through the gutter beside their column
 *                            router
 */
import { labelsOf, type Label } from './layout-labels.ts';
import { boxOf, placeRows, type PlacedBox } from './layout-rows.ts';
import type { MapDocument, MapNetwork } from './map-document.ts';
import { uplinkWords } from './words.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rectangle extends Point {
  readonly width: number;
  readonly height: number;
}

export interface Bar {
  /** The network's id, or `uplink:NAME`. */
  readonly id: string;
  readonly y: number;
  readonly from: number;
  readonly to: number;
  readonly label: Label & Rectangle;
  readonly colour: Colour;
  /** Defined, and not up. */
  readonly idle: boolean;
  readonly isUplink: boolean;
}

/** A place in the palette; undefined: neutral. */
export type Colour = number | undefined;

export interface Wire {
  /** Of a NIC: `web1:net0`. Of a network's way out: its id. */
  readonly id: string;
  readonly points: readonly Point[];
  readonly colour: Colour;
  readonly idle: boolean;
  /** The bars that it is connected to, so that it gets a dot there. */
  readonly ends: readonly Point[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly bars: readonly Bar[];
  readonly wires: readonly Wire[];
  readonly boxes: readonly PlacedBox[];
}

export const colours = 10;
const margin = 24;
const lanePitch = 14;
const gapAfterLanes = 10;
const gapBetweenBars = 18;
/** Between the last bar and the first row of boxes. */
const gapAboveBoxes = 34;
const barOverhang = 18;

export function layoutMap(map: MapDocument): Layout {
  const bars = barsOf(map);
  const lanes = laneOf(bars);
  const labelsLeft = margin + lanes.count * lanePitch + gapAfterLanes;
  const labelsWidth = Math.max(0, ...bars.map(({ label }) => label.width));
  const placed = placeBars(bars, labelsLeft);
  const bottom = placed.at(-1)?.bottom ?? margin;
  const colourOf = new Map(bars.map(({ id, colour }) => [id, colour]));
  const rows = placeRows(
    map.vms.map((vm) => boxOf(vm, map.networks, colourOf)),
    {
      left: labelsLeft + labelsWidth + (bars.length > 0 ? 16 : 0),
      top: bottom + (bars.length > 0 ? gapAboveBoxes : 0),
    },
  );
  const barAt = new Map(placed.map(({ id, y }) => [id, y]));
  const nicWires = rows.routes.flatMap(({ id, network, points, idle }): Wire[] => {
    const aim = barOf(network, map.networks);
    const y = aim === undefined ? undefined : barAt.get(aim);
    const top = points.at(-1);
    if (y === undefined || top === undefined) return [];
    const end = { x: top.x, y };
    return [{ id, points: [...points, end], colour: colourOf.get(network), idle, ends: [end] }];
  });
  const risers = placed.flatMap((bar): Wire[] => {
    const lane = lanes.of.get(bar.id);
    const y = bar.uplink === undefined ? undefined : barAt.get(bar.uplink);
    if (lane === undefined || y === undefined) return [];
    const x = margin + lane * lanePitch;
    const ends = [
      { x, y: bar.y },
      { x, y },
    ];
    return [{ id: bar.id, points: ends, colour: bar.colour, idle: bar.idle, ends }];
  });
  const finished = placed.map((bar): Bar => {
    const lane = lanes.of.get(bar.id);
    const reach = [...nicWires, ...risers].flatMap(({ ends }) => ends.filter(({ y }) => y === bar.y).map(({ x }) => x));
    return {
      ...bar,
      from: bar.isUplink || lane === undefined ? Math.min(labelsLeft, ...reach) : margin + lane * lanePitch,
      to: Math.max(labelsLeft + labelsWidth, ...reach.map((x) => x + barOverhang)),
    };
  });
  return {
    width: Math.ceil(Math.max(rows.right, ...finished.map(({ to }) => to), 320) + margin),
    height: Math.ceil(Math.max(rows.bottom, bottom) + margin),
    bars: finished,
    wires: [...risers, ...nicWires],
    boxes: rows.boxes,
  };
}

interface UnplacedBar {
  readonly id: string;
  readonly label: Label;
  readonly colour: Colour;
  readonly idle: boolean;
  readonly isUplink: boolean;
  /** The id of the bar that it leads to. */
  readonly uplink: string | undefined;
}

const uplinkId = (uplink: string): string => `uplink:${uplink}`;

/** A NAT that one NIC has for itself is no bar: the NIC's line goes on to where it leads. */
const isDrawn = ({ kind }: MapNetwork): boolean => kind !== 'private';

function barsOf({ networks }: MapDocument): UnplacedBar[] {
  const uplinks = [...new Set(networks.flatMap(({ uplink }) => (uplink === null ? [] : [uplink])))].toSorted(byUplink);
  const drawn = networks.filter(isDrawn);
  return [
    ...uplinks.map((uplink): UnplacedBar => ({
      id: uplinkId(uplink),
      label: labelsOf([uplinkWords(uplink)]),
      colour: undefined,
      idle: false,
      isUplink: true,
      uplink: undefined,
    })),
    // those that lead out are nearer to the outside
    ...drawn
      .toSorted((left, right) => Number(left.uplink === null) - Number(right.uplink === null))
      .map((network): UnplacedBar => ({
        id: network.id,
        label: labelsOf(network),
        colour: drawn.indexOf(network) % colours,
        idle: network.state === 'defined' || network.state === 'missing' || network.state === 'broken',
        isUplink: false,
        uplink: network.uplink === null ? undefined : uplinkId(network.uplink),
      })),
  ];
}

const byUplink = (left: string, right: string): number => {
  const rank = (uplink: string): number => (uplink === 'outside' ? 0 : uplink === 'host' ? 1 : 2);
  return rank(left) - rank(right) || (left < right ? -1 : 1);
};

/** The bar that a NIC's line ends at. */
function barOf(network: string, networks: readonly MapNetwork[]): string | undefined {
  const found = networks.find(({ id }) => id === network);
  if (found === undefined || isDrawn(found)) return found?.id;
  return found.uplink === null ? undefined : uplinkId(found.uplink);
}

/** The lower a bar, the further left its way up: so no way up crosses another bar. */
function laneOf(bars: readonly UnplacedBar[]): { readonly count: number; readonly of: ReadonlyMap<string, number> } {
  const leading = bars.filter(({ uplink }) => uplink !== undefined).toReversed();
  return { count: leading.length, of: new Map(leading.map(({ id }, lane) => [id, lane])) };
}

type PlacedBar = UnplacedBar & { readonly y: number; readonly bottom: number; readonly label: Label & Rectangle };

/** A label's first line stands on its bar, the others hang below. */
function placeBars(bars: readonly UnplacedBar[], left: number): PlacedBar[] {
  let top = margin;
  return bars.map((bar) => {
    const y = top + bar.label.above;
    const label = { ...bar.label, x: left, y: top, height: bar.label.above + bar.label.below };
    const bottom = top + label.height;
    top = bottom + gapBetweenBars;
    return { ...bar, y, bottom, label };
  });
}
