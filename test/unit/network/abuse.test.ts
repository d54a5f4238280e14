/** Hostile and careless definitions: the list of abuses, by number. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { errorOf, networkOf, saidOf } from './network-text.ts';
import { runs } from '../quick.ts';

describe('ABUSE 13: what YAML takes for something else is never taken for a number', () => {
  test.for<[string, string, string]>([
    ['dhcp: { hosts: [{ mac: 12:34:56, ip: 10.0.0.9 }] }', 'dhcp.hosts[0].mac', 'six pairs of hex digits'],
    ['dhcp: { hosts: [{ mac: 525400112233, ip: 10.0.0.9 }] }', 'dhcp.hosts[0].mac', 'a text is needed, not the number'],
    ['mtu: 01500', 'mtu', 'begins with a zero'],
    ['mtu: "1500"', 'mtu', 'remove the quotes'],
    ['ports: 010', 'ports', 'begins with a zero'],
    ['hostDns: no', 'hostDns', 'write false'],
    ['forward: no', 'forward', '"no" is not one of'],
    ['dhcp: no', 'dhcp', 'write false'],
    ['dns: { domain: 1e3 }', 'dns.domain', 'a text is needed, not the number 1000'],
    ['forwards: [8080]', 'forwards[0]', 'a text is needed'],
    ['addresses: [10.0]', 'addresses[0]', 'a text is needed'],
    ['owner: 1000', 'owner', 'quote it, "1000"'],
    ['dhcp: { options: [{ option: 42, value: 1 }] }', 'dhcp.options[0].value', 'quote it, "1"'],
    ['nat: { ports: 1024 }', 'nat.ports', 'a text is needed'],
  ])('%s', ([text, path, part]) => {
    const said = saidOf(`scope: system\n${/addresses/.test(text) ? '' : 'addresses: [10.0.0.1/24]'}\n${text}`);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(` ${path}: `);
    expect(said[0]).toContain(part);
  });
});

describe('ABUSE 15: an unknown key is a fault with a suggestion', () => {
  test.for<[string, string]>([
    ['hostfw: []', 'unknown key "hostfw", did you mean "forwards"?'],
    ['hostfwd: []', 'did you mean "forwards"?'],
    ['forwrd: nat', 'did you mean "forward"?'],
    ['dhcp: { rnages: [] }', 'did you mean "ranges"?'],
    ['__proto__: { forward: nat }', 'unknown key "__proto__"'],
    ['constructor: x', 'unknown key "constructor"'],
  ])('%s', ([text, part]) => expect(saidOf(text).join('\n')).toContain(part));
});

describe('ABUSE 36: nothing gets into a configuration that could be more than a value there', () => {
  const hostile = [
    'a\\n dhcp-script=/x',
    'a\\r',
    'a\\0',
    'a b',
    'a,b',
    'a#b',
    'a/b',
    'a"b',
    "a'b",
    '$(id)',
    '`id`',
    '\\u2028',
    'ä',
  ];
  const fields: readonly [string, (value: string) => string][] = [
    ['dns.domain', (value) => `dns: { domain: "${value}" }`],
    ['dns.search', (value) => `dns: { search: ["${value}"] }`],
    ['dns.hosts', (value) => `dns: { hosts: [{ ip: 10.0.0.9, names: ["${value}"] }] }`],
    ['dhcp.hosts', (value) => `dhcp: { hosts: [{ vm: a, ip: 10.0.0.9, name: "${value}" }] }`],
    ['dhcp.hosts', (value) => `dhcp: { hosts: [{ vm: "${value}", ip: 10.0.0.9 }] }`],
    ['dhcp.options', (value) => `dhcp: { options: [{ option: "${value}", value: x }] }`],
    ['dns.records', (value) => `dns: { records: { txt: [{ name: "${value}", text: x }] } }`],
    ['dns.records', (value) => `dns: { records: { srv: [{ name: a, target: "${value}", port: 1 }] } }`],
    ['owner', (value) => `owner: "${value}"`],
    ['bridge', (value) => `bridge: { name: "${value}" }`],
    ['forwards', (value) => `forwards: ["8080:${value}:80"]`],
  ];
  const cases = fields.flatMap(([path, write]) =>
    hostile.map((value) => [path, write(value.replaceAll('"', '\\"'))] as const),
  );
  // an interface of the kernel's may be called so, and a VM be somebody's: the one is never written unquoted, the other is a name all the same
  const fine = cases.filter(
    ([path, text]) =>
      !(path === 'bridge' && /a,b|a#b|a\\"b|a'b|\$\(id\)|`id`|ä/.test(text)) && !text.includes('vm: "a/b"'),
  );

  test.for(fine)('%s: %s', ([path, text]) => {
    const said = saidOf(`scope: system\naddresses: [10.0.0.1/24]\n${text}`);
    expect(said.length).toBeGreaterThan(0);
    expect(said.every((line) => line.includes(` ${path}`))).toBe(true);
    expect(said.join('')).not.toContain('\n dhcp-script');
  });

  test.for(['a\\nb', '\\"; x', 'a\\\\b', "'", '`id`', '$(id)', '#', 'ä', '\\x1b[2J'])('a text says %s', (value) => {
    const text = `scope: system\ndhcp: { options: [{ option: 17, value: "${value}" }] }\ndns: { records: { txt: [{ name: a, text: "${value}" }] } }`;
    expect(saidOf(text).map((line) => line.split(' ')[1])).toEqual([
      'dhcp.options[0].value:',
      'dns.records.txt[0].text:',
    ]);
  });

  test('any text is a definition or has faults in its lines, and throws nothing else', () => {
    const words = fc.constantFrom(
      ...[
        'forward',
        'nat',
        ': ',
        '\n',
        '  ',
        'dhcp',
        '{',
        '}',
        '[',
        ']',
        ', ',
        'ranges',
        '10.0.0.1/24',
        'addresses',
        '- ',
        '"',
      ],
      ...[
        'hosts',
        'vm',
        'ip',
        'forwards',
        '8080:a:80',
        '10.0.0.5-10.0.0.9',
        'true',
        '1500',
        'mtu',
        'scope',
        'user',
        '~',
      ],
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
        const text = parts.join('');
        const error = errorOf(text);
        if (error === undefined) expect(networkOf(text).name).toBe('lab');
        else for (const { line } of error.faults) expect(line).toBeLessThanOrEqual(text.split('\n').length);
      }),
      { numRuns: runs(150) },
    );
  });
});

describe('ABUSE 40: no network is everything, or nothing', () => {
  test.for<[string, string]>([
    ['0.0.0.0/0', 'is every address there is'],
    ['10.0.0.1/0', 'is every address there is'],
    ['"::/0"', 'is every address there is'],
    ['128.0.0.1/1', 'a prefix of 8 to 30'],
    ['10.0.0.1/33', 'no address with a prefix'],
  ])('%s', ([address, part]) => expect(saidOf(`addresses: [${address}]`)[0]).toContain(part));
});
