import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Places } from '../../../src/places.ts';
import { emptyRecord, recordFile, removeRecord } from '../../../src/setup/record.ts';

/** A STATE that setup made for its record, with what networks left in it. */
function aState() {
  const parent = mkdtempSync(path.join(os.tmpdir(), 'qrun-record-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const state = path.join(parent, 'qrun');
  const host = path.join(state, 'host');
  for (const name of ['ports', 'networks']) mkdirSync(path.join(host, name), { recursive: true });
  const places = { host } as Places;
  writeFileSync(recordFile(places), '{}');
  return { state, host, places };
}

test('its directories go, and with them those that networks left empty', () => {
  const { state, host, places } = aState();
  removeRecord(places, { ...emptyRecord, made: [state, host] });
  expect(existsSync(state)).toBe(false);
});

test('what networks still need stays', () => {
  const { host, places } = aState();
  writeFileSync(path.join(host, 'ports/lan0'), '');
  removeRecord(places, { ...emptyRecord, made: [path.dirname(host), host] });
  expect(existsSync(path.join(host, 'ports/lan0'))).toBe(true);
  expect(existsSync(recordFile(places))).toBe(false);
});

test('nothing that was there before setup goes', () => {
  const { host, places } = aState();
  removeRecord(places, emptyRecord);
  expect(existsSync(path.join(host, 'ports'))).toBe(true);
});
