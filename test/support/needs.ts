/**
 * Skipping with a reason that the report prints. In a `before` hook it skips the suite, inside a test that test:
 *
 *   before(function () {
 *     needRoot(this);
 *     needCommands(this, 'ip', 'tshark');
 *   });
 *
 * Commands named here belong into scripts/needs.mjs too, which installs them.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import Mocha from 'mocha';

export function skip(context: Mocha.Context, reason: string): never {
  const running = context.test;
  // A hook's reason is its suite's.
  const owner = running instanceof Mocha.Hook ? running.parent : running;
  if (owner !== undefined) Object.assign(owner, { skipReason: reason });
  return context.skip();
}

export function needRoot(context: Mocha.Context): void {
  if (process.getuid?.() !== 0) skip(context, 'needs root');
}

export function needCommands(context: Mocha.Context, ...commands: string[]): void {
  const missing = commands.filter((command) => !hasCommand(command));
  if (missing.length > 0) skip(context, `needs ${missing.join(', ')}`);
}

export function hasCommand(command: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && isExecutable(join(folder, command)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
