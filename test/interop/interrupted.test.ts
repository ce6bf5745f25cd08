/** A table that is ended in the middle leaves nothing behind. */
import { expect } from 'chai';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { root } from '../support/root.js';
import { until } from '../support/until.js';
import { skipWithoutNamespaces } from './netns.js';

const program = fileURLToPath(new URL('dist/test/interop/main.js', root));

describe('npm run interop', () => {
  before(function () {
    skipWithoutNamespaces(this);
  });

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`removes its namespaces when ${signal} comes`, async () => {
      const table = new Table();
      await table.row();
      expect(namespacesOf(table.pid)).not.to.deep.equal([]);
      table.child.kill(signal);
      expect(await table.end()).to.equal(code);
      expect(table.lines.at(-1)).to.match(/^\d+ passed, 0 failed, [1-9]\d* skipped$/);
      expect(namespacesOf(table.pid)).to.deep.equal([]);
    });
  }

  it('leaves no process when it is killed, and the next one removes its namespaces', async () => {
    const table = new Table();
    await table.row();
    const left = namespacesOf(table.pid);
    expect(left).not.to.deep.equal([]);
    table.child.kill('SIGKILL');
    await table.end();
    await until(
      () => left.every((name) => pidsIn(name).length === 0),
      () => `no process in ${left.map((name) => `${name}: ${pidsIn(name).join()}`).join('; ')}`,
    );
    const next = new Table('--only', 'subflows: no JOIN (plait');
    expect(await next.end()).to.equal(0);
    expect(namespacesOf(table.pid)).to.deep.equal([]);
  });

  it('says what is wrong with its arguments', async () => {
    const table = new Table('--only', 'no such row');
    expect(await table.end()).to.equal(2);
    expect(table.lines).to.deep.equal([]);
  });
});

class Table {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly #end: Promise<number | null>;

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.lines.push(line),
    );
    this.#end = once(this.child, 'close').then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Resolves when a row has ended; others are under way then. */
  async row(): Promise<void> {
    await until(
      () => this.lines.length > 0,
      () => 'a row',
    );
  }

  /** Its exit code; null after a signal. */
  end(): Promise<number | null> {
    return this.#end;
  }
}

const ip = (...args: string[]): string => execFileSync('ip', ['netns', ...args], { encoding: 'utf8' });

const namespacesOf = (pid: number): string[] =>
  ip('list')
    .split('\n')
    .map((line) => line.split(' ', 1)[0] as string)
    .filter((name) => name.startsWith(`plait-${String(pid)}-`));

const pidsIn = (name: string): string[] => ip('pids', name).split('\n').filter(Boolean);
