/** The part of the shell's language that scripts use: lists, pipelines, redirections, control, functions. */

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
  /** The target is the input itself. */
  readonly document?: boolean;
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
  | { readonly kind: 'for'; readonly name: string; readonly values: readonly Word[]; readonly body: Node }
  /** `until`: as long as the condition fails. */
  | { readonly kind: 'while'; readonly condition: Node; readonly until: boolean; readonly body: Node }
  | {
      readonly kind: 'case';
      readonly subject: Word;
      readonly branches: readonly (readonly [patterns: readonly Word[], body: Node])[];
    }
  | { readonly kind: 'function'; readonly name: string; readonly body: Node }
  /** A compound command whose output or input goes elsewhere. */
  | { readonly kind: 'redirected'; readonly body: Node; readonly redirections: readonly Redirection[] };

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
  | { readonly kind: 'redirect'; readonly from: Redirection['from']; readonly append: boolean }
  /** A here-document, or `<<<` and its word. */
  | { readonly kind: 'document'; readonly text: Word };

const REDIRECT = /(?:([012]|&)?(>>?)|(0)?<)/y;
const OPERATOR = /&&|\|\||;;|[;|&\n()]|[{}!](?=\s|;|$)/y;
const DOCUMENT = /<<(-?)[ \t]*(?:'(\w+)'|"(\w+)"|\\?(\w+))/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pending: { tabs: boolean; end: string; index: number }[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const skip = /^(?:[ \t\r]+|\\\n|#[^\n]*)/.exec(rest);
    if (skip !== null) {
      at += skip[0].length;
      continue;
    }
    DOCUMENT.lastIndex = at;
    const document = DOCUMENT.exec(text);
    if (document !== null) {
      at += document[0].length;
      pending.push({
        tabs: document[1] === '-',
        end: (document[2] ?? document[3] ?? document[4])!,
        index: tokens.length,
      });
      tokens.push({ kind: 'document', text: [] });
      continue;
    }
    if (text.startsWith('<<<', at)) {
      const from = at + 3 + /^[ \t]*/.exec(text.slice(at + 3))![0].length;
      const [word, end] = readWord(text, from);
      tokens.push({ kind: 'document', text: word });
      at = end;
      continue;
    }
    if (/^\[\[\s/.test(rest) && commandBegins(tokens.at(-1))) {
      const end = /\s\]\](?=[\s;&|)]|$)/.exec(rest);
      if (end === null) throw new ShellSyntaxError('[[ is not closed');
      tokens.push(...testWords(text.slice(at, at + end.index + 3)));
      at += end.index + 3;
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
      if (operator[0] === '\n') {
        for (const { tabs, end, index } of pending.splice(0)) {
          const [body, next] = readDocument(text, at, end, tabs);
          tokens[index] = { kind: 'document', text: quotedParts(body) };
          at = next;
        }
      }
      continue;
    }
    const [word, end] = readWord(text, at);
    if (end === at) throw new ShellSyntaxError(`${text[at]!} is not expected`);
    tokens.push({ kind: 'word', word });
    at = end;
  }
  return tokens;
}

/** Lines up to one that says `end`. */
function readDocument(text: string, from: number, end: string, tabs: boolean): [string, number] {
  let body = '';
  for (let at = from; at < text.length;) {
    const stop = text.indexOf('\n', at);
    const next = stop < 0 ? text.length : stop + 1;
    const line = text.slice(at, next).replace(tabs ? /^\t+/ : '', '');
    if (line.trimEnd() === end) return [body, next];
    body += line;
    at = next;
  }
  return [body, text.length];
}

const commandBegins = (last: Token | undefined): boolean =>
  last === undefined ||
  last.kind === 'operator' ||
  /^(?:if|elif|while|until|then|do|else)$/.test(literal(last) ?? '');

/** Between [[ and ]] operators are words like others. */
function testWords(text: string): Token[] {
  const words: Token[] = [];
  for (let at = 0; at < text.length;) {
    const skip = /^\s+/.exec(text.slice(at));
    if (skip !== null) {
      at += skip[0].length;
      continue;
    }
    const operator = /^(?:&&|\|\||[()<>])/.exec(text.slice(at));
    if (operator !== null) {
      words.push({ kind: 'word', word: [{ kind: 'text', text: operator[0] }] });
      at += operator[0].length;
      continue;
    }
    const [word, end] = readWord(text, at);
    words.push({ kind: 'word', word });
    at = end;
  }
  return words;
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
    const body = this.#compound();
    if (body.kind === 'simple' || body.kind === 'function') return body;
    const redirections = this.#redirections();
    return redirections.length === 0 ? body : { kind: 'redirected', body, redirections };
  }

  #redirections(): Redirection[] {
    const redirections: Redirection[] = [];
    for (;;) {
      const token = this.peek();
      if (token?.kind === 'redirect') {
        this.#at++;
        redirections.push({ from: token.from, append: token.append, target: this.#target() });
      } else if (token?.kind === 'document') {
        this.#at++;
        redirections.push({ from: '0', append: false, target: token.text, document: true });
      } else return redirections;
    }
  }

  #compound(): Node {
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
        return this.#while();
      case 'case':
        return this.#case();
      case 'function':
        this.#at++;
        return this.#function();
    }
    const next = this.tokens[this.#at + 1] ?? null;
    if (token?.kind === 'word' && isOperator(next, '(') && isOperator(this.tokens[this.#at + 2] ?? null, ')'))
      return this.#function();
    return this.#simple();
  }

  #group(close: string): Node {
    this.#at++;
    const body = this.list([close]);
    this.#keyword(close);
    return body;
  }

  /** `NAME() { ... }`, with or without the parentheses after `function`. */
  #function(): Node {
    const name = literal(this.peek()) ?? '';
    this.#at++;
    if (this.#operator('(')) this.#keyword(')');
    while (this.#operator('\n'));
    return { kind: 'function', name, body: this.#command() };
  }

  #while(): Node {
    const until = literal(this.peek()) === 'until';
    this.#at++;
    const condition = this.list(['do']);
    this.#keyword('do');
    const body = this.list(['done']);
    this.#keyword('done');
    return { kind: 'while', condition, until, body };
  }

  #case(): Node {
    this.#at++;
    const subject = this.#word();
    while (this.#operator('\n'));
    this.#keyword('in');
    const branches: (readonly [readonly Word[], Node])[] = [];
    for (;;) {
      while (this.#operator('\n'));
      if (literal(this.peek()) === 'esac') break;
      this.#operator('(');
      const patterns = [this.#word()];
      while (this.#operator('|')) patterns.push(this.#word());
      this.#keyword(')');
      branches.push([patterns, this.list([';;', 'esac'])]);
      this.#operator(';;');
    }
    this.#keyword('esac');
    return { kind: 'case', subject, branches };
  }

  #word(): Word {
    const token = this.peek();
    if (token?.kind !== 'word') throw new ShellSyntaxError(`a word expected before ${describe(token)}`);
    this.#at++;
    return token.word;
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
      if (token.kind === 'word') words.push(this.#word());
      else redirections.push(...this.#redirections());
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
