/** The figures as the table of docs/performance.md, with the machine that they are from. */
import { arch, availableParallelism, cpus, release, type } from 'node:os';
import type { Limit, Line } from './report.js';

const HEAD = [
  'Benchmark',
  'What',
  'Measured',
  'Peer',
  'Peer measured',
  'Ratio',
  'Limit',
  'Ok',
  'Of what any program can',
];

export function markdown(lines: readonly Line[]): string {
  const rows = lines.map((line) => [
    line.bench,
    line.case,
    withUnit(line.value, line.unit),
    line.peer ?? '',
    line.peerValue === undefined ? '' : withUnit(line.peerValue, line.unit),
    line.ratio === undefined ? '' : line.ratio.toPrecision(3),
    line.limit === undefined ? '' : limitText(line.limit),
    line.ok === undefined ? '' : line.ok ? 'yes' : '**no**',
    line.share === undefined ? '' : `${line.share.toPrecision(3)} of ${line.bound ?? ''}`,
  ]);
  const widths = HEAD.map((title, i) =>
    Math.max(...[HEAD, ...rows].map((row) => row[i]?.length ?? title.length)),
  );
  const text = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [machine(), '', ...[HEAD, rule, ...rows].map(text)].join('\n');
}

/** Hardware, kernel and program: figures mean nothing without. */
function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const cores = String(availableParallelism());
  return `${cores} cores of ${model} (${arch()}), ${type()} ${release()}, Node ${process.versions.node}.`;
}

function withUnit(value: number, unit: string): string {
  return `${value.toLocaleString('en', { maximumSignificantDigits: 4 })} ${unit}`.trimEnd();
}

function limitText(limit: Limit): string {
  if ('leastRatio' in limit) return `ratio at least ${String(limit.leastRatio)}`;
  if ('mostRatio' in limit) return `ratio at most ${String(limit.mostRatio)}`;
  const [[word, value] = ['', 0]] = Object.entries(limit);
  return `at ${word} ${value.toLocaleString('en')}`;
}
