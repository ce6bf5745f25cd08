/** Python in a script: each block sees what the socket told about itself when its time came; it runs after the script. */
import { spawnSync } from 'node:child_process';
import type { Failure } from './run.js';

/** States and flags that code compares TCP_INFO with (linux/tcp.h). */
const SYMBOLS: Readonly<Record<string, number>> = {
  TCP_ESTABLISHED: 1,
  TCP_SYN_SENT: 2,
  TCP_SYN_RECV: 3,
  TCP_FIN_WAIT1: 4,
  TCP_FIN_WAIT2: 5,
  TCP_TIME_WAIT: 6,
  TCP_CLOSE: 7,
  TCP_CLOSE_WAIT: 8,
  TCP_LAST_ACK: 9,
  TCP_LISTEN: 10,
  TCP_CLOSING: 11,
  TCP_CA_Open: 0,
  TCP_CA_Disorder: 1,
  TCP_CA_CWR: 2,
  TCP_CA_Recovery: 3,
  TCP_CA_Loss: 4,
  TCPI_OPT_TIMESTAMPS: 1,
  TCPI_OPT_SACK: 2,
  TCPI_OPT_WSCALE: 4,
  TCPI_OPT_ECN: 8,
  TCPI_OPT_ECN_SEEN: 16,
  TCPI_OPT_SYN_DATA: 32,
};

/** Tells the line of the script that an error is in. */
const PREAMBLE = `import sys
import traceback
def _excepthook(kind, value, trace):
    sys.stderr.write("line %d: error in Python code\\n" % _line)
    traceback.print_exception(kind, value, trace)
sys.excepthook = _excepthook
`;

export class CodeRunner {
  readonly #command: string;
  readonly #parts: string[] = [];
  #firstLine = 0;

  constructor(command: string) {
    this.#command = command;
  }

  add(text: string, line: number, variables: ReadonlyMap<string, bigint>): void {
    if (this.#parts.length === 0) this.#firstLine = line;
    const assignments = [...variables].map(([name, value]) => `${name} = ${value}`);
    this.#parts.push([...assignments, `_line = ${line}`, text, ''].join('\n'));
  }

  /** null: no code, or it ran to its end. */
  execute(): Failure | null {
    if (this.#parts.length === 0) return null;
    const symbols = Object.entries(SYMBOLS).map(([name, value]) => `${name} = ${value}\n`);
    const input = [PREAMBLE, ...symbols, ...this.#parts].join('');
    const [command = 'python3', ...args] = this.#command.split(' ');
    const { status, stderr, error } = spawnSync(command, [...args, '-'], {
      input,
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (error !== undefined)
      return { line: this.#firstLine, message: `cannot run ${command}: ${error.message}` };
    if (status === 0) return null;
    const line = Number(/^line (\d+):/.exec(stderr)?.[1] ?? this.#firstLine);
    return { line, message: `the code failed: ${stderr.trim().split('\n').slice(-1)[0] ?? ''}` };
  }
}
