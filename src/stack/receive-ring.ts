/** The core's receive ring, for devices that have the kernel write into it. */
import type { Core } from '../core/core.js';
import type { Checksum, ReceiveRing } from '../io/device.js';

export class CoreRing implements ReceiveRing {
  readonly #core: Core;
  readonly #takers: ReadonlySet<unknown>;
  readonly #makeRoom: () => void;

  /** `takers`: who takes buffers. `makeRoom` handles what waits, if that is possible now. */
  constructor(core: Core, takers: ReadonlySet<unknown>, makeRoom: () => void) {
    this.#core = core;
    this.#takers = takers;
    this.#makeRoom = makeRoom;
  }

  get memory(): Uint8Array {
    return this.#core.u8;
  }

  get first(): number {
    return this.#core.rxNext;
  }

  reserve(size: number, count: number): number {
    if (this.#core.rxRoom(size) < Math.min(count, LEAST)) this.#makeRoom();
    return Math.min(count, this.#core.rxRoom(size));
  }

  commit(
    path: number,
    at: number,
    length: number,
    checksum: Checksum,
    segment: number,
    payload?: Uint8Array,
  ): void {
    this.#core.rxCommit(at, length, path, checksum, segment, payload);
  }

  takesBuffers(count: number): boolean {
    return this.#takers.size > 0 && this.#core.placed.takes(count);
  }

  behind(on: boolean): void {
    this.#core.x.receiverBehind(on ? 1 : 0);
  }
}

/** A batch of fewer places than this is not worth a call. */
const LEAST = 4;
