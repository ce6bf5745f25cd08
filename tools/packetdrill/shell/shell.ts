/** Runs shell lines of scripts on the host under test: nothing of the machine is touched. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Host } from '../host.js';
import { ScriptError } from '../socket-layer.js';
import { globPattern, ok, type Context, type Result } from './command.js';
import { COMMANDS } from './commands.js';
import { parseShell, ShellSyntaxError, type Node, type Redirection, type Word } from './parse.js';
import { sysctlOfFile, Sysctls } from './sysctls.js';

/** Nested scripts and substitutions; enough for any, and an end to those that call themselves. */
const MAX_DEPTH = 20;
/** Turns of one loop. */
const MAX_TURNS = 10_000;

export class Shell {
  readonly host: Host;
  readonly sysctls: Sysctls;
  readonly #warn: (line: number, message: string) => void;
  readonly #verbose: boolean;
  readonly #variables = new Map<string, string>();
  readonly #functions = new Map<string, Node>();
  readonly #folder: string;
  #arguments: readonly string[] = [];
  #line = 0;
  #status = 0;
  #depth = 0;

  constructor(host: Host, script: string, verbose: boolean, warn: (line: number, message: string) => void) {
    this.host = host;
    this.#folder = dirname(script);
    this.#verbose = verbose;
    this.#warn = warn;
    this.sysctls = new Sysctls(host);
  }

  /** Runs a command of the script. A status other than 0 is an error, as in packetdrill. */
  run(text: string, line: number): void {
    this.#line = line;
    const { status } = this.evaluate(text.replace(/\\`/g, '`'));
    this.host.settle();
    if (status !== 0) {
      throw new ScriptError(`the command ended with status ${status}: ${text.trim().split('\n')[0]!}`, line);
    }
  }

  /** Runs text, whose output is returned. */
  evaluate(text: string): Result {
    let node: Node;
    try {
      node = parseShell(text);
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error;
      this.warn(`skipped, ${error.message}: ${text.trim().split('\n')[0]!}`, true);
      return ok();
    }
    if (++this.#depth > MAX_DEPTH)
      throw new ScriptError('shell scripts call each other without end', this.#line);
    try {
      return this.#run(node, '');
    } finally {
      this.#depth--;
    }
  }

  /** A shell script beside the packetdrill script, or null when there is none of this name. */
  runFile(name: string, args: readonly string[] = []): Result | null {
    const path = this.resolve(name);
    if (path === null) return null;
    const before = this.#arguments;
    this.#arguments = [name, ...args];
    try {
      const text = readFileSync(path, 'utf8');
      const other = /^#!.*?\b(python|perl|awk)\w*/.exec(text);
      if (other !== null) {
        this.warn(`${name} is written in ${other[1]!}, and not run`, true);
        return ok();
      }
      const { status, output } = this.evaluate(text);
      return { status, output };
    } finally {
      this.#arguments = before;
    }
  }

  /** Files are looked for where the script is. */
  resolve(name: string): string | null {
    const path = name.startsWith('/') ? name : join(this.#folder, name);
    return existsSync(path) ? path : null;
  }

  set(name: string, value: string): void {
    this.#variables.set(name, value);
  }

  warn(message: string, always = false): void {
    if (always || this.#verbose) this.#warn(this.#line, message);
  }

  // ---- control --------------------------------------------------------------------------------------------------

  #run(node: Node, input: string): Result {
    switch (node.kind) {
      case 'list':
        return this.#list(node);
      case 'pipe': {
        let result = ok(input);
        for (const command of node.commands) result = this.#run(command, result.output);
        return result;
      }
      case 'not': {
        const result = this.#run(node.command, input);
        return { ...result, status: result.status === 0 ? 1 : 0 };
      }
      case 'if':
        for (const [condition, body] of node.branches) {
          if (this.#run(condition, '').status === 0) return this.#run(body, '');
        }
        return node.otherwise === null ? ok() : this.#run(node.otherwise, '');
      case 'for': {
        let output = '';
        for (const value of node.values.flatMap((word) => this.#expand(word))) {
          this.set(node.name, value);
          const result = this.#run(node.body, input);
          output += result.output;
          if (result.leave === 'break') break;
          if (result.leave !== undefined && result.leave !== 'continue') return { ...result, output };
        }
        return ok(output);
      }
      case 'while':
        return this.#while(node, input);
      case 'case': {
        const subject = this.#expand(node.subject).join(' ');
        for (const [patterns, body] of node.branches) {
          const hit = patterns.some((pattern) => globPattern(this.#expand(pattern).join(' ')).test(subject));
          if (hit) return this.#run(body, input);
        }
        return ok();
      }
      case 'function':
        this.#functions.set(node.name, node.body);
        return ok();
      case 'redirected': {
        const result = this.#run(node.body, this.#input(node.redirections, input));
        return { ...result, output: this.#redirect(node.redirections, result.output) };
      }
      case 'simple':
        return this.#simple(node, input);
    }
  }

  #while({ condition, until, body }: Extract<Node, { kind: 'while' }>, input: string): Result {
    let output = '';
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      if ((this.#run(condition, input).status === 0) === until) return ok(output);
      const result = this.#run(body, input);
      output += result.output;
      if (result.leave === 'break') return ok(output);
      if (result.leave !== undefined && result.leave !== 'continue') return { ...result, output };
    }
    this.warn('a loop without an end', true);
    return ok(output);
  }

  #list({ items }: Extract<Node, { kind: 'list' }>): Result {
    let output = '';
    for (const { join: how, command, background } of items) {
      if (how === '&&' && this.#status !== 0) continue;
      if (how === '||' && this.#status === 0) continue;
      const result = this.#run(command, '');
      this.#status = background ? 0 : result.status;
      output += result.output;
      if (result.leave !== undefined) return { ...result, output };
    }
    return { status: items.length === 0 ? 0 : this.#status, output };
  }

  #simple(node: Extract<Node, { kind: 'simple' }>, input: string): Result {
    const all = node.words.flatMap((word) => this.#expand(word));
    while (all.length > 0 && /^[A-Za-z_]\w*=/.test(all[0]!)) {
      const [name, ...value] = all.shift()!.split('=');
      this.set(name!, value.join('='));
    }
    const result = all.length === 0 ? ok() : this.command(all, this.#input(node.redirections, input));
    return { ...result, output: this.#redirect(node.redirections, result.output) };
  }

  /** What the command reads. */
  #input(redirections: readonly Redirection[], input: string): string {
    let stdin = input;
    for (const { from, target, document } of redirections) {
      if (document === true) stdin = this.#text(target);
      else if (from === '0') stdin = this.#readFile(this.#expand(target).join(' '));
    }
    return stdin;
  }

  /** A command by its words. */
  command(words: readonly string[], input = ''): Result {
    const [name = '', ...args] = words;
    const context: Context = {
      ...{ host: this.host, sysctls: this.sysctls, input, shell: this },
      warn: (message, always) => this.warn(`${message}: ${words.join(' ')}`, always),
    };
    const defined = this.#functions.get(name);
    if (defined !== undefined) return this.#call(defined, words, input);
    const known = COMMANDS[name.replace(/^\/(?:usr\/)?s?bin\//, '')];
    if (known !== undefined) return known(args, context);
    if (name.includes('/') && this.#setsFiles(name, args)) return ok();
    const ran = name.includes('/') ? this.runFile(name, args) : null;
    if (ran !== null) return ran;
    context.warn('unknown command', true);
    return ok();
  }

  /** A function of the script. */
  #call(body: Node, words: readonly string[], input: string): Result {
    const before = this.#arguments;
    this.#arguments = words;
    if (++this.#depth > MAX_DEPTH)
      throw new ScriptError('shell functions call each other without end', this.#line);
    const result = this.#run(body, input);
    this.#depth--;
    this.#arguments = before;
    return result.leave === 'return' ? { status: result.status, output: result.output } : result;
  }

  /** Programs that write settings: `set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0 ...`, in whatever language. */
  #setsFiles(name: string, args: readonly string[]): boolean {
    const pairs = args.map((arg) => /^(\/proc\/sys\/[^=]+)=([^]*)$/.exec(arg));
    if (/\.sh$/.test(name) || args.length === 0 || pairs.includes(null)) return false;
    for (const pair of pairs) {
      this.sysctls.write(sysctlOfFile(pair![1]!)!, pair![2]!, (message) => this.warn(message));
    }
    return true;
  }

  #redirect(redirections: readonly Redirection[], output: string): string {
    let rest = output;
    for (const { from, target } of redirections) {
      const file = this.#expand(target).join(' ');
      if (from === '0' || from === '2' || file.startsWith('&')) continue;
      const name = sysctlOfFile(file);
      if (name !== null) this.sysctls.write(name, rest.trim(), (message) => this.warn(message, true));
      else if (file !== '/dev/null') this.warn(`nothing is written to ${file}`);
      rest = '';
    }
    return rest;
  }

  #readFile(file: string): string {
    const name = sysctlOfFile(file);
    if (name !== null) return `${this.sysctls.read(name) ?? ''}\n`;
    const path = this.resolve(file);
    return path === null ? '' : readFileSync(path, 'utf8');
  }

  // ---- words ----------------------------------------------------------------------------------------------------

  /** A word may become several, or none. */
  #expand(word: Word): string[] {
    const result: string[] = [];
    let current: string | null = null;
    for (const part of word) {
      if (part.kind === 'text') current = (current ?? '') + part.text;
      else if (part.kind === 'arithmetic') current = (current ?? '') + String(this.#arithmetic(part.text));
      else {
        const value =
          part.kind === 'variable' ? this.#value(part.name, part.otherwise) : this.#substitute(part.text);
        if (part.quoted) current = (current ?? '') + value;
        else {
          const pieces = value.split(/\s+/);
          pieces.forEach((piece, i) => {
            if (i > 0 && current !== null) result.push(current);
            if (i > 0) current = null;
            if (piece !== '') current = (current ?? '') + piece;
          });
        }
      }
    }
    if (current !== null) result.push(current);
    return result;
  }

  #value(name: string, otherwise: string): string {
    if (/^\d$/.test(name)) return this.#arguments[Number(name)] ?? otherwise;
    if (name === '@' || name === '*') return this.#arguments.slice(1).join(' ');
    if (name === '#') return String(Math.max(0, this.#arguments.length - 1));
    if (name === '$' || name === 'PPID') return '1';
    if (name === '?') return String(this.#status);
    return this.#variables.get(name) ?? otherwise;
  }

  /** Text with its expansions, as one piece. */
  #text(word: Word): string {
    return word
      .map((part) => {
        if (part.kind === 'text') return part.text;
        if (part.kind === 'arithmetic') return String(this.#arithmetic(part.text));
        return part.kind === 'variable'
          ? this.#value(part.name, part.otherwise)
          : this.#substitute(part.text);
      })
      .join('');
  }

  #substitute(text: string): string {
    return this.evaluate(text).output.replace(/\n+$/, '');
  }

  #arithmetic(text: string): number {
    const plain = text.replace(/\$?\b([A-Za-z_]\w*)\b/g, (_, name: string) => this.#value(name, '0') || '0');
    return calculate(plain);
  }
}

/** Sums, products, shifts and parentheses of integers; 0 for anything else. */
export function calculate(text: string): number {
  const tokens = text.match(/\d+|<<|>>|[-+*/%()]/g) ?? [];
  let at = 0;
  const factor = (): number => {
    const token = tokens[at++];
    if (token === '(') {
      const inner = shift();
      at++;
      return inner;
    }
    return token === '-' ? -factor() : Number(token ?? 0) || 0;
  };
  const product = (): number => {
    let value = factor();
    for (let op = tokens[at]; op === '*' || op === '/' || op === '%'; op = tokens[at]) {
      at++;
      const right = factor();
      value = op === '*' ? value * right : Math.trunc(op === '/' ? value / right : value % right);
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    for (let op = tokens[at]; op === '+' || op === '-'; op = tokens[at]) {
      at++;
      value += op === '+' ? product() : -product();
    }
    return value;
  };
  const shift = (): number => {
    let value = sum();
    for (let op = tokens[at]; op === '<<' || op === '>>'; op = tokens[at]) {
      at++;
      value = op === '<<' ? value * 2 ** sum() : Math.floor(value / 2 ** sum());
    }
    return value;
  };
  return shift();
}
