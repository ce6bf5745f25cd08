/** Commands that scripts run. Those that would change the machine are known, and change nothing. */
import { nstat } from './counters.js';
import { filters } from './filters.js';
import { ip } from './ip.js';
import { sysctlOfFile } from './sysctls.js';
import { failed, globPattern, ok, type Command } from './command.js';

const nothing: Command = () => ok();
/** Known, and without effect on this host. */
const ineffective: Command = (_, context) => {
  context.warn('has no effect');
  return ok();
};

const echo: Command = (words) => {
  const [flags, text] =
    words[0] !== undefined && /^-[neE]+$/.test(words[0]) ? [words[0], words.slice(1)] : ['', words];
  const joined = text.join(' ');
  const shown = flags.includes('e') ? joined.replaceAll('\\n', '\n').replaceAll('\\t', '\t') : joined;
  return ok(flags.includes('n') ? shown : `${shown}\n`);
};

const printf: Command = ([format = '', ...args]) => {
  let i = 0;
  const text = format.replace(/%[sdui%]/g, (verb) => (verb === '%%' ? '%' : (args[i++] ?? '')));
  return ok(text.replaceAll('\\n', '\n').replaceAll('\\t', '\t'));
};

/** Seconds of virtual time. */
const sleep: Command = ([time = '0'], { host }) => {
  const scale = { ms: 1e3, s: 1e6, m: 60e6 }[/[a-z]+$/.exec(time)?.[0] ?? 's'] ?? 1e6;
  host.sleepUntil(host.now + parseFloat(time) * scale);
  return ok();
};

/** `sysctl [-q] [-w] [-n] NAME[=VALUE]...` */
const sysctl: Command = (words, { sysctls, warn }) => {
  const flags = words.filter((word) => /^-/.test(word)).join('');
  const lines: string[] = [];
  for (const word of joinEquals(words.filter((one) => !/^-/.test(one)))) {
    const at = word.indexOf('=');
    const name = (at < 0 ? word : word.slice(0, at)).trim().replaceAll('/', '.');
    if (at >= 0) sysctls.write(name, word.slice(at + 1), (message) => warn(message));
    const value = sysctls.read(name);
    if (value === null) return failed(flags.includes('e') ? 0 : 255);
    if (at < 0 || !flags.includes('q')) lines.push(flags.includes('n') ? value : `${name} = ${value}`);
  }
  return ok(lines.map((line) => `${line}\n`).join(''));
};

/** `NAME = VALUE` in three words. */
const joinEquals = (words: readonly string[]): string[] =>
  words
    .join('\0')
    .replaceAll('\0=\0', '=')
    .split('\0')
    .filter((word) => word !== '');

const test: Command = (words, { sysctls }) => ({
  status: holds(
    words.filter((word) => word !== ']' && word !== ']]'),
    (name) => sysctls.read(name) !== null,
  )
    ? 0
    : 1,
  output: '',
});

function holds(words: readonly string[], known: (setting: string) => boolean): boolean {
  const and = words.findIndex((word) => word === '-a' || word === '&&');
  if (and > 0) return holds(words.slice(0, and), known) && holds(words.slice(and + 1), known);
  const or = words.findIndex((word) => word === '-o' || word === '||');
  if (or > 0) return holds(words.slice(0, or), known) || holds(words.slice(or + 1), known);
  if (words[0] === '!') return !holds(words.slice(1), known);
  const [left = '', operator = '', right = ''] = words;
  if (words.length < 3) {
    if (left === '-z') return operator === '';
    // Files are taken to exist, but for settings that nobody knows.
    if (/^-[a-z]$/.test(left) && words.length === 2) {
      const setting = sysctlOfFile(operator);
      return operator !== '' && (left === '-n' || setting === null || known(setting));
    }
    return left !== '';
  }
  switch (operator) {
    case '=':
    case '==':
      return globPattern(right).test(left);
    case '!=':
      return !globPattern(right).test(left);
    case '=~':
      return new RegExp(right).test(left);
    case '<':
      return left < right;
    case '>':
      return left > right;
  }
  const difference = Number(left) - Number(right);
  const orders: Readonly<Record<string, boolean>> = {
    '-eq': difference === 0,
    '-ne': difference !== 0,
    '-lt': difference < 0,
    '-le': difference <= 0,
    '-gt': difference > 0,
    '-ge': difference >= 0,
  };
  return orders[operator] ?? false;
}

const cat: Command = (files, { sysctls, input }) => {
  if (files.length === 0) return ok(input);
  const texts = files.map((file) => sysctls.read(sysctlOfFile(file) ?? ''));
  return texts.includes(null) ? failed() : ok(texts.map((text) => `${text ?? ''}\n`).join(''));
};

/** `. FILE` and `sh FILE`. */
const source: Command = ([file = '', ...args], context) => {
  const result = context.shell.runFile(file, args);
  if (result !== null) return result;
  context.warn('no such file', true);
  return failed(127);
};

const shell: Command = (words, context) => {
  const command = words.indexOf('-c');
  if (command >= 0) return context.shell.evaluate(words[command + 1] ?? '');
  return source(
    words.filter((word) => !word.startsWith('-')),
    context,
  );
};

/** What runs another command: the words from the first that is no option on. */
const prefix =
  (skip: number): Command =>
  (words, { shell: sh, input }) => {
    const from = words.findIndex((word, i) => i >= skip && !word.startsWith('-') && !/^\w+=/.test(word));
    return from < 0 ? ok() : sh.command(words.slice(from), input);
  };

/** `set [--] ...`, `export NAME=VALUE`, `local NAME=VALUE`. */
const declare: Command = (words, { shell: sh }) => {
  for (const word of words) {
    const [name = '', ...value] = word.split('=');
    if (value.length > 0) sh.set(name, value.join('='));
  }
  return ok();
};

export const COMMANDS: Readonly<Record<string, Command | undefined>> = {
  ...filters,
  '.': source,
  ':': nothing,
  '[': test,
  '[[': test,
  bash: shell,
  cat,
  cd: nothing,
  command: prefix(0),
  declare,
  dirname: ([path = '']) => ok(`${path.replace(/\/?[^/]*$/, '') || '.'}\n`),
  echo,
  env: prefix(0),
  eval: (words, { shell: sh }) => sh.evaluate(words.join(' ')),
  break: () => ({ ...ok(), leave: 'break' }),
  continue: () => ({ ...ok(), leave: 'continue' }),
  exit: ([status = '0']) => ({ status: Number(status), output: '', leave: 'exit' }),
  export: declare,
  false: () => failed(),
  ip,
  kill: nothing,
  killall: nothing,
  local: declare,
  nstat,
  pkill: nothing,
  printf,
  readonly: declare,
  return: ([status = '0']) => ({ status: Number(status), output: '', leave: 'return' }),
  set: nothing,
  sh: shell,
  sleep,
  source,
  sudo: prefix(0),
  sync: nothing,
  sysctl,
  test,
  time: prefix(0),
  timeout: prefix(1),
  true: nothing,
  unset: nothing,
  usleep: ([time = '0'], { host }) => {
    host.sleepUntil(host.now + Number(time));
    return ok();
  },
  wait: nothing,
  ...Object.fromEntries(
    [
      ...[
        'ethtool',
        'tc',
        'modprobe',
        'ifconfig',
        'ip6tables',
        'iptables',
        'nft',
        'mount',
        'mkdir',
        'rm',
        'touch',
      ],
      ...[
        'chmod',
        'chown',
        'cp',
        'mv',
        'ulimit',
        'umask',
        'trap',
        'ss',
        'bpftool',
        'lsmod',
        'dmesg',
        'logger',
      ],
    ].map((name) => [name, ineffective] as const),
  ),
};
