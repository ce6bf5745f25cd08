/** A command as a table row: from it come parsing, checking and help. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Context } from './context.js';
import { UsageError } from './exit.js';

export interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in help; a flag has none. */
  readonly value?: string;
  readonly multiple?: boolean;
  /** Values that are allowed, where they are few. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Command lines without the leading "plait". */
  readonly usage: readonly string[];
  /** Paragraphs under the usage. */
  readonly description: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly string[];
  /** Left out of the list. */
  readonly hidden?: boolean;
  run(context: Context, args: Arguments): Promise<number>;
}

export class Arguments {
  readonly positionals: readonly string[];
  readonly #command: Command;
  readonly #values: Readonly<Record<string, unknown>>;

  /** Throws UsageError for anything that the command's table does not have. */
  constructor(command: Command, argv: readonly string[]) {
    this.#command = command;
    const parsed = parse(command, argv);
    this.positionals = parsed.positionals;
    this.#values = parsed.values;
    for (const option of command.options) {
      for (const text of this.texts(option.name)) {
        if (option.choices?.includes(text) === false) {
          throw this.wrong(`--${option.name} cannot be '${text}'; it is one of ${option.choices.join(', ')}`);
        }
      }
    }
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    return this.texts(name).at(-1);
  }

  /** Every value of an option that may be repeated. */
  texts(name: string): readonly string[] {
    const value = this.#values[name];
    if (Array.isArray(value)) return value as string[];
    return typeof value === 'string' ? [value] : [];
  }

  /** A whole number, or undefined where the option is not given. */
  integer(name: string, low: number, high: number): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : this.parseInteger(`--${name}`, text, low, high);
  }

  parseInteger(what: string, text: string, low: number, high: number): number {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= low && value <= high) return value;
    throw this.wrong(`${what} cannot be '${text}'; it is a whole number from ${low} to ${high}`);
  }

  /** Throws UsageError unless the number of arguments lies between `low` and `high`. */
  expect(low: number, high: number): void {
    const given = this.positionals.length;
    if (given < low) throw this.wrong('an argument is missing');
    if (given > high) throw this.wrong(`one argument too many: '${this.positionals[high] ?? ''}'`);
  }

  /** The error for a wrong command line. */
  wrong(message: string): UsageError {
    return new UsageError(message, `see "plait help ${this.#command.name}"`);
  }
}

function parse(command: Command, argv: readonly string[]): ReturnType<typeof parseArgs> {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const { name, short, value, multiple } of command.options) {
    options[name] = {
      type: value === undefined ? 'boolean' : 'string',
      ...(short !== undefined && { short }),
      ...(multiple === true && { multiple }),
    };
  }
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    // The parser's first sentence says what is wrong; the rest is advice for its own callers.
    const [first = ''] = (error as Error).message.split(/\. |\n/);
    const what = first.charAt(0).toLowerCase() + first.slice(1).replace(/\.$/, '');
    throw new UsageError(what, `see "plait help ${command.name}"`);
  }
}
