/** A port at one address that takes joins only: the port of an announced endpoint (RFC 8684 section 3.4.1). */
import { addressBytes } from '../core/address.js';
import type { PlaitError } from '../errors.js';
import type { Path } from '../io/device.js';
import { commandError } from './names.js';
import type { Stack } from './stack.js';

export class JoinListener {
  readonly #stack: Stack;
  readonly #address: string;
  readonly #port: number;
  readonly #id: number;
  readonly #backup: boolean;
  readonly #bound = new Set<number>();
  #open = true;
  /** Called when the device cannot reserve the port. */
  onError: ((error: PlaitError) => void) | null = null;

  constructor(stack: Stack, address: string, port: number, id: number, backup: boolean) {
    this.#stack = stack;
    this.#address = address;
    this.#port = port;
    this.#id = id;
    this.#backup = backup;
  }

  /** Null, or why the core cannot listen there. */
  start(): PlaitError | null {
    const { core } = this.#stack;
    core.setAddresses(addressBytes(this.#address));
    const result = core.x.listenForJoins(this.#port, this.#id, this.#backup ? 1 : 0);
    if (result < 0) return commandError(result, `listen on ${this.#address} port ${this.#port}`);
    for (const path of this.#stack.paths()) this.bindPath(path);
    return null;
  }

  /** A path appeared. */
  bindPath(path: Path): void {
    const device = this.#stack.deviceOf(path.id);
    if (path.address !== this.#address || device === null || !this.#open) return;
    device.bind(path.id, this.#port, (error) => {
      if (error !== null) this.onError?.(error);
      else if (this.#open) this.#bound.add(path.id);
      else device.unbind(path.id, this.#port);
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const { core } = this.#stack;
    core.setAddresses(addressBytes(this.#address));
    core.x.unlisten(this.#port);
    for (const path of this.#bound) this.#stack.deviceOf(path)?.unbind(path, this.#port);
  }
}
