/** The packet that a device is asked to send: a view of one transmit descriptor (assembly/abi.ts), used again and again. */
import * as abi from '../../assembly/abi.js';
import type { Core } from '../core/core.js';
import type { OutPacket } from '../io/device.js';

export class Outgoing implements OutPacket {
  length = 0;
  segment = 0;
  partial = 0;
  readonly #core: Core;
  #header = 0;
  #headerLength = 0;
  #span1 = 0;
  #span1Length = 0;
  #span2 = 0;
  #span2Length = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Reads the descriptor at an address. Returns its path. */
  load(at: number): number {
    const dv = this.#core.dv;
    this.#header = at + abi.TX_HEADER;
    this.#headerLength = dv.getUint32(at + abi.TX_HEADER_LEN, true);
    this.#span1 = dv.getUint32(at + abi.TX_SPAN1, true);
    this.#span1Length = dv.getUint32(at + abi.TX_SPAN1_LEN, true);
    this.#span2 = dv.getUint32(at + abi.TX_SPAN2, true);
    this.#span2Length = dv.getUint32(at + abi.TX_SPAN2_LEN, true);
    this.segment = dv.getUint32(at + abi.TX_SEGMENT, true);
    this.partial = dv.getUint32(at + abi.TX_PARTIAL, true);
    this.length = this.#headerLength + this.#span1Length + this.#span2Length;
    return dv.getUint32(at + abi.TX_PATH, true);
  }

  copyTo(target: Uint8Array, offset: number): number {
    // `subarray` would look for a species constructor each time; a plain view costs half as much.
    const { buffer } = this.#core.u8;
    target.set(new Uint8Array(buffer, this.#header, this.#headerLength), offset);
    let at = offset + this.#headerLength;
    if (this.#span1Length > 0) {
      target.set(new Uint8Array(buffer, this.#span1, this.#span1Length), at);
      at += this.#span1Length;
    }
    if (this.#span2Length > 0) target.set(new Uint8Array(buffer, this.#span2, this.#span2Length), at);
    return this.length;
  }
}
