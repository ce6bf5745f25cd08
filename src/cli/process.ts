/** The real world as a context: this process's streams, signals, clock and parent. */
import type { ChildProcess } from 'node:child_process';
import type { Host, HostOptions } from '../net/types.js';
import type { Context, ParentChannel } from './context.js';
import { errorLine, Exit } from './exit.js';
import { run } from './run.js';

/** Runs this process's command line, then exits. `program` is the URL of its main module. */
export async function runProcess(
  createHost: (options: HostOptions) => Promise<Host>,
  program: string,
): Promise<never> {
  const interruption = new AbortController();
  const interrupt = (): void => {
    // Who asks twice does not want to wait.
    if (interruption.signal.aborted) process.exit(Exit.Interrupted);
    interruption.abort();
  };
  let hangup = interrupt;
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.on('SIGHUP', () => hangup());
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${errorLine(error)}\n`);
    process.exit(Exit.Generic);
  });
  // A reader of help or messages that went away is no failure; commands that print data look for themselves.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);

  const context: Context = {
    // Opened only by the command that reads it: an open input keeps a process alive.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: interruption.signal,
    onHangup: (callback) => {
      hangup = callback;
    },
    now: () => performance.now(),
    createHost,
    fork: (args) => forkProgram(program, args),
    parent: parentChannel(),
  };
  const code = await run(context, process.argv.slice(2));
  await new Promise((flushed) => process.stdout.write('', flushed));
  process.exit(code);
}

async function forkProgram(program: string, args: readonly string[]): Promise<ChildProcess> {
  const { fork } = await import('node:child_process');
  return fork(new URL(program), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

function parentChannel(): ParentChannel | null {
  const send = process.send?.bind(process);
  if (send === undefined) return null;
  return {
    send: (message) => {
      if (process.connected) send(message);
    },
    onGone: (callback) => {
      if (process.connected) process.once('disconnect', callback);
      else callback();
    },
    disconnect: () => {
      if (process.connected) process.disconnect();
    },
  };
}
