/** Shell lines of a script, mapped to the stack under test. */
import type { Host } from './host.js';

export class Shell {
  readonly #host: Host;
  readonly #warn: (line: number, message: string) => void;

  constructor(host: Host, _script: string, warn: (line: number, message: string) => void) {
    this.#host = host;
    this.#warn = warn;
  }

  run(text: string, line: number): void {
    const sleep = /^\s*sleep\s+([\d.]+)\s*$/.exec(text);
    if (sleep !== null) this.#host.sleepUntil(this.#host.now + Number(sleep[1]) * 1e6);
    else this.#warn(line, `not understood: ${text.trim()}`);
  }

  runFile(name: string): void {
    this.#warn(0, `not read: ${name}`);
  }
}
