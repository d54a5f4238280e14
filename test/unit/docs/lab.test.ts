/** docs/lab.md against the schema of labs. */
import { expect, test } from 'vitest';
import { read } from './repository.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

test('its keys are those of the schema', () => {
  const lab = JSON.parse(read('schema/lab.schema.json')) as Schema;
  const inList = lab.properties?.['vms']?.anyOf?.find(({ items }) => items !== undefined)?.items?.anyOf ?? [];
  const keys = [lab, ...inList].flatMap(({ properties }) => Object.keys(properties ?? {}));
  expect(keys.length).toBeGreaterThan(8);
  const documented = [...read('docs/lab.md').matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1] ?? '');
  expect(documented.filter((word) => word !== 'end').toSorted()).toEqual(keys.toSorted());
});
