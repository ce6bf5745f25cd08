/** The part of the shell's language that scripts use: lists, pipelines, redirections, `if` and `for`. */

/** What a word expands to is decided when it is run. */
export type Part =
  | { readonly kind: 'text'; readonly text: string }
  /** $NAME, ${NAME}, ${NAME:-default}; unquoted ones are split at blanks. */
  | { readonly kind: 'variable'; readonly name: string; readonly otherwise: string; readonly quoted: boolean }
  /** $((...)) */
  | { readonly kind: 'arithmetic'; readonly text: string }
  /** $(...) */
  | { readonly kind: 'command'; readonly text: string; readonly quoted: boolean };

export type Word = readonly Part[];

export interface Redirection {
  readonly from: '1' | '2' | '&' | '0';
  readonly append: boolean;
  /** File, or &1. */
  readonly target: Word;
}

export type Node =
  | {
      readonly kind: 'simple';
      readonly words: readonly Word[];
      readonly redirections: readonly Redirection[];
    }
  | { readonly kind: 'pipe'; readonly commands: readonly Node[] }
  | { readonly kind: 'list'; readonly items: readonly ListItem[] }
  | { readonly kind: 'not'; readonly command: Node }
  | {
      readonly kind: 'if';
      readonly branches: readonly (readonly [condition: Node, body: Node])[];
      readonly otherwise: Node | null;
    }
  | { readonly kind: 'for'; readonly name: string; readonly values: readonly Word[]; readonly body: Node };

/** `join` stands before the command: run it after success, after failure, or in any case. */
export interface ListItem {
  readonly join: '&&' | '||' | ';';
  readonly command: Node;
  readonly background: boolean;
}

export class ShellSyntaxError extends Error {}

export function parseShell(text: string): Node {
  const parser = new Parser(tokenize(text));
  const list = parser.list([]);
  if (parser.peek() !== null) throw new ShellSyntaxError(`${describe(parser.peek())} is not expected`);
  return list;
}

// ---- tokens -----------------------------------------------------------------------------------------------

type Token =
  | { readonly kind: 'word'; readonly word: Word }
  | { readonly kind: 'operator'; readonly text: string }
  | { readonly kind: 'redirect'; readonly from: Redirection['from']; readonly append: boolean };

const REDIRECT = /(?:([012]|&)?(>>?)|(0)?<)/y;
const OPERATOR = /&&|\|\||[;|&\n()]|[{}!](?=\s|$)/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const skip = /^(?:[ \t\r]+|\\\n|#[^\n]*)/.exec(rest);
    if (skip !== null) {
      at += skip[0].length;
      continue;
    }
    REDIRECT.lastIndex = at;
    const redirect = REDIRECT.exec(text);
    if (redirect !== null && (redirect[1] !== '&' || text[at] === '&')) {
      const from = redirect[0].endsWith('<') ? '0' : ((redirect[1] ?? '1') as Redirection['from']);
      tokens.push({ kind: 'redirect', from, append: redirect[2] === '>>' });
      at += redirect[0].length;
      continue;
    }
    OPERATOR.lastIndex = at;
    const operator = OPERATOR.exec(text);
    if (operator !== null) {
      tokens.push({ kind: 'operator', text: operator[0] });
      at += operator[0].length;
      continue;
    }
    const [word, end] = readWord(text, at);
    if (end === at) throw new ShellSyntaxError(`${text[at]!} is not expected`);
    tokens.push({ kind: 'word', word });
    at = end;
  }
  return tokens;
}

function readWord(text: string, start: number): [Word, number] {
  const parts: Part[] = [];
  let at = start;
  const add = (piece: string): void => {
    parts.push({ kind: 'text', text: piece });
  };
  while (at < text.length && !/[\s;|&<>()]/.test(text[at]!)) {
    const char = text[at]!;
    if (char === '\\') {
      add(text[at + 1] ?? '');
      at += 2;
    } else if (char === "'") {
      const end = closing(text, at, "'");
      add(text.slice(at + 1, end));
      at = end + 1;
    } else if (char === '"') {
      const end = closing(text, at, '"');
      parts.push(...quotedParts(text.slice(at + 1, end)));
      at = end + 1;
    } else if (char === '$') {
      const [part, end] = readDollar(text, at, false);
      parts.push(part);
      at = end;
    } else {
      const plain = /^[^\s;|&<>()\\'"$]+/.exec(text.slice(at))?.[0] ?? char;
      add(plain);
      at += plain.length;
    }
  }
  return [parts, at];
}

function quotedParts(text: string): Part[] {
  const parts: Part[] = [{ kind: 'text', text: '' }];
  for (let at = 0; at < text.length;) {
    if (text[at] === '$') {
      const [part, end] = readDollar(text, at, true);
      parts.push(part);
      at = end;
    } else if (text[at] === '\\' && /["$`\\]/.test(text[at + 1] ?? '')) {
      parts.push({ kind: 'text', text: text[at + 1]! });
      at += 2;
    } else {
      const plain = /^[^$\\]+/.exec(text.slice(at))?.[0] ?? text[at]!;
      parts.push({ kind: 'text', text: plain });
      at += plain.length;
    }
  }
  return parts;
}

function readDollar(text: string, at: number, quoted: boolean): [Part, number] {
  if (text.startsWith('$((', at)) {
    const end = text.indexOf('))', at);
    if (end < 0) throw new ShellSyntaxError('$(( is not closed');
    return [{ kind: 'arithmetic', text: text.slice(at + 3, end) }, end + 2];
  }
  if (text.startsWith('$(', at)) {
    const end = matching(text, at + 1);
    return [{ kind: 'command', text: text.slice(at + 2, end), quoted }, end + 1];
  }
  const match = /^\$(?:\{(\w+|[@#?*])(?::?-([^}]*))?\}|(\w+|[@#?*$]))/.exec(text.slice(at));
  if (match === null) return [{ kind: 'text', text: '$' }, at + 1];
  const name = match[1] ?? match[3]!;
  return [{ kind: 'variable', name, otherwise: match[2] ?? '', quoted }, at + match[0].length];
}

function closing(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === '\\') at++;
    else if (text[at] === quote) return at;
  }
  throw new ShellSyntaxError(`${quote} is not closed`);
}

/** Offset of the parenthesis that closes the one at `from`. */
function matching(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at;
    else if (text[at] === "'" || text[at] === '"') at = closing(text, at, text[at]!);
  }
  throw new ShellSyntaxError('( is not closed');
}

// ---- commands ---------------------------------------------------------------------------------------------

class Parser {
  #at = 0;
  constructor(readonly tokens: readonly Token[]) {}

  peek(): Token | null {
    return this.tokens[this.#at] ?? null;
  }

  /** Commands up to one of these keywords or operators, which stays. */
  list(stops: readonly string[]): Node {
    const items: ListItem[] = [];
    let join: ListItem['join'] = ';';
    for (;;) {
      while (this.#operator(';') || this.#operator('\n')) join = ';';
      const token = this.peek();
      if (token === null || stops.includes(literal(token) ?? '')) return { kind: 'list', items };
      const command = this.#pipeline();
      const background = this.#operator('&');
      items.push({ join, command, background });
      if (this.#operator('&&')) join = '&&';
      else if (this.#operator('||')) join = '||';
      else join = ';';
      if (join !== ';') while (this.#operator('\n'));
      const next = this.peek();
      const ends = next === null || stops.includes(literal(next) ?? '') || background || join !== ';';
      if (!ends && !isOperator(next, ';') && !isOperator(next, '\n')) {
        throw new ShellSyntaxError(`${describe(next)} is not expected`);
      }
    }
  }

  #pipeline(): Node {
    if (this.#operator('!')) return { kind: 'not', command: this.#pipeline() };
    const commands = [this.#command()];
    while (this.#operator('|')) {
      while (this.#operator('\n'));
      commands.push(this.#command());
    }
    return commands.length === 1 ? commands[0]! : { kind: 'pipe', commands };
  }

  #command(): Node {
    const token = this.peek();
    switch (token === null ? null : literal(token)) {
      case 'if':
        return this.#if();
      case 'for':
        return this.#for();
      case '(':
        return this.#group(')');
      case '{':
        return this.#group('}');
      case 'while':
      case 'until':
      case 'case':
      case 'function':
        throw new ShellSyntaxError(`"${describe(token)}" is not supported`);
    }
    return this.#simple();
  }

  #group(close: string): Node {
    this.#at++;
    const body = this.list([close]);
    this.#keyword(close);
    return body;
  }

  #if(): Node {
    const branches: (readonly [Node, Node])[] = [];
    let otherwise: Node | null = null;
    do {
      this.#at++;
      const condition = this.list(['then']);
      this.#keyword('then');
      branches.push([condition, this.list(['elif', 'else', 'fi'])]);
    } while (literal(this.peek()) === 'elif');
    if (literal(this.peek()) === 'else') {
      this.#at++;
      otherwise = this.list(['fi']);
    }
    this.#keyword('fi');
    return { kind: 'if', branches, otherwise };
  }

  #for(): Node {
    this.#at++;
    const name = literal(this.peek()) ?? '';
    this.#at++;
    this.#keyword('in');
    const values: Word[] = [];
    for (let token = this.peek(); token?.kind === 'word'; token = this.peek()) {
      values.push(token.word);
      this.#at++;
    }
    while (this.#operator(';') || this.#operator('\n'));
    this.#keyword('do');
    const body = this.list(['done']);
    this.#keyword('done');
    return { kind: 'for', name, values, body };
  }

  #simple(): Node {
    const words: Word[] = [];
    const redirections: Redirection[] = [];
    for (let token = this.peek(); token !== null && token.kind !== 'operator'; token = this.peek()) {
      this.#at++;
      if (token.kind === 'word') words.push(token.word);
      else redirections.push({ from: token.from, append: token.append, target: this.#target() });
    }
    if (words.length + redirections.length === 0)
      throw new ShellSyntaxError(`${describe(this.peek())} is not expected`);
    return { kind: 'simple', words, redirections };
  }

  /** A file, or `&1`. */
  #target(): Word {
    const ampersand = this.#operator('&');
    const token = this.peek();
    if (token?.kind !== 'word') throw new ShellSyntaxError('a file is missing after > or <');
    this.#at++;
    return ampersand ? [{ kind: 'text', text: '&' }, ...token.word] : token.word;
  }

  #operator(text: string): boolean {
    if (!isOperator(this.peek(), text)) return false;
    this.#at++;
    return true;
  }

  #keyword(text: string): void {
    if (literal(this.peek()) !== text)
      throw new ShellSyntaxError(`${text} expected before ${describe(this.peek())}`);
    this.#at++;
  }
}

const isOperator = (token: Token | null, text: string): boolean =>
  token?.kind === 'operator' && token.text === text;

/** The text of an operator, or of a word without quotes and expansions. */
function literal(token: Token | null): string | null {
  if (token?.kind === 'operator') return token.text;
  if (token?.kind !== 'word' || token.word.length !== 1) return null;
  const [part] = token.word;
  return part?.kind === 'text' ? part.text : null;
}

const describe = (token: Token | null): string => (token === null ? 'the end' : (literal(token) ?? 'a word'));
