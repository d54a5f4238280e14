/** The bench's document for people, and as the table of docs/bench.md. */

const shown = (value, unit) => (unit === 'ratio' ? value.toFixed(2) : `${value.toFixed(2)} ${unit}`);

const verdictOf = ({ bound, met, aim, aimMet }) => {
  if (bound === undefined) return '';
  if (!met) return 'missed';
  return aim === undefined ? 'met' : `met, aim ${aimMet ? 'met' : 'missed'}`;
};
const boundOf = ({ bound, aim, unit }) => {
  if (bound === undefined) return '';
  return `≤ ${bound}${unit === 'ratio' ? '' : ` ${unit}`}${aim === undefined ? '' : ` (aim ${aim})`}`;
};
const msOf = ({ mediansMs }) =>
  Object.entries(mediansMs ?? {})
    .map(([side, ms]) => `${side} ${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)}`)
    .join(', ');
const nameOf = ({ name, against }) => (against === undefined ? name : `${name} / ${against}`);

export function renderText({ machine, figures, checks, notes, skipped, failed }) {
  const rows = figures.map((figure) => [
    nameOf(figure),
    shown(figure.value, figure.unit),
    boundOf(figure),
    verdictOf(figure),
    `${figure.quartiles.map((value) => value.toFixed(2)).join('–')} over ${figure.rounds}`,
    msOf(figure) === '' ? '' : `${msOf(figure)} ms`,
  ]);
  const lines = [
    `${machine.cores} cores, node ${machine.node}, QEMU ${machine.qemu}, ${machine.user} user`,
    ...busyNote(machine),
    ...align([['WHAT', 'MEDIAN', 'BOUND', '', 'QUARTILES', 'MEDIANS'], ...rows]),
    ...checks.map(
      ({ name, met, looks, detail }) => `${met ? 'yes' : 'NO'}  ${name}${met ? ` (${looks} times)` : `: ${detail}`}`,
    ),
    ...notes,
    ...skipped.map(({ name, why }) => `skipped: ${name}: ${why}`),
    ...failed.map(({ name, why }) => `could not be measured: ${name}: ${why}`),
    `${figures.filter(({ met }) => met === true).length} met, ${figures.filter(({ met }) => met === false).length} missed, ${skipped.length} skipped, ${failed.length} failed`,
  ];
  return `${lines.join('\n')}\n`;
}

/** With others on the processors the ratios say less: threads that would run beside each other take turns. */
const busyNote = ({ cores, loadBefore }) =>
  loadBefore > cores / 2
    ? [`the machine was busy before (load ${loadBefore}): expect higher figures than it would give idle`]
    : [];

function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

export function renderMarkdown({ machine, figures, checks, notes, skipped }) {
  return [
    `${machine.cores} cores, Node ${machine.node.slice(1)}, QEMU ${machine.qemu}, as an ordinary user, TCG; load before: ${machine.loadBefore}.`,
    '',
    '| what | against | median | quartiles | bound | | medians, ms |',
    '|---|---|---|---|---|---|---|',
    ...figures.map((figure) =>
      `| \`${figure.name}\` | ${figure.against ?? ''} | ${shown(figure.value, figure.unit)} | ${figure.quartiles.map((value) => value.toFixed(2)).join('–')} (${figure.rounds}) | ${boundOf(figure)} | ${verdictOf(figure)} | ${msOf(figure)} |`.replaceAll(
        '|  |',
        '| |',
      ),
    ),
    '',
    ...checks.map(
      ({ name, met, looks }) => `- ${name}: ${met ? 'yes' : '**no**'}${looks > 1 ? `, each of ${looks} times` : ''}`,
    ),
    ...notes.map((note) => `- ${note}`),
    ...skipped.map(({ name, why }) => `- skipped: ${name}: ${why}`),
  ].join('\n');
}
