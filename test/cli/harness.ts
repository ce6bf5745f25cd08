/** Runs `plait` processes for the tests of the commands. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.js';

export interface Result {
  /** Exit code, or the signal that ended the process. */
  readonly code: number | string | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Setting {
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs the command in its arguments. */
  readonly wrapper?: readonly string[];
  /** The real program instead of the one over the stand-in. */
  readonly engine?: boolean;
}

export class Running {
  readonly child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  #stderr = '';
  readonly #closed: Promise<unknown>;
  #ended = false;

  constructor(args: readonly string[], setting: Setting = {}) {
    const program = setting.engine === true ? '../../src/cli/main.js' : './plain-main.js';
    const path = fileURLToPath(new URL(program, import.meta.url));
    const [command = '', ...rest] = [...(setting.wrapper ?? []), process.execPath, path, ...args];
    this.child = spawn(command, rest, { env: { ...process.env, ...setting.env } });
    this.child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.child.stdin?.on('error', () => undefined);
    // Not 'exit', which may come before the last of its output.
    this.#closed = once(this.child, 'close').then(() => (this.#ended = true));
  }

  /** Waits for text on stderr; the match. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let found: RegExpExecArray | null = null;
    await until(
      () => (found = pattern.exec(this.#stderr)) !== null || this.#ended,
      () => `${String(pattern)} in ${this.#stderr}`,
    );
    found ??= pattern.exec(this.#stderr);
    if (found === null) throw new Error(`ended without saying ${String(pattern)}: ${this.#stderr}`);
    return found;
  }

  /** The port that the process listens on. */
  async port(): Promise<string> {
    return (await this.says(/listening on port (\d+)/))[1] ?? '';
  }

  /** All of stderr so far. */
  get text(): string {
    return this.#stderr;
  }

  get received(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  /** Gives the process its input, ends it, and waits for its end. */
  async result(input: Buffer | string = ''): Promise<Result> {
    this.child.stdin?.end(input);
    await this.#closed;
    const { exitCode, signalCode } = this.child;
    return { code: exitCode ?? signalCode, stdout: this.received, stderr: this.#stderr };
  }
}

export const plait = (...args: string[]): Promise<Result> => new Running(args).result();

/** The object that `--stats` printed. */
export function statsOf(result: Result): Record<string, unknown> {
  const line = result.stderr.trimEnd().split('\n').at(-1) ?? '';
  return JSON.parse(line) as Record<string, unknown>;
}
