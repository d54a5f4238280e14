import { describe, expect, test } from 'vitest';
import { isLab } from '../../../src/lab/parse.ts';
import { directory, labOf, saidOf } from './lab-text.ts';

const names = (text: string): string[] => labOf(text).vms.map(({ name }) => name);

describe('a lab', () => {
  test('is a map of VMs, each with the profile of its name unless it says another', () => {
    const lab = labOf(`
description: web and its database
networks: [lab, nets/dmz.yaml]
vms:
  db: { wait: port:5432, timeout: 60 }
  web1: { profile: web.yaml, after: [db] }
  web2: { profile: ../web.yaml, after: { db: "text:ready" }, ephemeral: true, args: [-snapshot] }
  web3: { profile: web, after: { db: } }
  job:
  small: tiny.yaml
`);
    expect(lab).toEqual({
      file: `${directory}/lab.yaml`,
      description: 'web and its database',
      networks: [
        { name: 'lab', definition: 'lab' },
        { name: 'dmz', definition: `${directory}/nets/dmz.yaml` },
      ],
      vms: [
        {
          name: 'db',
          profile: 'db',
          after: [],
          wait: { written: 'port:5432', what: { what: 'port', port: 5432 } },
          timeoutS: 60,
          args: [],
          file: `${directory}/lab.yaml`,
          at: 'lab.yaml:5',
        },
        {
          name: 'web1',
          profile: `${directory}/web.yaml`,
          after: [{ vm: 'db' }],
          args: [],
          file: `${directory}/lab.yaml`,
          at: 'lab.yaml:6',
        },
        {
          name: 'web2',
          profile: '/srv/web.yaml',
          after: [{ vm: 'db', wait: { written: 'text:ready', what: { what: 'text', pattern: /ready/u } } }],
          ephemeral: true,
          args: ['-snapshot'],
          file: `${directory}/lab.yaml`,
          at: 'lab.yaml:7',
        },
        {
          name: 'web3',
          profile: 'web',
          after: [{ vm: 'db' }],
          args: [],
          file: `${directory}/lab.yaml`,
          at: 'lab.yaml:8',
        },
        { name: 'job', profile: 'job', after: [], args: [], file: `${directory}/lab.yaml`, at: 'lab.yaml:9' },
        {
          name: 'small',
          profile: `${directory}/tiny.yaml`,
          after: [],
          args: [],
          file: `${directory}/lab.yaml`,
          at: 'lab.yaml:10',
        },
      ],
    });
  });

  test('may be a list of VMs, where a profile gives the name', () => {
    const lab = labOf(`vms:
  - db
  - ./front.yaml
  - { profile: web.yaml }
  - { name: web2, profile: web.yaml, after: db, wait: "text:login: ", timeout: 5 }
`);
    expect(lab.vms.map(({ name, profile }) => [name, profile])).toEqual([
      ['db', 'db'],
      ['front', `${directory}/front.yaml`],
      ['web', `${directory}/web.yaml`],
      ['web2', `${directory}/web.yaml`],
    ]);
    expect(lab.vms[3]).toMatchObject({ after: [{ vm: 'db' }], timeoutS: 5, wait: { written: 'text:login: ' } });
  });

  test('may be networks alone', () => {
    expect(labOf('networks: [lab]')).toEqual({
      file: `${directory}/lab.yaml`,
      networks: [{ name: 'lab', definition: 'lab' }],
      vms: [],
    });
  });

  test('waits for the end, for a port, or for a text by a pattern', () => {
    const wait = (written: string) => labOf(`vms: { a: { wait: ${JSON.stringify(written)} } }`).vms[0]?.wait?.what;
    expect(wait('end')).toEqual({ what: 'end' });
    expect(wait('port:65535')).toEqual({ what: 'port', port: 65_535 });
    expect(wait('text:^a+b$')).toEqual({ what: 'text', pattern: /^a+b$/u });
  });

  test('names of Object’s own are names like others', () => {
    expect(names('vms: { constructor: , toString: { after: constructor } }')).toEqual(['constructor', 'toString']);
  });

  test('is told from a profile by its keys, also when they are misspelt', () => {
    expect(isLab('vms: { a: }')).toBe(true);
    expect(isLab('{ networks: [lab] }')).toBe(true);
    expect(isLab('vm: { a: }')).toBe(true);
    expect(isLab('memory: 1G')).toBe(false);
    expect(isLab('description: "vms: none"')).toBe(false);
    expect(isLab('{}')).toBe(false);
    expect(isLab('vms: [')).toBe(false);
    expect(isLab('')).toBe(false);
  });
});

describe('faults of a lab', () => {
  test.each([
    ['vm: { a: }', ['1:1 vm: unknown key "vm", did you mean "vms"?']],
    ['vms: { a: { prfile: x } }', ['1:13 vms.a.prfile: unknown key "prfile", did you mean "profile"?']],
    ['vms: 3', ['1:6 vms: a map of names or a list is needed, not the number 3']],
    ['vms:', ['1:5 vms: a map of names or a list is needed, not nothing']],
    ['vms: { a: 3 }', ['1:11 vms.a: a profile, a map or nothing is needed, not the number 3']],
    ['vms: [[a]]', ['1:7 vms[0]: a profile or a map is needed, not a list']],
    ['vms: [{ after: a }, a]', ['1:7 vms[0]: the key "name" is missing, or "profile", which gives one']],
    ['{}', ['1:1 : a lab has at least one VM (below "vms") or one network']],
    ['vms: {}', ['1:1 : a lab has at least one VM (below "vms") or one network']],
    [
      'vms: { a b: }',
      ['1:8 vms["a b"]: "a b" is no name of a VM: 1 to 40 letters, digits, "_", "." or "-", first a letter or digit'],
    ],
    ['vms: [{ name: "-x" }]', ['1:15 vms[0].name: "-x" is no name of a VM']],
    ['vms: [../we b.yaml]', [expect.stringContaining('1:7 vms[0]: "we b" is no name of a VM')]],
    ['vms: { a: we b }', ['1:11 vms.a: "we b" is neither the name of a profile nor a path that ends in .yaml']],
    ['vms: { a: { profile: nbd:x/y } }', [expect.stringContaining('1:22 vms.a.profile: "nbd:x/y" names a protocol')]],
    ['vms: { a: { wait: soon } }', ['1:19 vms.a.wait: "soon" is not one of end, port:NUMBER, text:REGEX']],
    ['vms: { a: { wait: port:0 } }', ['1:19 vms.a.wait: "port:0" is not one of end, port:NUMBER, text:REGEX']],
    ['vms: { a: { wait: "text:(" } }', [expect.stringContaining('1:19 vms.a.wait: "text:(": ')]],
    ['vms: { a: { wait: 22 } }', [expect.stringContaining('1:19 vms.a.wait: a text is needed, not the number 22')]],
    [
      'vms: { a: , b: { after: { a: never } } }',
      ['1:30 vms.b.after.a: "never" is not one of end, port:NUMBER, text:REGEX'],
    ],
    ['vms: { a: { after: 3 } }', [expect.stringContaining('a text, a list or a map is needed, not the number 3')]],
    [
      'vms: { a: , b: { after: { a: 3 } } }',
      [expect.stringContaining('a text or nothing is needed, not the number 3')],
    ],
    ['vms: { a: { timeout: 0, wait: end } }', ['1:22 vms.a.timeout: 0 is too small: at least 1']],
    [
      'vms: { a: { timeout: 9 } }',
      ['1:13 vms.a.timeout: a timeout of nothing: nobody waits for more than its start; say for what with "wait"'],
    ],
    [
      'vms: { data: , web: { after: dta } }',
      ['1:30 vms.web.after: no VM of this lab is called "dta", did you mean "data"?'],
    ],
    [
      'vms: { db: , web: { after: [db, x] } }',
      ['1:33 vms.web.after[1]: no VM of this lab is called "x": there are db and web'],
    ],
    [
      'vms: { db: , web: { after: { x: end } } }',
      ['1:30 vms.web.after.x: no VM of this lab is called "x": there are db and web'],
    ],
    [
      'vms: { db: , web: { after: { __proto__: end } } }',
      [expect.stringContaining('1:30 vms.web.after.__proto__: no VM')],
    ],
    ['vms: { __proto__: }', [expect.stringContaining('1:8 vms.__proto__: "__proto__" is no name of a VM')]],
    ['vms: { a: , b: { after: [a, a] } }', ['1:29 vms.b.after[1]: "a" stands here twice']],
    ['vms: { a: { after: a } }', ['1:20 vms.a.after: "a" cannot come after itself']],
    ['vms: [a, b, a]', ['1:13 vms[2]: a second VM of the name "a": the first stands on line 1']],
    ['vms: [x.yaml, ./d/x.yaml]', ['1:15 vms[1]: a second VM of the name "x": the first stands on line 1']],
    ['networks: [lab, lab]', ['1:17 networks[1]: the network "lab" stands here twice']],
    [
      'networks: [lab, "a b"]',
      ['1:17 networks[1]: "a b" is neither the name of a network nor a path that ends in .yaml'],
    ],
    ['networks: lab', ['1:11 networks: a list is needed, not the text "lab"']],
    ['vms: { a: &x }', [expect.stringContaining('anchor')]],
  ])('%s', (text, said) => {
    expect(saidOf(text)).toEqual(said);
  });

  test('a cycle of `after` is named from end to end', () => {
    expect(saidOf('vms:\n  a: { after: b }\n  b: { after: [c, d] }\n  c: { after: { a: end } }\n  d:\n')).toEqual([
      '2:8 vms.a.after: a → b → c → a: each comes after the next, so none of them can be the first',
    ]);
    expect(saidOf('vms:\n  x: { after: a }\n  a: { after: b }\n  b: { after: a }\n')).toEqual([
      '3:8 vms.a.after: a → b → a: each comes after the next, so none of them can be the first',
    ]);
  });

  test('all of them are told at once, in their order', () => {
    expect(
      saidOf(`netwrks: []
vms:
  - { name: db, wait: port:x }
  - { name: db }
  - { name: web, after: [bd, db], tiemout: 3 }
`),
    ).toEqual([
      '1:1 netwrks: unknown key "netwrks", did you mean "networks"?',
      '3:23 vms[0].wait: "port:x" is not one of end, port:NUMBER, text:REGEX',
      '4:5 vms[1]: a second VM of the name "db": the first stands on line 3',
      '5:26 vms[2].after[0]: no VM of this lab is called "bd": there are db and web',
      '5:35 vms[2].tiemout: unknown key "tiemout", did you mean "timeout"?',
    ]);
  });

  test('a faulty VM is known by its name all the same', () => {
    expect(saidOf('vms: [{ name: db, wait: 3 }, { name: web, after: db }]')).toHaveLength(1);
    expect(saidOf('vms: { db: 3, web: { after: db } }')).toHaveLength(1);
  });

  test('five hundred VMs are the most', () => {
    const many = (count: number): string =>
      `vms: [${Array.from({ length: count }, (_, index) => `v${index}`).join(', ')}]`;
    expect(names(many(500))).toHaveLength(500);
    expect(saidOf(many(501))).toEqual(['1:6 vms: 501 VMs are too many: at most 500']);
  });
});
