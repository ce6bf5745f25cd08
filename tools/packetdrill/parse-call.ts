/** Socket calls and the expressions in them. */
import type { Expr, SocketCall } from './ast.js';
import { integerOf, type Lexer } from './lexer.js';

/** After the name of the call: `(args) = result [ERRNO (note)] [(note)]`. */
export function parseCall(lexer: Lexer, name: string, line: number): SocketCall {
  lexer.expect('(');
  const args: Expr[] = [];
  while (!lexer.accept(')')) {
    if (args.length > 0) lexer.expect(',');
    args.push(parseExpression(lexer));
  }
  lexer.expect('=');
  const { line: resultLine } = lexer.peek();
  const result = parseResult(lexer);
  let errno: SocketCall['errno'] = null;
  const { kind, text, line: where } = lexer.peek();
  // A word in the next line is the next event.
  if (kind === 'word' && where === resultLine) {
    lexer.next();
    errno = { name: text, note: parseNote(lexer) };
  }
  return { line, name, args, result, errno, note: errno === null ? parseNote(lexer) : errno.note };
}

/** What follows may be `+0 ...` or `< ...` of the next event: of the operators only `|` joins here. */
function parseResult(lexer: Lexer): Expr {
  let left = parseTerm(lexer);
  while (lexer.accept('|')) left = { kind: 'binary', operator: '|', left, right: parseTerm(lexer) };
  return left;
}

function parseNote(lexer: Lexer): string | null {
  const { kind, text } = lexer.peek();
  if (kind !== 'char' || text !== '(') return null;
  lexer.next();
  return lexer.rawUntil(')');
}

export function parseExpression(lexer: Lexer): Expr {
  let left = parseTerm(lexer);
  for (;;) {
    const operator = parseOperator(lexer);
    if (operator === null) return left;
    left = { kind: 'binary', operator, left, right: parseTerm(lexer) };
  }
}

function parseOperator(lexer: Lexer): '|' | '<<' | '+' | '-' | null {
  if (lexer.accept('|')) return '|';
  if (lexer.accept('+')) return '+';
  if (lexer.accept('-')) return '-';
  if (!lexer.accept('<')) return null;
  lexer.expect('<');
  return '<<';
}

function parseTerm(lexer: Lexer): Expr {
  const token = lexer.next();
  switch (token.kind) {
    case 'ellipsis':
      return { kind: 'ellipsis' };
    case 'integer':
    case 'hex':
      return { kind: 'integer', value: integerOf(token) };
    case 'string':
      return parseString(lexer, token.text);
    case 'word':
      return parseNamed(lexer, token.text);
    case 'char':
      if (token.text === '[') return { kind: 'list', items: parseItems(lexer, ']') };
      if (token.text === '{') return parseStruct(lexer);
      if (token.text === '(') {
        const inner = parseExpression(lexer);
        lexer.expect(')');
        return inner;
      }
  }
  throw lexer.error('a value expected', token);
}

/** Strings side by side are one; `...` after a string means that more may follow. */
function parseString(lexer: Lexer, first: string): Expr {
  const parts = [unescape(first)];
  while (lexer.peek().kind === 'string') parts.push(unescape(lexer.next().text));
  lexer.accept('...');
  return { kind: 'string', value: Buffer.concat(parts) };
}

/** NAME, NAME(args), or NAME = value, which is a structure of one field. */
function parseNamed(lexer: Lexer, name: string): Expr {
  if (lexer.accept('(')) return { kind: 'call', name, args: parseItems(lexer, ')') };
  if (lexer.accept('=')) return { kind: 'struct', fields: [[name, parseExpression(lexer)]] };
  return { kind: 'symbol', name };
}

function parseItems(lexer: Lexer, close: string): Expr[] {
  const items: Expr[] = [];
  while (!lexer.accept(close)) {
    if (items.length > 0) lexer.expect(',');
    items.push(parseExpression(lexer));
  }
  return items;
}

/** Fields are `name = value`, `name: value`, `name(...) = value` (as in msghdr), or a bare value. */
function parseStruct(lexer: Lexer): Expr {
  const fields: (readonly [string, Expr])[] = [];
  while (!lexer.accept('}')) {
    if (fields.length > 0) lexer.expect(',');
    const named = lexer.peek().kind === 'word';
    const value = parseExpression(lexer);
    if (named && value.kind === 'struct') {
      fields.push(value.fields[0]!);
    } else if (value.kind === 'symbol' && lexer.accept(':')) {
      fields.push([value.name, parseExpression(lexer)]);
    } else if (value.kind === 'call' && lexer.accept('=')) {
      fields.push([value.name, parseExpression(lexer)]);
    } else fields.push(['', value]);
  }
  return { kind: 'struct', fields };
}

const ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  f: 12,
  b: 8,
  a: 7,
};

/** C's escapes. */
export function unescape(text: string): Buffer {
  const source = Buffer.from(text, 'utf8').toString('latin1');
  const plain = source.replace(
    /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([^]))/g,
    (_, hex?: string, octal?: string, other?: string) => {
      if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8) & 255);
      const code = ESCAPES[other ?? ''];
      return code === undefined ? (other ?? '') : String.fromCharCode(code);
    },
  );
  return Buffer.from(plain, 'latin1');
}
