/**
 * YAML text → plain values, with the place of each. YAML 1.2's core schema only, and only what a person writes on purpose: no anchors, aliases,
 * merge keys, tags of anybody's own, other versions of YAML, or second documents. The text is taken as hostile.
 */
import {
  Composer,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type CST,
  type Document,
  type ErrorCode,
  type Pair,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { truncated } from './words.ts';

export type DocumentPath = readonly (string | number)[];

/** A fault as it is found, before it is known which line that is. */
export interface PathFault {
  readonly path: DocumentPath;
  /** The caret goes under the last key of the path, or under its value. */
  readonly at: 'key' | 'value';
  readonly message: string;
}

/** A fault with its offsets in the text. */
export interface PlacedFault {
  readonly start: number;
  readonly end: number;
  readonly path: DocumentPath;
  readonly message: string;
}

export interface YamlDocument {
  /** Maps are objects without a prototype. */
  readonly value: unknown;
  readonly faults: readonly PlacedFault[];
  /** Paths whose value could not be read: what is said about them was said. */
  readonly spoiled: readonly DocumentPath[];
  readonly place: (fault: PathFault) => PlacedFault;
  readonly lineOf: (offset: number) => { readonly line: number; readonly column: number };
}

const maxBytes = 256 * 1024;
/** Profiles are five deep. The composer recurses, and V8 dies in a regular expression when the stack is nearly used up. */
const maxDepth = 40;

/** `what` such a text is, for messages. */
export function parseYaml(text: string, what = 'profile'): YamlDocument {
  const lines = new LineCounter();
  lines.addNewLine(0);
  const lineOf = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const fails = (faults: readonly PlacedFault[]): YamlDocument => ({
    value: undefined,
    faults,
    spoiled: [[]],
    place: (fault) => ({ start: 0, end: 1, path: fault.path, message: fault.message }),
    lineOf,
  });
  const unfit = faultOfText(text, what);
  if (unfit !== undefined) return fails([unfit]);
  const tokens = parseTokens(text, lines);
  if (!Array.isArray(tokens)) return fails([tokens]);
  const documents = composeDocuments(tokens, text.length);
  const broken = faultsOfSyntax(documents, what);
  const root = documents[0]?.contents;
  if (broken.length > 0 || !root) return fails(broken.length > 0 ? broken : [documentFault(0, 'the file is empty')]);
  const reader = new NodeReader(lineOf);
  const value = reader.read(root, []);
  const find = placesOf(root);
  const place = (fault: PathFault): PlacedFault => ({
    ...find(fault),
    path: fault.path,
    message: fault.message,
  });
  return { value, faults: reader.faults, spoiled: reader.spoiled, place, lineOf };
}

const documentFault = (start: number, message: string, end = start + 1): PlacedFault => ({
  start,
  end,
  path: [],
  message,
});

function faultOfText(text: string, what: string): PlacedFault | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    return documentFault(0, `the file has ${bytes} bytes: more than ${maxBytes} is no ${what}`);
  }
  const undecoded = text.indexOf('\ufffd');
  return undecoded < 0 ? undefined : documentFault(undecoded, 'this is not UTF-8 text');
}

/** The concrete syntax, made without recursion, or why it is too much. */
function parseTokens(text: string, lines: LineCounter): CST.Token[] | PlacedFault {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  let [depth, offset] = [0, 0];
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === '[' || lexeme === '{') depth++;
    else if (lexeme === ']' || lexeme === '}') depth = Math.max(0, depth - 1);
    if (depth > maxDepth) return documentFault(offset, `nested more than ${maxDepth} deep`);
    for (const token of parser.next(lexeme)) tokens.push(token);
    offset += isMark(lexeme) ? 0 : lexeme.length;
  }
  for (const token of parser.end()) tokens.push(token);
  return tooDeep(tokens) ?? tokens;
}

/** The lexer's own signs (byte order mark, document, flow error, scalar) that stand for nothing in the text. */
const isMark = (lexeme: string): boolean => lexeme.length === 1 && '\u0002\u0018\u001f'.includes(lexeme);

function tooDeep(tokens: readonly CST.Token[]): PlacedFault | undefined {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > maxDepth) return documentFault(token.offset, `nested more than ${maxDepth} deep`);
    if (token.type === 'document' && token.value) open.push({ token: token.value, depth });
    if (!('items' in token)) continue;
    for (const item of token.items) {
      if (item.key) open.push({ token: item.key, depth: depth + 1 });
      if (item.value) open.push({ token: item.value, depth: depth + 1 });
    }
  }
  return undefined;
}

function composeDocuments(tokens: readonly CST.Token[], end: number): Document.Parsed[] {
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    // the comparison of the library's is quadratic and forgets the first line
    uniqueKeys: false,
    strict: true,
  });
  return [...composer.compose(tokens, true, end)] as Document.Parsed[];
}

function faultsOfSyntax(documents: readonly Document.Parsed[], what: string): PlacedFault[] {
  const [document, second] = documents;
  if (document === undefined) return [];
  const { errors, warnings, directives } = document;
  const faults = [...errors, ...warnings].map(({ pos, code, message }) =>
    documentFault(pos[0], sentence(code, message), Math.max(pos[1], pos[0] + 1)),
  );
  if (directives.yaml.explicit === true && directives.yaml.version !== '1.2') {
    faults.push(documentFault(0, `YAML ${directives.yaml.version} is not taken: a ${what} is YAML 1.2`));
  }
  if (second !== undefined)
    faults.push(documentFault(second.range[0], `a second document: a ${what} is one`, second.range[0] + 3));
  const sorted = faults.toSorted((a, b) => a.start - b.start);
  // one mistake makes several errors of the library's in one place: the first says most
  return sorted.filter(({ start }, index) => start !== sorted[index - 1]?.start);
}

const sentences: Readonly<Partial<Record<ErrorCode, string>>> = {
  BLOCK_AS_IMPLICIT_KEY: 'a value and keys below it: quote the value, or mend the indentation of the next line',
  MULTILINE_IMPLICIT_KEY: 'a key and its colon stand on one line: is a colon missing, or is the indentation wrong?',
  TAB_AS_INDENT: 'a tab: YAML is indented with blanks',
};

function sentence(code: ErrorCode, message: string): string {
  const [first = ''] = message.split('\n');
  const tag = /^Unresolved tag: (.*)$/.exec(first);
  if (tag !== null) return `unknown tag ${truncated(tag[1] ?? '')}: values are written without tags`;
  return sentences[code] ?? `this is no YAML: ${first.charAt(0).toLowerCase()}${first.slice(1, 200)}`;
}

// a line break in a value would become a line of somebody's configuration; bidirectional marks make a value look like another
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

class NodeReader {
  readonly faults: PlacedFault[] = [];
  readonly spoiled: DocumentPath[] = [];
  readonly #lineOf: YamlDocument['lineOf'];

  constructor(lineOf: YamlDocument['lineOf']) {
    this.#lineOf = lineOf;
  }

  read(node: ParsedNode | null, path: DocumentPath): unknown {
    if (node === null) return null;
    if (isAlias(node)) return this.#refuse(node, path, `the alias *${truncated(node.source)}: write the value out`);
    if (node.anchor !== undefined) {
      return this.#refuse(node, path, `the anchor &${truncated(node.anchor)}: anchors and aliases are not taken`);
    }
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return this.#readList(node, path);
    return isScalar(node) ? this.#readScalar(node, path) : null;
  }

  #readList(list: YAMLSeq, path: DocumentPath): unknown[] {
    return list.items.map((item, index) => {
      // `[a: 1]` is a list of one map in YAML; the library has a pair there only for tags that are refused
      return this.read(isPair(item) ? null : (item as ParsedNode), [...path, index]);
    });
  }

  #readMap(map: YAMLMap, path: DocumentPath): Record<string, unknown> {
    const value = Object.create(null) as Record<string, unknown>;
    const seen = new Map<string, number>();
    for (const pair of map.items) {
      const keyNode = pair.key as ParsedNode | null;
      const key = this.#readKey(keyNode, path);
      if (key === undefined || keyNode === null) continue;
      const first = seen.get(key);
      if (first !== undefined) {
        const { line } = this.#lineOf(first);
        this.#fault(keyNode, [...path, key], `duplicate key ${truncated(key)}: it stands on line ${line} already`);
        continue;
      }
      seen.set(key, keyNode.range[0]);
      value[key] = this.read(pair.value as ParsedNode | null, [...path, key]);
    }
    return value;
  }

  #readKey(node: ParsedNode | null, path: DocumentPath): string | undefined {
    if (node === null || !isScalar(node) || node.anchor !== undefined || node.value === null) {
      if (node !== null) this.#fault(node, path, 'a key is a word');
      return undefined;
    }
    const key = typeof node.value === 'string' ? node.value : (node.source ?? JSON.stringify(node.value));
    if (key === '<<') {
      this.#fault(node, [...path, key], 'merge keys (<<) are not taken: write the keys out');
      return undefined;
    }
    return key;
  }

  #readScalar(node: Scalar.Parsed, path: DocumentPath): unknown {
    const { value } = node;
    if (typeof value === 'number' && /^[-+]?0[0-9]/.test(node.source)) {
      return this.#refuse(
        node,
        path,
        `${truncated(node.source, 40, false)} begins with a zero, which some read as octal: drop the zero, or quote it if it is text`,
      );
    }
    if (typeof value !== 'string') return value;
    const found = unprintable.exec(value)?.[0];
    if (found === undefined) return value;
    const breaks = found === '\n' && (node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL');
    const what = breaks
      ? 'this text has line breaks: write it on one line, or with ">-"'
      : `a control character (${codeOf(found)}) in a value`;
    return this.#refuse(node, path, what);
  }

  #refuse(node: ParsedNode, path: DocumentPath, message: string): undefined {
    this.spoiled.push(path);
    this.#fault(node, path, message);
    return undefined;
  }

  #fault(node: ParsedNode, path: DocumentPath, message: string): void {
    this.faults.push({ start: node.range[0], end: node.range[1], path, message });
  }
}

const codeOf = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** Finds the place of a path; where it ends early (a key that is missing), that of the last map or list that is there. */
function placesOf(root: ParsedNode): (fault: PathFault) => { readonly start: number; readonly end: number } {
  const indexes = new Map<YAMLMap, ReadonlyMap<string, Pair>>();
  const pairOf = (map: YAMLMap, step: string | number): Pair | undefined => {
    const index = indexes.get(map) ?? indexOf(map);
    indexes.set(map, index);
    return index.get(String(step));
  };
  return ({ path, at }) => {
    let place = root;
    for (const [depth, step] of path.entries()) {
      const pair = isMap(place) ? pairOf(place, step) : undefined;
      const next = isSeq(place) ? place.items[Number(step)] : pair?.value;
      if (pair !== undefined && ((at === 'key' && depth === path.length - 1) || !next)) {
        place = pair.key as ParsedNode;
        break;
      }
      if (!next || isPair(next)) break;
      place = next as ParsedNode;
    }
    return { start: place.range[0], end: place.range[1] };
  };
}

/** The first of several equal keys is the one that counts. */
function indexOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  return new Map(map.items.toReversed().flatMap((pair) => (isScalar(pair.key) ? [[keyText(pair.key), pair]] : [])));
}

const keyText = (key: Scalar): string =>
  typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
