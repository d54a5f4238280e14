/** What differs between two looks, part by part: `- before`, `+ after`. Nothing: ''. `but`: lines that may be there after, and not before. */
export function differences(before, after, but = []) {
  const [was, is] = [partsOf(before), partsOf(after)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .flatMap((part) => {
      const [had, has] = [was.get(part) ?? [], is.get(part) ?? []];
      const lines = [
        ...had.filter((line) => !has.includes(line)).map((line) => `- ${line}`),
        ...has.filter((line) => !had.includes(line) && !but.includes(line)).map((line) => `+ ${line}`),
      ];
      return lines.length === 0 ? [] : [`${part}:`, ...lines];
    })
    .join('\n');
}

/** @returns {Map<string, string[]>} */
function partsOf(text) {
  const parts = new Map();
  let rows = [];
  for (const line of text.split('\n')) {
    const [, name] = /^== (\w+)$/.exec(line) ?? [];
    if (name !== undefined) parts.set(name, (rows = []));
    else if (line !== '') rows.push(line);
  }
  return parts;
}
