/** What a command is given, and what it gives back. */
import type { Host } from '../host.js';
import type { Shell } from './shell.js';
import type { Sysctls } from './sysctls.js';

export interface Result {
  readonly status: number;
  readonly output: string;
  /** What is left at once: the loop's turn, the loop, the function or file, everything. */
  readonly leave?: 'continue' | 'break' | 'return' | 'exit';
}

/** What a command is given beside its words. */
export interface Context {
  readonly host: Host;
  readonly sysctls: Sysctls;
  readonly input: string;
  readonly shell: Shell;
  /** Says that something has no effect here; `always` also when not verbose. */
  readonly warn: (message: string, always?: boolean) => void;
}

export type Command = (words: readonly string[], context: Context) => Result;

export const ok = (output = ''): Result => ({ status: 0, output });
/** A pattern of the shell: `*`, `?` and `[...]`. */
export const globPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^$()|{}\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
      .replaceAll('[!', '[^')}$`,
    's',
  );

export const failed = (status = 1): Result => ({ status, output: '' });
