/**
 * The picture: one SVG that needs nothing else, light or dark as whoever looks at it has it. Text of others is made visible, then escaped.
 * https://www.w3.org/TR/SVG2/
 */
import { layoutMap, type Bar, type Colour, type Layout, type Rectangle, type Wire } from './layout.ts';
import { lineHeight, lineOf, smallLineHeight, type Line } from './layout-labels.ts';
import type { BoxText, PlacedBox } from './layout-rows.ts';
import type { MapDocument } from './map-document.ts';
import { svgStyle } from './svg-style.ts';

export function renderSvg(map: MapDocument): string {
  const isEmpty = map.vms.length === 0 && map.networks.length === 0;
  const layout = layoutMap(map);
  const { width, height } = isEmpty ? { width: 420, height: 90 } : layout;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="VMs and networks">`,
    `<style>${svgStyle}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...(isEmpty ? [text({ x: 24, y: 50 }, lineOf('no VM and no network', { small: false }), 'faint')] : drawn(layout)),
    '</svg>',
    '',
  ].join('\n');
}

/** Lines first, bars over them with a rim of paper: what passes under a bar is not connected to it, what has a dot is. */
function drawn({ bars, wires, boxes }: Layout): string[] {
  return [
    ...wires.map(wire),
    ...bars.flatMap(bar),
    ...wires.flatMap(dots),
    ...bars.flatMap(labelOfBar),
    ...boxes.flatMap(box),
  ];
}

const classOf = (colour: Colour, idle: boolean): string =>
  `${colour === undefined ? 'plain' : `c${colour}`}${idle ? ' idle' : ''}`;

function wire({ points, colour, idle }: Wire): string {
  const way = points.map(({ x, y }) => `${x},${y}`).join(' ');
  return `<polyline class="wire ${classOf(colour, idle)}" points="${way}"/>`;
}

const dots = ({ ends, colour, idle }: Wire): string[] =>
  ends.map(({ x, y }) => `<circle class="dot ${classOf(colour, idle)}" cx="${x}" cy="${y}" r="4.5"/>`);

function bar({ y, from, to, colour, idle, isUplink }: Bar): string[] {
  const place = `x1="${from}" y1="${y}" x2="${to}" y2="${y}"`;
  return [
    `<line class="rim" ${place}/>`,
    `<line class="bar ${isUplink ? 'uplink ' : ''}${classOf(colour, idle)}" ${place}/>`,
  ];
}

function labelOfBar({ label, colour, isUplink }: Bar): string[] {
  const [first, ...more] = label.lines;
  if (first === undefined) return [];
  const name = isUplink ? 'strong' : `strong text c${colour ?? 0}`;
  const below = label.y + label.above;
  return [
    text({ x: label.x, y: label.y + lineHeight - 3 }, first, name),
    ...more.map((line, index) => text({ x: label.x, y: below + 2 + (index + 1) * smallLineHeight - 2 }, line, 'faint')),
  ];
}

function box({ x, y, width, height, state, texts, pills }: PlacedBox): string[] {
  const stopped = state === 'stopped' ? ' stopped' : '';
  return [
    `<g class="vm${stopped}" transform="translate(${x} ${y})">`,
    `<rect class="box" width="${width}" height="${height}" rx="6"/>`,
    ...texts.flatMap((one) => boxText(one)),
    '</g>',
    ...pills.flatMap((pill) => pillOf(pill, stopped)),
  ];
}

function boxText({ x, y, line, role, mark }: BoxText): string[] {
  const name = { name: 'strong', state: 'faint', nic: 'nic', detail: 'faint' }[role];
  if (role !== 'nic') return [text({ x, y }, line, name)];
  const colour = mark === 'none' ? undefined : mark;
  return [
    `<rect class="mark ${classOf(colour, false)}" x="${x - 13}" y="${y - 8}" width="8" height="8" rx="2"/>`,
    text({ x, y }, line, name),
  ];
}

function pillOf({ x, y, width, height, text: words }: Rectangle & { readonly text: string }, more: string): string[] {
  return [
    `<rect class="pill${more}" x="${x}" y="${y}" width="${width}" height="${height}" rx="${height / 2}"/>`,
    text({ x: x + 5, y: y + height - 4 }, { text: words, small: true }, 'faint'),
  ];
}

function text(
  { x, y }: { readonly x: number; readonly y: number },
  { text: words, small, whole }: Line,
  name: string,
): string {
  const title = whole === undefined ? '' : `<title>${escapeXml(whole)}</title>`;
  return `<text class="${name}${small ? ' small' : ''}" x="${x}" y="${y}">${title}${escapeXml(words)}</text>`;
}

/** For content and attributes. What XML 1.0 has no place for at all becomes a mark. */
export function escapeXml(words: string): string {
  return (
    words
      // oxlint-disable-next-line no-control-regex -- XML has no way to write these
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;')
  );
}
