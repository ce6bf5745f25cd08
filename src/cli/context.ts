/** Everything a command may touch of the world, so that tests can hand in another one. */
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Host, HostOptions } from '../net/types.js';

export interface Context {
  readonly stdin: Readable;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by SIGINT and SIGTERM, and by SIGHUP unless `onHangup` was called. */
  readonly signal: AbortSignal;
  /** From now on SIGHUP calls back instead. */
  readonly onHangup: (callback: () => void) => void;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly createHost: (options: HostOptions) => Promise<Host>;
  /** Starts another `plait` with these arguments, with a message channel and our stderr. */
  readonly fork: (args: readonly string[]) => Promise<ChildProcess>;
  /** The message channel to the process that forked this one, if one did. */
  readonly parent: ParentChannel | null;
}

/** An output stream that may be a terminal. */
export interface Terminal extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ParentChannel {
  send(message: object): void;
  /** Calls back once the parent is gone or has let go of us. */
  onGone(callback: () => void): void;
  disconnect(): void;
}

/** Writes one line to stderr: standard output is for data. */
export function say(context: Context, line: string): void {
  context.stderr.write(`${line}\n`);
}
