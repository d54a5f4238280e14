import fc from 'fast-check';
import { expect, test } from 'vitest';
import { predictBridgeConf } from '../../../src/host/bridge-conf.ts';
import { addLine, endOf, hasLine, removeLine } from '../../../src/setup/line-edit.ts';
import { anyText } from '../any-text.ts';

const line = 'allow br0';
/** Files of bytes, and files of the lines that people write. */
const texts = fc.oneof(
  anyText({ maxLength: 60 }).map((text) => Buffer.from(text).toString('latin1')),
  fc
    .array(
      fc.constantFrom(
        '# br0',
        'allow virbr0',
        'deny br9',
        '',
        ' ',
        'allow\tbr0',
        'allow br0 # x',
        'include a',
        'allow br00',
        line,
      ),
      { maxLength: 8 },
    )
    .chain((lines) =>
      fc.constantFrom('\n', '\r\n').chain((end) => fc.constantFrom('', end).map((last) => lines.join(end) + last)),
    ),
);

test('61: what was there stays byte for byte, in its place', () => {
  fc.assert(fc.property(texts, (text) => addLine(text, line).startsWith(text)));
});

test('61: a second time changes nothing', () => {
  fc.assert(fc.property(texts, (text) => addLine(addLine(text, line), line) === addLine(text, line)));
});

test('61: taken out again the file is what it was', () => {
  fc.assert(
    fc.property(texts, (text) => {
      fc.pre(!hasLine(text, line));
      expect(removeLine(addLine(text, line), line, { before: endOf(text) })).toBe(text);
    }),
  );
  expect(removeLine(addLine('', line), line, { before: endOf(undefined) })).toBeUndefined();
});

test('61: lines that others added since stay when it is taken out', () => {
  fc.assert(
    fc.property(texts, texts, (text, more) => {
      fc.pre(!hasLine(text, line) && !hasLine(more, line));
      const removed = removeLine(addLine(text, line) + more, line, { before: endOf(text) });
      const whole = text + (endOf(text) === 'open-end' ? '\n' : '') + more;
      expect([whole, text]).toContain(removed);
      if (more !== '') expect(removed).toBe(whole);
    }),
  );
});

test('a line that must stand above parts of their own does, and is taken out from there again', () => {
  const above = ['interface', 'ssid'];
  const configuration = fc
    .array(
      fc.constantFrom(
        'hostname',
        '# interface',
        'interface eth0',
        ' ssid x',
        '  static routers=1',
        '',
        'interfaces',
        line,
      ),
      {
        maxLength: 6,
      },
    )
    .chain((lines) => fc.constantFrom('', '\n').map((last) => lines.join('\n') + last));
  fc.assert(
    fc.property(configuration, (text) => {
      fc.pre(!hasLine(text, line, above));
      const added = addLine(text, line, above);
      const lines = added.split('\n');
      const first = lines.findIndex((one) => /^\s*(interface|ssid)\b/.test(one));
      expect(lines.indexOf(line)).toBeLessThan(first < 0 ? lines.length : first);
      expect(addLine(added, line, above)).toBe(added);
      expect(removeLine(added, line, { before: endOf(text), above })).toBe(text);
    }),
  );
});

test('with the line in it the helper lets users on the bridge, unless the file spoils it', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const read = (): { text: string } => ({ text: addLine(text, line) });
      const options = { bridge: 'br0', file: '/etc/qemu/bridge.conf', cwd: '/' };
      const before = predictBridgeConf({ ...options, read: () => ({ text }) });
      fc.pre(before.verdict !== 'invalid' && (before.verdict !== 'denied' || before.rule === undefined));
      expect(predictBridgeConf({ ...options, read }).verdict).toBe('allowed');
    }),
  );
});

const together = 'interface br0\nmetric 100';

test('61: several lines are there when they stand together', () => {
  expect(hasLine(' interface  br0\r\n\tmetric 100\nx\n', together)).toBe(true);
  for (const text of ['interface br0\n', 'metric 100\ninterface br0\n', 'interface br0\n\nmetric 100\n'])
    expect(hasLine(text, together), text).toBe(false);
});

test('61: several lines, taken out again, leave the file as it was, and what others added since', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const before = endOf(text);
      const added = addLine(text, together);
      expect(hasLine(added, together)).toBe(true);
      expect(addLine(added, together)).toBe(added);
      expect(removeLine(added, together, { before })).toBe(text);
      const whole = `${text}${before === 'open-end' ? '\n' : ''}more\n`;
      expect(removeLine(`${added}more\n`, together, { before })).toBe(whole);
    }),
  );
});

test('61: one of several that somebody changed: the rest stays as well', () => {
  const text = 'interface br0\nmetric 50\n';
  expect(removeLine(text, together, { before: 'whole' })).toBe(text);
});
