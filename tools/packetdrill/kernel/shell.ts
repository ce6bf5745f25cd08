/** Shell lines of scripts, in the namespace of the kernel under test. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ScriptShell } from '../machine.js';
import { ScriptError } from '../socket-layer.js';

const TIMEOUT = 60_000;

export class KernelShell implements ScriptShell {
  readonly #folder: string;
  readonly #settle: () => void;
  /** What nstat remembers of its last call. */
  readonly #memory = mkdtempSync(join(tmpdir(), 'packetdrill-'));

  constructor(script: string, settle: () => void) {
    this.#folder = dirname(script);
    this.#settle = settle;
  }

  run(text: string, line: number): void {
    this.#spawn(text.replace(/\\`/g, '`'), text, line);
  }

  runFile(name: string): object | null {
    const path = name.startsWith('/') ? name : join(this.#folder, name);
    if (!existsSync(path)) return null;
    this.#spawn(`. '${path}'`, name, null);
    return {};
  }

  #spawn(command: string, text: string, line: number | null): void {
    const { status, stderr, error } = spawnSync('bash', ['-c', command], {
      cwd: this.#folder,
      env: { ...process.env, NSTAT_HISTORY: join(this.#memory, 'nstat') },
      encoding: 'utf8',
      timeout: TIMEOUT,
    });
    this.#settle();
    if (status === 0) return;
    const first = text.trim().split('\n')[0]!;
    const why = error?.message ?? stderr.trim();
    throw new ScriptError(`the command ended with status ${String(status)}: ${first}\n${why}`.trim(), line);
  }

  close(): void {
    rmSync(this.#memory, { recursive: true, force: true });
  }
}
