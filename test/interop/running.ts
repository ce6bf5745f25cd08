/** Processes of tests: started inside a namespace or beside it, ended with the test process whatever ends that. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { until } from '../support/until.js';

export interface Exit {
  /** Null after a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that lives on while the test goes on. */
export class Running {
  /** Resolves when it ended; never rejects. */
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #readers: ((line: string | null) => void)[] = [];
  /** All of stdout so far, and all of stderr. */
  outputText = '';
  errorText = '';
  #ended = false;

  /** @internal Made by `Namespace.spawn`. `lifetime` in milliseconds, at the most. */
  constructor(command: string, args: readonly string[], lifetime: number) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stderr.on('data', (data: Buffer) => {
      this.errorText += data.toString();
    });
    child.stdin.on('error', () => undefined);
    const timer = setTimeout(() => child.kill('SIGKILL'), lifetime);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.outputText += `${line}\n`;
      const reader = this.#readers.shift();
      if (reader === undefined) this.#lines.push(line);
      else reader(line);
    });
    this.exit = new Promise((done) => {
      const finish = (code: number | null): void => {
        clearTimeout(timer);
        this.#ended = true;
        for (const reader of this.#readers.splice(0)) reader(null);
        done({ code, stdout: this.outputText, stderr: this.errorText });
      };
      child.on('close', finish);
      child.on('error', (error) => {
        this.errorText += error.message;
        finish(null);
      });
    });
  }

  /** The next line of stdout. Rejects with stderr if the process ended before. */
  async line(): Promise<string> {
    const kept = this.#lines.shift();
    if (kept !== undefined) return kept;
    const next = this.#ended ? null : await new Promise<string | null>((got) => this.#readers.push(got));
    if (next !== null) return next;
    throw new Error(`ended without output: ${(await this.exit).stderr}`);
  }

  /** Waits for a text on stderr. Rejects with all of stderr when the process ends without it, or says nothing of the kind. */
  async says(text: string): Promise<void> {
    await until(
      () => this.#ended || this.errorText.includes(text),
      () => `"${text}" in ${this.errorText}`,
    );
    if (!this.errorText.includes(text)) throw new Error(`ended without "${text}": ${this.errorText}`);
  }

  /** Lets a program that was started with `--gate` send the rest, once it has come that far. */
  async passGate(): Promise<void> {
    const { event } = JSON.parse(await this.line()) as { event?: string };
    if (event !== 'gate') throw new Error('ended before its gate');
    this.write('go\n');
  }

  /** What it gets on stdin. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** The last that it gets on stdin. */
  end(text: string): void {
    this.#child.stdin?.end(text);
  }

  /** It stands still while `act` goes on, and finds all of it done. */
  async paused(act: () => Promise<unknown>): Promise<void> {
    this.#child.kill('SIGSTOP');
    try {
      await act();
    } finally {
      this.#child.kill('SIGCONT');
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  async kill(signal: 'SIGKILL' | 'SIGINT' = 'SIGKILL'): Promise<void> {
    this.signal(signal);
    await this.exit;
  }
}

/**
 * Runs a command to its end, 100 seconds at most and until `stop`, and returns its stdout. Rejects with its stderr when it
 * fails.
 */
export function execute(
  command: string,
  args: readonly string[],
  { input = '', stop }: { readonly input?: string; readonly stop?: AbortSignal } = {},
): Promise<string> {
  return new Promise((done, fail) => {
    const bounds = { timeout: 100_000, maxBuffer: 1 << 26, killSignal: 'SIGKILL', signal: stop } as const;
    const child = execFile(command, args, bounds, (error, stdout, stderr) => {
      executing.delete(child);
      if (error === null) done(stdout);
      else fail(new Error(`${command} ${args.join(' ')}: ${stderr || error.message}`));
    });
    executing.add(child);
    if (input !== '') child.stdin?.end(input);
  });
}

const executing = new Set<ChildProcess>();

// What is half done when this process ends would go on making what is being removed.
process.on('exit', () => {
  for (const child of executing) child.kill('SIGKILL');
});
