/**
 * Turns the send errors of one path into "down" and "up" for the stack. Most errors concern one destination or one
 * packet and count as loss; only those of the interface itself take the path down.
 */
import { interfaceUp } from './interfaces.js';
import type { Path, PathStats } from './device.js';

export class PathHealth {
  /** Packets by the error that kept them. */
  readonly #errors: Record<string, number> = {};
  readonly #path: Path;
  readonly #report: (up: boolean) => void;
  #up = true;
  #suspicions = 0;

  constructor(path: Path, report: (up: boolean) => void) {
    this.#path = path;
    this.#report = report;
  }

  get up(): boolean {
    return this.#up;
  }

  stats(): PathStats {
    const { name, address } = this.#path;
    return { name, address, up: this.#up, errors: { ...this.#errors } };
  }

  /** Begins where that of the same path ended. */
  continues(before: PathHealth): void {
    Object.assign(this.#errors, before.#errors);
  }

  /** A packet could not leave now, and is sent again. */
  delayed(code = 'UNKNOWN'): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1;
  }

  /** A packet of the path was lost to this error (an errno name). */
  failed(code: string | undefined): void {
    this.delayed(code);
    if (!this.#up) return;
    if (code === 'ENETDOWN' || code === 'ENODEV' || code === 'ENXIO') {
      this.#set(false);
    } else if (code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL' || code === 'EINVAL') {
      // Linux says so for a missing route, an interface that is down and a source address that is gone. Looking is
      // a file read, too much for every packet of a lasting condition.
      if (this.#suspicions++ % LOOK_EVERY === 0 && !interfaceUp(this.#path.name)) this.#set(false);
    }
  }

  /** A packet went out or came in, perhaps through another interface than the path's. */
  worked(): void {
    if (!this.#up && this.#suspicions++ % LOOK_EVERY === 0 && interfaceUp(this.#path.name)) this.#set(true);
  }

  #set(up: boolean): void {
    this.#up = up;
    this.#suspicions = 0;
    // Later, since the stack may be in the middle of sending.
    queueMicrotask(() => {
      this.#report(up);
    });
  }
}

const LOOK_EVERY = 32;
