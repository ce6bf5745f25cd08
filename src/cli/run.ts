/** From a command line to an exit code. */
import { problemOf } from '../transfer/report.js';
import { Arguments, type Command } from './command.js';
import { COMMANDS } from './commands.js';
import type { Context } from './context.js';
import { say } from './context.js';
import { errorLine, Exit, exitCode, UsageError } from './exit.js';
import { helpForAll, helpForOne } from './help.js';
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
      context.stdout.write(`plait ${await version()}\n`);
      return Exit.Ok;
    case 'help':
    case '--help':
    case '-h':
      context.stdout.write(rest[0] === undefined ? helpForAll(COMMANDS) : helpForOne(find(rest[0])));
      return Exit.Ok;
    default: {
      const command = find(name);
      if (asksForHelp(rest)) {
        context.stdout.write(helpForOne(command));
        return Exit.Ok;
      }
      return command.run(context, new Arguments(command, rest));
    }
  }
}

function find(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const what = name.startsWith('-') ? 'option' : 'command';
  throw new UsageError(`unknown ${what} '${name}'`, 'see "plait help"');
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}
