/** A port at one address that takes joins only (RFC 8684 section 3.4.1: the port of an announced address). */
import { addressBytes } from '../core/address.js';
import type { Path } from '../io/device.js';
import { commandError } from './names.js';
import type { Stack } from './stack.js';

export class JoinListener {
  readonly id: number;
  readonly #stack: Stack;
  readonly #address: string;
  readonly #port: number;
  readonly #backup: boolean;
  readonly #bound = new Set<number>();
  #open = true;

  constructor(stack: Stack, address: string, port: number, id: number, backup: boolean) {
    this.#stack = stack;
    this.#address = address;
    this.#port = port;
    this.id = id;
    this.#backup = backup;
  }

  /** Throws EADDRINUSE, ENOBUFS. */
  start(): void {
    const { core } = this.#stack;
    core.setAddresses(addressBytes(this.#address));
    const result = core.x.listenForJoins(this.#port, this.id, this.#backup ? 1 : 0);
    if (result < 0) throw commandError(result, `listen on ${this.#address} port ${this.#port}`);
    for (const path of this.#stack.allPaths()) this.bindPath(path);
  }

  /**
   * A path appeared. A device that cannot reserve the port gets no packets for it: joins there stay without an answer,
   * as behind a firewall.
   */
  bindPath(path: Path): void {
    const device = this.#stack.deviceOf(path.id);
    if (path.address !== this.#address || device === null || !this.#open) return;
    device.bind(path.id, this.#port, (error) => {
      if (error !== null) return;
      if (this.#open) this.#bound.add(path.id);
      else device.unbind(path.id, this.#port);
    });
  }

  close(): void {
    this.#open = false;
    const { core } = this.#stack;
    core.setAddresses(addressBytes(this.#address));
    core.x.unlisten(this.#port);
    for (const path of this.#bound) this.#stack.deviceOf(path)?.unbind(path, this.#port);
  }
}
