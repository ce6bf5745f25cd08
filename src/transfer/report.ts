/** What a transfer tells while it runs and at its end; the same at both ends. */
import { getSystemErrorMap } from 'node:util';
import type { Problem } from './protocol.js';

/** One entry that is not in place at the receiver. */
export interface Failure extends Problem {
  readonly name: string;
}

export interface Report {
  /** Files and directories in place, verified. */
  readonly inPlace: number;
  /** Octets of the files among them. */
  readonly octets: number;
  readonly failures: readonly Failure[];
}

/** Changes while a transfer runs; read it as often as you like. */
export interface Progress {
  /** Octets of all files, as announced. */
  total: number;
  /** File octets handed to the connection, or taken from it. */
  moved: number;
}

/** Any thrown value as a code and words. System errors get the system's own words, without call and path. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof Error)) return { code: 'ERR_UNKNOWN', message: String(error) };
  const { code, errno } = error as NodeJS.ErrnoException;
  const words = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return { code: code ?? 'ERR_UNKNOWN', message: words ?? error.message };
}
