import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildMap } from '../../../src/map/build-map.ts';
import { layoutMap, type Layout, type Point, type Rectangle } from '../../../src/map/layout.ts';
import { anyMap, mcastNic, networkNic, networkOf, userNic, vmOf } from './a-map.ts';

const overlap = (one: Rectangle, other: Rectangle): boolean =>
  one.x < other.x + other.width &&
  other.x < one.x + one.width &&
  one.y < other.y + other.height &&
  other.y < one.y + one.height;

type Named = Rectangle & { readonly name: string };

/** Everything that holds text. */
function roomsOf({ bars, boxes }: Layout): Named[] {
  return [
    ...bars.map(({ id, label }) => ({ name: `label ${id}`, ...label })),
    ...boxes.map((box) => ({ name: `box ${box.vm}`, ...box })),
    ...boxes.flatMap(({ vm, pills }) => pills.map((pill, index) => ({ name: `pill ${index} of ${vm}`, ...pill }))),
  ];
}

interface Stretch {
  readonly wire: string;
  readonly index: number;
  readonly from: Point;
  readonly to: Point;
}

const stretchesOf = ({ wires }: Layout): Stretch[] =>
  wires.flatMap(({ id, points }, wire) =>
    points.slice(1).map((to, index) => ({ wire: `${wire} ${id}`, index, from: points[index] ?? to, to })),
  );

/** Open on all sides: what only touches does not cross. */
function crosses({ from, to }: Stretch, { x, y, width, height }: Rectangle): boolean {
  const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
  const [top, bottom] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
  return left < x + width && right > x && top < y + height && bottom > y;
}

/** Two parallel stretches that lie on one another for a while. */
function coincide(one: Stretch, other: Stretch): boolean {
  const along = (axis: 'x' | 'y', across: 'x' | 'y'): boolean =>
    one.from[across] === one.to[across] &&
    other.from[across] === other.to[across] &&
    one.from[across] === other.from[across] &&
    Math.max(Math.min(one.from[axis], one.to[axis]), Math.min(other.from[axis], other.to[axis])) <
      Math.min(Math.max(one.from[axis], one.to[axis]), Math.max(other.from[axis], other.to[axis]));
  return along('x', 'y') || along('y', 'x');
}

function faultsOf(layout: Layout): string[] {
  const rooms = roomsOf(layout);
  const stretches = stretchesOf(layout);
  const covering = rooms.flatMap((one, index) =>
    rooms.slice(index + 1).flatMap((other) => (overlap(one, other) ? [`${one.name} covers ${other.name}`] : [])),
  );
  // a line passes through the pill that stands on it
  const crossed = stretches.flatMap((one) =>
    rooms.flatMap((room) =>
      !room.name.startsWith('pill') && crosses(one, room) ? [`wire ${one.wire} crosses ${room.name}`] : [],
    ),
  );
  const shared = stretches.flatMap((one, index) =>
    stretches
      .slice(index + 1)
      .flatMap((other) =>
        one.wire !== other.wire && coincide(one, other) ? [`${one.wire} lies on ${other.wire}`] : [],
      ),
  );
  const outside = rooms.flatMap(({ name, x, y, width, height }) =>
    x < 0 || y < 0 || x + width > layout.width || y + height > layout.height
      ? [`${name} is outside of the picture`]
      : [],
  );
  return [...covering, ...crossed, ...shared, ...outside];
}

test('no text covers another, no line crosses a box or a label, no line lies on another', () => {
  fc.assert(
    fc.property(anyMap, (map) => {
      expect(faultsOf(layoutMap(map))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test('a fault would be found', () => {
  const layout = layoutMap(buildMap({ vms: [vmOf('a', [userNic('x')]), vmOf('b', [userNic('x')])], networks: [] }));
  const [a, b] = layout.boxes;
  if (a === undefined || b === undefined) throw new Error('two boxes');
  expect(faultsOf({ ...layout, boxes: [a, { ...b, x: a.x, y: a.y }] })).toContain('box a covers box b');
  const through = {
    id: 'w',
    points: [
      { x: 0, y: a.y + 5 },
      { x: 999, y: a.y + 5 },
    ],
    colour: 0,
    idle: false,
    ends: [],
  };
  expect(faultsOf({ ...layout, wires: [...layout.wires, through] })).toContain('wire 2 w crosses box a');
});

describe('what is drawn', () => {
  test('each NIC has a line from its box to its bar; a NAT of its own ends at the outside', () => {
    const map = buildMap({
      vms: [vmOf('router', [userNic('net0'), mcastNic('net1')]), vmOf('behind', [mcastNic('net0')])],
      networks: [],
    });
    const { bars, wires, boxes } = layoutMap(map);
    expect(bars.map(({ id }) => id)).toEqual(['uplink:outside', 'mcast:230.0.0.1:12345']);
    const yOf = (id: string): number => bars.find((bar) => bar.id === id)?.y ?? 0;
    expect(wires.map(({ id, points }) => [id, points.at(-1)?.y])).toEqual([
      ['behind:net0', yOf('mcast:230.0.0.1:12345')],
      ['router:net0', yOf('uplink:outside')],
      ['router:net1', yOf('mcast:230.0.0.1:12345')],
    ]);
    expect(boxes.map(({ vm, pills }) => [vm, pills.map(({ text }) => text)])).toEqual([
      ['behind', []],
      ['router', ['NAT']],
    ]);
    for (const { points, ends } of wires) {
      expect(ends).toEqual([points.at(-1)]);
    }
  });

  test('a bar reaches every dot on it, and its way out reaches the outside', () => {
    fc.assert(
      fc.property(anyMap, (map) => {
        const { bars, wires } = layoutMap(map);
        for (const end of wires.flatMap(({ ends }) => ends)) {
          const bar = bars.find(({ y }) => y === end.y);
          expect(bar === undefined ? undefined : bar.from <= end.x && end.x <= bar.to).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('30 VMs on 10 networks stay a picture, no ribbon', () => {
    const networks = Array.from({ length: 10 }, (_, index) => networkOf(`n${index}`));
    const vms = Array.from({ length: 30 }, (_, index) => vmOf(`vm${index}`, [networkNic('net0', `n${index % 10}`)]));
    const { width, height, boxes } = layoutMap(buildMap({ vms, networks }));
    expect(boxes).toHaveLength(30);
    expect(width).toBeLessThan(2600);
    expect(width / height).toBeGreaterThan(0.8);
    expect(width / height).toBeLessThan(3);
  });

  test('the same map gives the same picture, in whatever order it was found', () => {
    const vms = [vmOf('b', [mcastNic('x')]), vmOf('a', [networkNic('x', 'lab')]), vmOf('c', [userNic('x')])];
    const networks = [networkOf('lab'), networkOf('dmz')];
    const one = layoutMap(buildMap({ vms, networks }));
    expect(layoutMap(buildMap({ vms: vms.toReversed(), networks: networks.toReversed() }))).toEqual(one);
  });
});
