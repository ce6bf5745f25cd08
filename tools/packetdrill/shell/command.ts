/** What a command is given, and what it gives back. */
import type { Host } from '../host.js';
import type { Shell } from './shell.js';
import type { Sysctls } from './sysctls.js';

export interface Result {
  readonly status: number;
  readonly output: string;
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
export const failed = (status = 1): Result => ({ status, output: '' });
