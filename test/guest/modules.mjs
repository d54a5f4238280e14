/**
 * Kernel modules of an unpacked kernel package that has no modules.dep yet: what each depends on and which devices it serves, from its own
 * `.modinfo` section, whose strings stand in the file as `key=value\0`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The wanted modules and all that they depend on.
 * @returns {{name: string, file: string, data: Buffer, depends: string[], aliases: string[]}[]} by name
 */
export function readModules(directory, wanted) {
  const files = new Map(
    readdirSync(directory, { recursive: true })
      .filter((file) => file.endsWith('.ko'))
      .map((file) => [moduleName(file), path.join(directory, file)]),
  );
  const found = new Map();
  const add = (name) => {
    const file = files.get(name);
    // what is not there as a file is built in
    if (file === undefined || found.has(name)) return;
    const data = readFileSync(file);
    const depends = valuesOf(data, 'depends').flatMap((list) => list.split(',').filter(Boolean).map(moduleName));
    found.set(name, { name, file: path.relative(directory, file), data, depends, aliases: valuesOf(data, 'alias') });
    depends.forEach(add);
  };
  wanted.map(moduleName).forEach(add);
  return [...found.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** The kernel takes `-` and `_` in a module's name for the same. */
const moduleName = (file) => path.basename(file, '.ko').replaceAll('-', '_');

function valuesOf(data, key) {
  const mark = Buffer.from(`\0${key}=`);
  const values = [];
  for (let at = data.indexOf(mark); at !== -1; at = data.indexOf(mark, at + 1)) {
    const begin = at + mark.length;
    values.push(data.toString('latin1', begin, data.indexOf(0, begin)));
  }
  return values;
}

/** modules.dep as busybox modprobe reads it: `file: every module that must be there before`. */
export function renderDependencies(modules) {
  const byName = new Map(modules.map((module) => [module.name, module]));
  // post-order puts what is needed before what needs it; modprobe loads a line from its end
  const visit = (name, seen = new Set()) => {
    for (const depend of byName.get(name)?.depends ?? [])
      if (byName.has(depend) && !seen.has(depend)) visit(depend, seen).add(depend);
    return seen;
  };
  const closure = (name) => [...visit(name)].toReversed();
  const line = ({ name, file }) =>
    `${file}:${closure(name)
      .map((depend) => ` ${byName.get(depend).file}`)
      .join('')}`;
  return `${modules.map(line).join('\n')}\n`;
}

/** modules.alias: `alias PATTERN MODULE`. */
export function renderAliases(modules) {
  return modules.flatMap(({ name, aliases }) => aliases.map((alias) => `alias ${alias} ${name}\n`)).join('');
}
