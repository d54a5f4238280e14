/** The keys of a profile for the man page: the tables of docs/profile.md, which a test holds to the schema. */

/** `usual`: what it is when it is left out; undefined: nothing. @typedef {{ readonly key: string, readonly value: string, readonly usual: string | undefined, readonly meaning: string }} Key */
/** @typedef {{ readonly title: string, readonly about: string, readonly keys: readonly Key[] }} KeySection */

/** Marks of Markdown away; a link is its text. @param {string} text */
const withoutMarks = (text) =>
  text
    .replaceAll(/`([^`]*)`/g, '$1')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('\\|', '|');

/** @param {string} text @returns {KeySection[]} those that have a table of keys, in their order */
export function keySectionsOf(text) {
  return text
    .split(/^##+ /m)
    .slice(1)
    .map(sectionOf)
    .filter(({ keys }) => keys.length > 0);
}

/** @param {string} text from its heading on @returns {KeySection} */
function sectionOf(text) {
  const [heading = '', ...lines] = text.split('\n');
  const isKind = heading.startsWith('`');
  return {
    title: isKind ? `NIC of kind ${withoutMarks(heading)}` : heading,
    // where more is told is a page that man has not got
    about: isKind
      ? withoutMarks(lines.slice(1, lines.indexOf('', 1)).join(' ')).replace(/ \S+\.md tells more\./, '')
      : '',
    keys: lines.flatMap(keyOf),
  };
}

/** @param {string} line @returns {Key[]} */
function keyOf(line) {
  const [, first = '', value = '', usual = '', meaning = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
  const key = /^`([^`]+)`$/.exec(first)?.[1];
  if (key === undefined) return [];
  // `none` in marks is a value
  const without = usual === '' || usual === 'none' ? undefined : withoutMarks(usual);
  return [{ key, value: withoutMarks(value), usual: without, meaning: withoutMarks(meaning) }];
}
