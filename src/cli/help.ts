/** Help texts, from the tables of the commands. */
import type { Command, OptionSpec } from './command.js';

export function helpForAll(commands: readonly Command[]): string {
  const shown = commands.filter(({ hidden }) => hidden !== true);
  return [
    'plait: one connection over every network path two hosts have (Multipath TCP, RFC 8684)',
    '',
    'Usage: plait COMMAND [options]',
    '',
    'Commands:',
    ...columns([
      ...shown.map(({ name, summary }): [string, string] => [name, summary]),
      ['help', 'show help for a command'],
    ]),
    '',
    'Options:',
    ...columns([
      ['-h, --help', 'show this help'],
      ['--version', 'show the version'],
    ]),
    '',
    '"plait help COMMAND" or "plait COMMAND --help" tells more about a command.',
    '',
  ].join('\n');
}

export function helpForOne(command: Command): string {
  const lines = command.usage.map((line, at) => `${at === 0 ? 'Usage: ' : '       '}plait ${line}`);
  for (const paragraph of command.description) lines.push('', ...wrap(paragraph, WIDTH));
  lines.push('', 'Options:');
  lines.push(...columns([...command.options, HELP].map((option) => [label(option), text(option)])));
  if (command.examples.length > 0) {
    lines.push('', 'Examples:', ...command.examples.map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

function label({ short, name, value }: OptionSpec): string {
  const long = `--${name}${value === undefined ? '' : ` ${value}`}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

function text({ help, choices, multiple }: OptionSpec): string {
  const among = choices === undefined ? '' : ` (one of ${choices.join(', ')})`;
  return `${help}${among}${multiple === true ? '; may be repeated' : ''}`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([first]) => first.length)) + 4;
  return rows.flatMap(([first, second]) =>
    wrap(second, WIDTH - left).map((line, at) => (at === 0 ? `  ${first}` : '').padEnd(left) + line),
  );
}

function wrap(paragraph: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

const WIDTH = 80;
const HELP: OptionSpec = { name: 'help', short: 'h', help: 'show this help' };
