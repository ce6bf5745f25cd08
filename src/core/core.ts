/**
 * One instance of the core: its memory, the views on it, and the rings at the boundary (assembly/abi.ts). Copies
 * packets in and out; knows no device and no clock.
 */
import * as abi from '../../assembly/abi.js';
import { PlaitError } from '../errors.js';
import type { CoreExports } from './exports.js';
import type { CoreModule } from './load.js';
import { PlacedBuffers } from './placed-buffers.js';
import type { Random } from './random.js';

/** As in asconfig.json, in pages of 64 KiB. */
const INITIAL_PAGES = 64;
const MAXIMUM_PAGES = 32768;

/** An event record, read out. `address` is 16 octets, valid until the next event. */
export interface CoreEvent {
  type: number;
  connection: number;
  subflow: number;
  a: number;
  b: number;
  c: number;
  address: Uint8Array;
}

/** OPT_* of assembly/abi.ts and their values, in the order in which they are applied. */
export type Settings = readonly (readonly [option: number, value: number])[];

/** The core stopped at an instruction that must not be reached. */
export const isTrap = (error: unknown): error is Error => error instanceof WebAssembly.RuntimeError;

export class Core {
  readonly x: CoreExports;
  readonly #memory: WebAssembly.Memory;
  #u8: Uint8Array;
  #dv: DataView;
  readonly #random: Random;

  readonly #rxDescriptors: number;
  readonly #rxData: number;
  readonly #rxSlots: number;
  /** Of one of the two areas, and the one that is filled at present. */
  readonly #rxBytes: number;
  #rxArea = 0;
  #rxCount = 0;
  #rxUsed = 0;
  #rxHandled = 0;
  /** Payload that came in buffers of its own. */
  readonly placed: PlacedBuffers;

  /** Packets that the transmit ring holds. */
  readonly txSlots: number;
  readonly #txEnd: number;

  readonly #scratch: number;
  readonly #counters: number;
  readonly #randomPool: number;
  readonly #randomBytes: number;
  readonly #event: CoreEvent = {
    type: 0,
    connection: 0,
    subflow: 0,
    a: 0,
    b: 0,
    c: 0,
    address: new Uint8Array(16),
  };

  constructor(module: CoreModule, random: Random) {
    this.#memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES });
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.x = instance.exports as unknown as CoreExports;
    this.#random = random;
    const layout = this.x.init();
    this.#u8 = new Uint8Array(this.#memory.buffer);
    this.#dv = new DataView(this.#memory.buffer);
    if (layout < 0) throw new PlaitError('ENOBUFS', 'no memory for the packet rings; close other stacks');
    const at = (offset: number): number => this.#dv.getUint32(layout + offset, true);
    this.placed = new PlacedBuffers(() => this.dv, this.x.placedUses());
    this.#rxDescriptors = at(abi.LAYOUT_RX_DESC);
    this.#rxData = at(abi.LAYOUT_RX_DATA);
    this.#rxSlots = at(abi.LAYOUT_RX_SLOTS);
    this.#rxBytes = at(abi.LAYOUT_RX_BYTES);
    this.txSlots = at(abi.LAYOUT_TX_SLOTS);
    this.#txEnd = at(abi.LAYOUT_TX_DESC) + this.txSlots * abi.TX_SIZE;
    this.#scratch = at(abi.LAYOUT_SCRATCH);
    this.#counters = at(abi.LAYOUT_COUNTERS);
    this.#randomPool = at(abi.LAYOUT_RANDOM);
    this.#randomBytes = at(abi.LAYOUT_RANDOM_BYTES);
    random.fill(this.#u8.subarray(this.#randomPool, this.#randomPool + this.#randomBytes));
    this.x.start();
  }

  /**
   * Growing the memory replaces its buffer; every access goes through these. The old buffer is detached then and
   * its views are empty, which is much cheaper to ask for than the present buffer.
   */
  get u8(): Uint8Array {
    if (this.#u8.length === 0) this.#refresh();
    return this.#u8;
  }
  get dv(): DataView {
    if (this.#u8.length === 0) this.#refresh();
    return this.#dv;
  }
  #refresh(): void {
    this.#u8 = new Uint8Array(this.#memory.buffer);
    this.#dv = new DataView(this.#memory.buffer);
  }

  /** Octets of linear memory. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Refills the random pool when half of it is used. */
  refillRandom(): void {
    if (this.x.randomUsed() * 2 < this.#randomBytes) return;
    this.#random.fill(this.u8.subarray(this.#randomPool, this.#randomPool + this.#randomBytes));
    this.x.randomRefilled();
  }

  // ---- receive ring ---------------------------------------------------------------------------------------------

  /**
   * Reserves `length` octets for one packet; returns their address, or 0 when the ring is full. `segment`: payload
   * octets of each segment that the packet was joined from, 0 unknown.
   */
  rxReserve(length: number, path: number, checksum: number, segment = 0): number {
    if (this.rxRoom(length) === 0) return 0;
    const at = this.rxNext;
    this.rxCommit(at, length, path, checksum, segment);
    return at;
  }

  /** How many packets of `size` octets there is room for. They follow each other from `rxNext` on. */
  rxRoom(size: number): number {
    return Math.min(this.#rxSlots - this.#rxCount, Math.floor((this.#rxBytes - this.#rxUsed) / size));
  }
  get rxNext(): number {
    return this.#rxStart + this.#rxUsed;
  }

  get #rxStart(): number {
    return this.#rxData + this.#rxArea * this.#rxBytes;
  }

  /**
   * A packet lies at an address beyond `rxNext`; the next ones follow it. Of one whose payload is in a buffer of its own only
   * the headers lie there, and room for the rest.
   */
  rxCommit(
    at: number,
    length: number,
    path: number,
    checksum: number,
    segment: number,
    payload?: Uint8Array,
  ): void {
    const descriptor = this.#rxDescriptors + this.#rxCount * abi.RX_SIZE;
    const dv = this.dv;
    dv.setUint32(descriptor + abi.RX_PTR, at, true);
    dv.setUint32(descriptor + abi.RX_LEN, length, true);
    dv.setUint32(descriptor + abi.RX_PATH, path, true);
    dv.setUint32(descriptor + abi.RX_CHECKSUM, checksum, true);
    dv.setUint32(descriptor + abi.RX_SEGMENT, segment, true);
    dv.setUint32(descriptor + abi.RX_PLACED, payload === undefined ? 0 : this.placed.keep(payload), true);
    this.#rxCount++;
    this.#rxUsed = Math.min(this.#rxBytes, (at - this.#rxStart + length + 15) & ~15);
  }

  /** Takes the pack of `packets` packets that another core made. False: no room, nothing was copied. */
  rxPack(pack: Uint8Array, packets: number, path: number, checksum: number): boolean {
    if (this.rxRoom(pack.length) === 0 || this.#rxSlots - this.#rxCount < packets) return false;
    const at = this.rxNext;
    this.u8.set(pack, at);
    this.x.rxUnpack(this.#rxCount, at, pack.length, path, checksum);
    this.#rxCount += packets;
    this.#rxUsed += pack.length;
    return true;
  }

  get rxPending(): number {
    return this.#rxCount - this.#rxHandled;
  }

  /** Handles what lies in the receive ring, at most until events have to be read. `drain` is called in between. */
  rxHandle(now: number, drain: () => void): void {
    // Draining sends, and a peer in the same process may answer into this ring at once.
    while (this.rxPending > 0) {
      this.rxInput(now);
      if (this.rxPending > 0) drain();
    }
  }

  /** The same, until events have to be read. */
  rxInput(now: number): void {
    for (;;) {
      this.#rxHandled = this.x.input(now, this.#rxHandled, this.#rxCount);
      if (this.x.isMisplaced() === 0) return;
      this.#rxTakeIn(this.#rxHandled);
    }
  }

  /** Puts the payload of a packet behind its headers. */
  #rxTakeIn(i: number): void {
    const { dv, u8 } = this;
    const descriptor = this.#rxDescriptors + i * abi.RX_SIZE;
    const placed = dv.getUint32(descriptor + abi.RX_PLACED, true);
    const at = dv.getUint32(descriptor + abi.RX_PTR, true);
    const header = headersLength(u8, at);
    u8.set(this.octetsAt(placed, dv.getUint32(descriptor + abi.RX_LEN, true) - header), at + header);
    dv.setUint32(descriptor + abi.RX_PLACED, 0, true);
    this.placed.copied(placed);
  }

  /** Octets in the core's memory, or in a buffer of their own. The view is valid until the core's memory grows. */
  octetsAt(address: number, length: number): Uint8Array {
    if (address >= abi.PLACED) return this.placed.octetsAt(address, length);
    return this.u8.subarray(address, address + length);
  }

  /**
   * Events are handled: if everything in the ring is, the next batch has the same area, or the other one while something
   * of this batch is left to read. What is left of the batch before has to leave that one.
   */
  rxRelease(): void {
    this.placed.tidy();
    if (this.#rxCount === 0 || this.rxPending > 0) return;
    this.#rxArea = this.x.inputDone(this.#rxArea);
    this.#rxCount = this.#rxUsed = this.#rxHandled = 0;
  }

  // ---- transmit ring --------------------------------------------------------------------------------------------

  /** Address of the `i`-th of the descriptors that wait. */
  txDescriptor(i: number): number {
    const at = this.x.txFirst() + i * abi.TX_SIZE;
    return at < this.#txEnd ? at : at - this.txSlots * abi.TX_SIZE;
  }

  /** The pack that `txPack` made last, until the next one. */
  get pack(): Uint8Array {
    return new Uint8Array(this.u8.buffer, this.x.packAt(), this.x.packOctets());
  }

  /** Copies some of the octets of a loan that its connection still needs to its ring. Returns how many; 0: none are left. */
  repaySome(loan: Uint8Array): number {
    const { x } = this;
    const n = x.repayNext();
    if (n > 0) this.u8.set(new Uint8Array(loan.buffer, loan.byteOffset + x.repayFrom(), n), x.repayAt());
    return n;
  }

  /** Copies all of them and ends the loan. Returns how many. */
  repay(loan: Uint8Array): number {
    let copied = 0;
    for (let n = this.repaySome(loan); n > 0; n = this.repaySome(loan)) copied += n;
    this.x.loanEnd();
    return copied;
  }

  // ---- events -------------------------------------------------------------------------------------------------------

  /**
   * Calls `handle` for every event so far. The record is reused; events that `handle` causes come later. Before
   * that, `ended` is called for every subflow that ended: its figures are still there, its connection's handle, too.
   */
  drainEvents(
    handle: (event: CoreEvent) => void,
    ended: (connection: number, subflow: number) => void,
  ): number {
    const n = this.x.eventsPending();
    if (n === 0) {
      this.x.eventsHandled();
      return 0;
    }
    // Handlers issue commands that cause events: take a copy so that the ring is free again.
    const first = this.x.eventsFirst();
    const copy = this.u8.slice(first, first + n * abi.EV_SIZE);
    this.x.eventsClear();
    const dv = new DataView(copy.buffer);
    const event = this.#event;
    for (let i = 0; i < n; i++) {
      const at = i * abi.EV_SIZE;
      if (dv.getUint32(at + abi.EV_TYPE, true) !== abi.EVENT_SUBFLOW_DOWN) continue;
      ended(dv.getUint32(at + abi.EV_CONN, true), dv.getUint32(at + abi.EV_SUBFLOW, true));
    }
    for (let i = 0; i < n; i++) {
      const at = i * abi.EV_SIZE;
      event.type = dv.getUint32(at + abi.EV_TYPE, true);
      event.connection = dv.getUint32(at + abi.EV_CONN, true);
      event.subflow = dv.getUint32(at + abi.EV_SUBFLOW, true);
      event.a = dv.getUint32(at + abi.EV_A, true);
      event.b = dv.getUint32(at + abi.EV_B, true);
      event.c = dv.getUint32(at + abi.EV_C, true);
      event.address.set(copy.subarray(at + abi.EV_ADDR, at + abi.EV_ADDR + 16));
      handle(event);
    }
    return n;
  }

  // ---- connections ------------------------------------------------------------------------------------------------------

  /** A connection that is not open yet. Returns its handle, or a negative code. */
  create(now: number, settings: Settings): number {
    const handle = this.x.create();
    if (handle < 0) return handle;
    for (const [option, value] of settings) {
      const result = this.x.setOption(now, handle, option, value);
      if (result >= 0) continue;
      this.x.release(now, handle);
      return result;
    }
    return handle;
  }

  // ---- arguments and results ------------------------------------------------------------------------------------------

  /** Puts the addresses of connect, join, listen or announce in place (16 octets each). */
  setAddresses(local: Uint8Array, remote?: Uint8Array): void {
    const u8 = this.u8;
    u8.set(local, this.#scratch + abi.ARG_LOCAL);
    if (remote !== undefined) u8.set(remote, this.#scratch + abi.ARG_REMOTE);
  }

  scratchU32(offset: number): number {
    return this.dv.getUint32(this.#scratch + offset, true);
  }
  scratchF64(offset: number): number {
    return this.dv.getFloat64(this.#scratch + offset, true);
  }
  scratchBytes(offset: number, length: number): Uint8Array {
    return this.u8.slice(this.#scratch + offset, this.#scratch + offset + length);
  }

  /** Counts what the core cannot see. */
  count(id: number): void {
    const at = this.#counters + id * 8;
    this.dv.setBigUint64(at, this.dv.getBigUint64(at, true) + 1n, true);
  }

  /** Value of a counter (MIB_*). */
  counter(id: number): number {
    const at = this.#counters + id * 8;
    return this.dv.getUint32(at, true) + this.dv.getUint32(at + 4, true) * 4294967296;
  }
}

/** Octets of the IP and TCP header of a sound packet. */
function headersLength(u8: Uint8Array, at: number): number {
  const first = u8[at] as number;
  const ip = first >> 4 === 4 ? (first & 15) * 4 : 40;
  return ip + ((u8[at + ip + 12] as number) >> 4) * 4;
}
