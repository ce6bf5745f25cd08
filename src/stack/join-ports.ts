/** Ports that are open for joins only: those of announced addresses. Several connections may need the same one. */
import { PlaitError } from '../errors.js';
import type { Path } from '../io/device.js';
import { JoinListener } from './join-listener.js';
import type { Stack } from './stack.js';

interface Entry {
  readonly listener: JoinListener;
  users: number;
}

export class JoinPorts {
  readonly #stack: Stack;
  /** By address and port. */
  readonly #entries = new Map<string, Entry>();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /**
   * Opens a port at an address; joins there get this address ID and backup flag. Returns what gives it back. Throws
   * EADDRINUSE, and EBUSY when it is open for another ID.
   */
  open(address: string, port: number, id: number, backup: boolean): () => void {
    const key = `${address} ${port}`;
    let entry = this.#entries.get(key);
    if (entry !== undefined && entry.listener.id !== id) {
      throw new PlaitError(
        'EBUSY',
        `${address} port ${port} is announced with ID ${entry.listener.id} already`,
      );
    }
    if (entry === undefined) {
      const listener = new JoinListener(this.#stack, address, port, id, backup);
      listener.start();
      entry = { listener, users: 0 };
      this.#entries.set(key, entry);
      this.#stack.monitor.listener('LISTENER_CREATED', address, port);
    }
    const mine = entry;
    mine.users++;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      if (--mine.users > 0) return;
      this.#entries.delete(key);
      mine.listener.close();
      this.#stack.monitor.listener('LISTENER_CLOSED', address, port);
    };
  }

  /** A path appeared. */
  bindPath(path: Path): void {
    for (const { listener } of this.#entries.values()) listener.bindPath(path);
  }
}
