/** The core's receive ring, for devices that have the kernel write into it. */
import type { Core } from '../core/core.js';
import type { Checksum, ReceiveRing } from '../io/device.js';

export class CoreRing implements ReceiveRing {
  readonly #core: Core;
  readonly #makeRoom: () => void;
  readonly #wake: () => void;

  /** `makeRoom` handles what waits, if that is possible now; `wake` has it handled soon. */
  constructor(core: Core, makeRoom: () => void, wake: () => void) {
    this.#core = core;
    this.#makeRoom = makeRoom;
    this.#wake = wake;
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

  commit(path: number, at: number, length: number, checksum: Checksum, segment: number): void {
    this.#core.rxCommit(at, length, path, checksum, segment);
    this.#wake();
  }
}

/** A batch of fewer places than this is not worth a call. */
const LEAST = 4;
