/** Filters behind a pipe, as far as scripts use them on counters. */
import { ok, type Command, type Result } from './command.js';

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'));
const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** `grep [-q] [-v] [-c] [-o] [-i] [-w] [-E] PATTERN`; basic patterns are read as extended ones. */
const grep: Command = (words, { input }): Result => {
  const flags = words.filter((word) => /^-[A-Za-z]+$/.test(word)).join('');
  const marked = words.indexOf('-e');
  const text = marked >= 0 ? words[marked + 1] : words.find((word) => !word.startsWith('-'));
  const source = flags.includes('F')
    ? (text ?? '').replace(/[.*+?^$()|[\]{}\\]/g, '\\$&')
    : posix(text ?? '');
  const whole = flags.includes('w') ? `\\b(?:${source})\\b` : source;
  const pattern = new RegExp(whole, flags.includes('i') ? 'gi' : 'g');
  const hits = linesOf(input).filter((line) => line.search(pattern) >= 0 !== flags.includes('v'));
  const status = hits.length > 0 ? 0 : 1;
  if (flags.includes('q')) return { status, output: '' };
  if (flags.includes('c')) return { status, output: `${hits.length}\n` };
  if (flags.includes('o'))
    return { status, output: textOf(hits.flatMap((line) => line.match(pattern) ?? [])) };
  return { status, output: textOf(hits) };
};

const CLASSES: Readonly<Record<string, string>> = {
  space: '\\s',
  digit: '\\d',
  alnum: 'A-Za-z0-9',
  alpha: 'A-Za-z',
};

const posix = (pattern: string): string =>
  pattern
    .replace(/\[:(\w+):\]/g, (_, name: string) => CLASSES[name] ?? '')
    .replace(/\\([|()+?{}])/g, '$1')
    .replace(/\\[<>]/g, '\\b');

/** `awk '{print $N}'`, with an optional `/PATTERN/` before. */
const awk: Command = (words, context) => {
  const program = words.find((word) => word.includes('{')) ?? '';
  const match = /^\s*(?:\/(.*)\/)?\s*\{\s*print\s*(?:\$(\d+|NF))?\s*;?\s*\}\s*$/.exec(program);
  if (match === null) {
    context.warn('this awk program is not supported', true);
    return ok();
  }
  const [, pattern, field] = match;
  const wanted = pattern === undefined ? null : new RegExp(posix(pattern));
  const separator = words.includes('-F') ? words[words.indexOf('-F') + 1] : undefined;
  const lines = linesOf(context.input).filter((line) => wanted === null || wanted.test(line));
  return ok(
    textOf(
      lines.map((line) => {
        const fields = separator === undefined ? line.trim().split(/\s+/) : line.split(separator);
        if (field === undefined || field === '0') return line;
        return (field === 'NF' ? fields.at(-1) : fields[Number(field) - 1]) ?? '';
      }),
    ),
  );
};

const count = (words: readonly string[]): number => {
  const text = words.join(' ');
  return Number(/-n\s*(\d+)/.exec(text)?.[1] ?? /-(\d+)/.exec(text)?.[1] ?? 10);
};

/** `cut -d X -f N`. */
const cut: Command = (words, { input }) => {
  const text = words.join('\0');
  const separator = /-d\0?(.)/.exec(text)?.[1] ?? '\t';
  const field = Number(/-f\0?(\d+)/.exec(text)?.[1] ?? 1);
  return ok(textOf(linesOf(input).map((line) => line.split(separator)[field - 1] ?? '')));
};

/** `tr -d SET` and `tr X Y`. */
const tr: Command = ([first = '', second = '', third = ''], { input }) => {
  if (first === '-d') return ok([...input].filter((char) => !second.includes(char)).join(''));
  const squeeze = first === '-s';
  const [from, to] = squeeze ? [second, third || second] : [first, second];
  const mapped = input.replaceAll(from, to);
  return ok(squeeze ? mapped.replace(/ +/g, ' ') : mapped);
};

export const filters: Readonly<Record<string, Command>> = {
  awk,
  cut,
  egrep: grep,
  fgrep: (words, context) => grep(['-F', ...words], context),
  grep,
  head: (words, { input }) => ok(textOf(linesOf(input).slice(0, count(words)))),
  sort: (_, { input }) => ok(textOf(linesOf(input).sort())),
  tail: (words, { input }) => ok(textOf(linesOf(input).slice(-count(words)))),
  tr,
  wc: (_, { input }) => ok(`${linesOf(input).length}\n`),
};
