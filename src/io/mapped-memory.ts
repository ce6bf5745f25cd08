/** A piece of memory as the kernel addresses it: where a view lies, remembered as long as the view stays the same. */
import type { Native } from './native.js';

export class MappedMemory {
  readonly #native: Native;
  #view: Uint8Array | null = null;
  /** The octets of the view that was looked at last. */
  octets: Buffer = Buffer.alloc(0);
  /** Address of the first of them in this process. */
  base = 0;

  constructor(native: Native) {
    this.#native = native;
  }

  look(view: Uint8Array): void {
    if (view === this.#view) return;
    this.#view = view;
    this.octets = Buffer.from(view.buffer, view.byteOffset, view.length);
    this.base = Number(this.#native.address(view));
  }
}
