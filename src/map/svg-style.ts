/** The picture's style sheet. Colours of networks are told apart in the light and in the dark; no font but what is there. */

const light = [
  '#0b63c4',
  '#c2410c',
  '#15803d',
  '#7c3aed',
  '#be185d',
  '#0f766e',
  '#92610a',
  '#4338ca',
  '#b91c1c',
  '#4d7c0f',
];
const dark = [
  '#60a5fa',
  '#fb923c',
  '#4ade80',
  '#c4a1ff',
  '#f472b6',
  '#2dd4bf',
  '#e6c34a',
  '#8f9bff',
  '#f87171',
  '#a3e635',
];

interface Theme {
  readonly paper: string;
  readonly box: string;
  readonly ink: string;
  readonly faint: string;
  readonly edge: string;
  readonly plain: string;
  readonly colours: readonly string[];
}

const themes = {
  light: {
    paper: '#ffffff',
    box: '#f6f8fa',
    ink: '#1f2328',
    faint: '#57606a',
    edge: '#8c959f',
    plain: '#6e7781',
    colours: light,
  },
  dark: {
    paper: '#0d1117',
    box: '#161b22',
    ink: '#e6edf3',
    faint: '#9aa4af',
    edge: '#6e7681',
    plain: '#8b949e',
    colours: dark,
  },
} as const satisfies Readonly<Record<string, Theme>>;

const paint = ({ paper, box, ink, faint, edge, plain, colours }: Theme): string =>
  [
    `.paper{fill:${paper}}`,
    `.rim{stroke:${paper}}`,
    `text{fill:${ink}}`,
    `.faint{fill:${faint}}`,
    `.box{fill:${box};stroke:${edge}}`,
    `.pill{fill:${paper};stroke:${plain}}`,
    `.plain{stroke:${plain};fill:${plain}}`,
    ...colours.map((colour, index) => `.c${index}{stroke:${colour};fill:${colour}}`),
    `.dot{stroke:${paper}}`,
  ].join('');

const shape = [
  'text{font-family:ui-monospace,"DejaVu Sans Mono","Liberation Mono",Menlo,Consolas,monospace;font-size:13px;stroke:none}',
  '.small{font-size:11px}',
  '.strong{font-weight:bold}',
  '.wire{stroke-width:1.6;fill:none}',
  '.bar{stroke-width:5;stroke-linecap:round}',
  '.bar.uplink{stroke-width:7}',
  '.rim{stroke-width:11}',
  '.text,.mark{stroke:none}',
  '.dot{stroke-width:1.5}',
  '.box{stroke-width:1.2}',
  '.pill{stroke-width:1.2}',
  '.idle{opacity:.55;stroke-dasharray:5 5}',
  '.dot.idle{stroke-dasharray:none}',
  '.stopped{opacity:.6}',
  '.stopped .box{stroke-dasharray:5 4}',
].join('');

export const svgStyle = `${paint(themes.light)}@media(prefers-color-scheme:dark){${paint(themes.dark)}}${shape}`;
