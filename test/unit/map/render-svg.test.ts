import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildMap } from '../../../src/map/build-map.ts';
import { escapeXml, renderSvg } from '../../../src/map/render-svg.ts';
import { anyMap, mcastNic, networkNic, networkOf, nicOf, userNic, vmOf } from './a-map.ts';
import { runs } from '../quick.ts';
import { anyText } from '../any-text.ts';

/** What is wrong with it as XML: elements that do not nest, bare signs, characters that XML has not. Undefined: nothing. */
function faultOfXml(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- XML has no way to write these
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u.test(text))
    return 'a character XML has not';
  const open: string[] = [];
  let rest = text;
  while (rest !== '') {
    const content = /^[^<]*/.exec(rest)?.[0] ?? '';
    if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(content) || content.includes(']]>')) return `content ${content}`;
    rest = rest.slice(content.length);
    if (rest === '') break;
    const tag = /^<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)\s*(\/?)>/.exec(rest);
    if (tag === null) return `no tag: ${rest.slice(0, 40)}`;
    const [whole, closing, name = '', attributes = '', empty] = tag;
    if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(attributes)) return `attributes ${attributes}`;
    if (closing === '/') {
      if (open.pop() !== name) return `</${name}> closes another`;
    } else if (empty !== '/') open.push(name);
    rest = rest.slice(whole.length);
  }
  return open.length === 0 ? undefined : `<${open.join('> <')}> are not closed`;
}

const elementsOf = (svg: string): string[] => [...svg.matchAll(/<([a-z]+)/g)].map(([, name = '']) => name);
const textsOf = (svg: string): string[] =>
  [...svg.matchAll(/<text [^>]*>(?:<title>[^<]*<\/title>)?([^<]*)<\/text>/g)].map(([, text = '']) => text);

test('the test for XML finds what is none', () => {
  expect(faultOfXml('<a><b x="1"/>x &amp; y</a>')).toBeUndefined();
  for (const text of [
    '<a>',
    '<a></b>',
    '<a>&</a>',
    '<a x="&"/>',
    '<a>\u0001</a>',
    '<a x=1/>',
    '<a>\ud800</a>',
    '<a><</a>',
  ]) {
    expect(faultOfXml(text)).toBeDefined();
  }
});

test('whatever names, paths and states hold, the picture is XML of the elements that we draw', () => {
  fc.assert(
    fc.property(anyMap, (map) => {
      const svg = renderSvg(map);
      expect(faultOfXml(svg)).toBeUndefined();
      const ours = ['svg', 'style', 'rect', 'polyline', 'line', 'circle', 'text', 'title', 'g'];
      expect(elementsOf(svg).filter((name) => !ours.includes(name))).toEqual([]);
      expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    }),
    { numRuns: runs(60) },
  );
});

test('any text, escaped, is content and attribute', () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      expect(faultOfXml(`<a x="${escapeXml(text)}">${escapeXml(text)}</a>`)).toBeUndefined();
    }),
  );
});

describe('the picture', () => {
  const svg = renderSvg(
    buildMap({
      vms: [
        vmOf('router', [userNic('net0'), mcastNic('net1')]),
        vmOf('<b>', [mcastNic('net0')], 'stopped'),
        vmOf('web1', [networkNic('net0', 'lab', { ips: ['10.44.0.10'] })]),
        vmOf('far', [nicOf('net0', { kind: 'vde', socket: `/home/alice/${'long/'.repeat(20)}ctl` })]),
      ],
      networks: [networkOf('lab')],
    }),
  );

  test('tells names, MACs, addresses, networks, what is stopped', () => {
    const texts = textsOf(svg);
    for (const text of ['router', '&lt;b&gt;', 'stopped', '10.44.0.10', '52:54:00:00:00:01', 'lab', 'outside', 'NAT']) {
      expect(texts).toContain(text);
    }
    expect(texts).toContain('nat · 10.44.0.0/24 · hub · up');
  });

  test('cuts what is long, and has the whole of it as a title', () => {
    expect(svg).toContain(`<title>VDE switch /home/alice/${'long/'.repeat(20)}ctl</title>VDE switch /home/a…`);
  });

  test('needs nothing from elsewhere, and is there in light and dark', () => {
    expect(svg).not.toMatch(/href|url\(|@import|@font-face|<script|on[a-z]+=/);
    expect(svg.match(/https?:[^"]*/g)).toEqual(['http://www.w3.org/2000/svg']);
    expect(svg).toContain('@media(prefers-color-scheme:dark)');
  });

  test('of nothing says so', () => {
    const empty = renderSvg(buildMap({ vms: [], networks: [] }));
    expect(faultOfXml(empty)).toBeUndefined();
    expect(textsOf(empty)).toEqual(['no VM and no network']);
  });
});
