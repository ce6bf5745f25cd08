/** From a command line to an exit code. */
import { problemOf } from '../transfer/report.js';
import type { Command } from './command.js';
import { allCommands, commandNamed } from './commands.js';
import type { Context } from './context.js';
import { say } from './context.js';
import { errorLine, Exit, exitCode, UsageError } from './exit.js';
import { version } from './version.js';

/** Never rejects: what goes wrong is one line on stderr and an exit code. */
export async function run(context: Context, argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(context, argv);
  } catch (error) {
    say(context, errorLine(error));
    return exitCode(problemOf(error).code);
  }
}

async function dispatch(context: Context, argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  switch (name) {
    case undefined:
      throw new UsageError('no command given', 'see "plait help"');
    case '--version':
      context.stdout.write(`plait ${version()}\n`);
      return Exit.Ok;
    case 'help':
    case '--help':
    case '-h':
      await help(context, rest[0]);
      return Exit.Ok;
    default: {
      const command = await find(name);
      if (asksForHelp(rest)) {
        await help(context, name);
        return Exit.Ok;
      }
      const { Arguments } = await import('./command.js');
      return command.run(context, new Arguments(command, rest));
    }
  }
}

async function help(context: Context, name: string | undefined): Promise<void> {
  const { helpForAll, helpForOne } = await import('./help.js');
  context.stdout.write(name === undefined ? helpForAll(await allCommands()) : helpForOne(await find(name)));
}

async function find(name: string): Promise<Command> {
  const command = await commandNamed(name);
  if (command !== undefined) return command;
  const what = name.startsWith('-') ? 'option' : 'command';
  throw new UsageError(`unknown ${what} '${name}'`, 'see "plait help"');
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}
