/** Words of a script: the longest that fits, as the tool's own scanner takes them. */
import { ScriptError } from './socket-layer.js';

export type TokenKind =
  | 'word'
  | 'integer'
  | 'hex'
  | 'float'
  | 'string'
  | 'command'
  | 'code'
  | 'ipv4'
  | 'ipv6'
  | 'ellipsis'
  | 'char'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written; strings, commands and code without their delimiters. */
  readonly text: string;
  readonly line: number;
  /** Offset of the first character after the token. */
  readonly end: number;
}

export const integerOf = (token: Token): bigint =>
  token.text.startsWith('-') ? -BigInt(token.text.slice(1)) : BigInt(token.text);

const MAX_U64 = (1n << 64n) - 1n;

/** Values of --define by name. */
export type Defines = ReadonlyMap<string, string>;

export class Lexer {
  readonly #text: string;
  readonly #defines: Defines;
  #at: number;
  #line: number;
  #next: Token | null = null;
  /** End of the last token taken. */
  #taken = 0;

  /** Starts at `offset`, in line `line`. */
  constructor(text: string, defines: Defines, offset = 0, line = 1) {
    this.#text = text;
    this.#defines = defines;
    this.#at = offset;
    this.#line = line;
  }

  peek(): Token {
    return (this.#next ??= this.#scan());
  }

  next(): Token {
    const token = this.peek();
    this.#next = null;
    this.#taken = token.end;
    return token;
  }

  /** Takes the next token if it is this word or character. */
  accept(text: string): boolean {
    const { kind, text: found } = this.peek();
    if (found !== text || (kind !== 'word' && kind !== 'char' && kind !== 'ellipsis')) return false;
    this.next();
    return true;
  }

  expect(text: string): Token {
    const token = this.next();
    if (token.text !== text || token.kind === 'string') throw this.error(`${text} expected`, token);
    return token;
  }

  /** Decimal or hexadecimal. */
  integer(what: string, low: bigint | number = 0, high: bigint | number = MAX_U64): bigint {
    const token = this.next();
    if (token.kind !== 'integer' && token.kind !== 'hex') throw this.error(`${what} must be a number`, token);
    const value = integerOf(token);
    if (value < BigInt(low) || value > BigInt(high)) throw this.error(`${what} is out of range`, token);
    return value;
  }

  number(what: string, low: number, high: number): number {
    return Number(this.integer(what, low, high));
  }

  word(what: string): string {
    const token = this.next();
    if (token.kind !== 'word') throw this.error(`${what} expected`, token);
    return token.text;
  }

  error(message: string, token: Token = this.peek()): ScriptError {
    const found = token.kind === 'end' ? 'the end of the script' : token.text;
    return new ScriptError(`${message}, found ${found.slice(0, 40)}`, token.line);
  }

  /** The script from an offset to the end of the last token that was taken. */
  textSince(offset: number): string {
    return this.#text.slice(offset, this.#taken).replace(/\s+/g, ' ');
  }

  /** Everything up to `stop`, which is taken too; nothing may have been peeked at. Notes are free text. */
  rawUntil(stop: string): string {
    const to = this.#text.indexOf(stop, this.#at);
    if (to < 0) throw new ScriptError(`no ${stop} follows`, this.#line);
    const raw = this.#text.slice(this.#at, to);
    this.#token('end', '', raw.length + stop.length);
    return raw.trim();
  }

  #scan(): Token {
    this.#skip();
    const text = this.#text;
    if (this.#at >= text.length) return this.#token('end', '', 0);
    let best: TokenKind = 'char';
    let length = 1;
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = this.#at;
      const match = pattern.exec(text);
      if (match !== null && match[0].length > length - (best === 'char' ? 1 : 0)) {
        best = kind;
        length = match[0].length;
      }
    }
    const raw = text.slice(this.#at, this.#at + length);
    if (best === 'char' && (raw === '"' || raw === '`'))
      throw new ScriptError(`${raw} is not closed`, this.#line);
    const cut = DELIMITERS[best] ?? 0;
    const inner = raw.slice(cut, raw.length - cut);
    return best === 'word' ? this.#word(inner, length) : this.#token(best, inner, length);
  }

  #token(kind: TokenKind, text: string, length: number): Token {
    const line = this.#line;
    for (let i = this.#at; i < this.#at + length; i++) if (this.#text[i] === '\n') this.#line++;
    this.#at += length;
    return { kind, text, line, end: this.#at };
  }

  /** A word that -D defines counts as what it is defined to be. */
  #word(word: string, length: number): Token {
    const value = this.#defines.get(word);
    if (value === undefined) return this.#token('word', word, length);
    const quote = value[0];
    if (quote === '"' || quote === '`') {
      return this.#token(quote === '"' ? 'string' : 'command', value.slice(1, -1), length);
    }
    if (/^-?\d+$/.test(value)) return this.#token('integer', value, length);
    return this.#token(/^0x[0-9a-f]+$/i.test(value) ? 'hex' : 'word', value, length);
  }

  /** Blanks and comments. # begins one behind a blank only: elsewhere it is part of `sequence#`. */
  #skip(): void {
    for (;;) {
      SPACE.lastIndex = this.#at;
      const match = SPACE.exec(this.#text);
      if (match !== null) {
        this.#token('end', '', match[0].length);
        continue;
      }
      if (this.#text[this.#at] !== '#' || /\S/.test(this.#text[this.#at - 1] ?? ' ')) return;
      const end = this.#text.indexOf('\n', this.#at);
      this.#at = end < 0 ? this.#text.length : end;
    }
  }
}

const SPACE = /\s+|\/\/[^\n]*|\/\*[^]*?\*\//y;

const GROUP = '[0-9a-fA-F]{1,4}';
const DOTTED = '\\d+\\.\\d+\\.\\d+\\.\\d+';
/** Full form, or with one `::`; 1:1001 must not look like an address. */
const IPV6 = new RegExp(
  `(?:${GROUP}:){7}${GROUP}|(?:${GROUP}(?::${GROUP})*)?::(?:(?:${GROUP}:)*(?:${DOTTED}|${GROUP}))?`,
  'y',
);

/** In the order of precedence among matches of the same length. */
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['ellipsis', /\.\.\./y],
  ['float', /-?\d*\.\d+/y],
  ['integer', /-?\d+/y],
  ['hex', /0x[0-9a-fA-F]+/y],
  ['word', /[A-Za-z0-9_]+/y],
  ['string', /"(?:\\[^]|[^"])*"/y],
  ['command', /`(?:\\[^]|[^`])*`/y],
  ['code', /%\{(?:[^}]|\}[^%])*\}%/y],
  ['ipv4', new RegExp(DOTTED, 'y')],
  ['ipv6', IPV6],
];

const DELIMITERS: Partial<Record<TokenKind, number>> = { string: 1, command: 1, code: 2 };
