/** Takes packets out of the core's transmit ring to the devices of their paths; one that is full gets them later. */
import * as abi from '../../assembly/abi.js';
import type { Core } from '../core/core.js';
import type { Device, Path } from '../io/device.js';
import { OutBatch } from '../io/out-batch.js';
import type { Backlog } from './backlog.js';

/** Where the packets of a path go. */
export interface Outlet {
  readonly path: Path;
  readonly device: Device;
  /** What the device refused. */
  readonly backlog: Backlog;
}

export class Transmitter {
  readonly #core: Core;
  readonly #outlets: ReadonlyMap<number, Outlet>;
  /** What a device that takes many packets at once gets of this turn. */
  readonly #batches = new Map<Outlet, OutBatch>();
  readonly #single = new OutBatch(1);
  /** Paths whose device was full. */
  readonly #stalled = new Set<Outlet>();
  /** What an application lends at present (assembly/mptcp/loan.ts). */
  loan: Uint8Array | undefined = undefined;

  /** `outlets` by path. */
  constructor(core: Core, outlets: ReadonlyMap<number, Outlet>) {
    this.#core = core;
    this.#outlets = outlets;
  }

  /** Empties the ring. */
  transmit(): void {
    const { x, u8, dv } = this.#core;
    const pending = x.txPending();
    if (pending === 0) return;
    let packs = true; // until a device refuses one
    for (let i = 0; i < pending; i++) {
      const at = this.#core.txDescriptor(i);
      const outlet = this.#outlets.get(dv.getUint32(at + abi.TX_PATH, true));
      if (outlet === undefined || dv.getUint32(at + abi.TX_HEADER_LEN, true) === 0) continue;
      if (packs && outlet.device.sendPack !== undefined && outlet.backlog.isEmpty) {
        const packed = this.#sendPack(outlet, i);
        packs = packed > 0;
        if (packs) {
          i += packed - 1;
          continue;
        }
      }
      if (outlet.device.sendMany !== undefined && outlet.backlog.isEmpty) {
        const batch = this.#batchOf(outlet);
        if (batch.count === 0) batch.clear(u8, this.loan);
        append(batch, dv, at);
      } else {
        this.#single.clear(u8, this.loan);
        append(this.#single, dv, at);
        if (!outlet.backlog.isEmpty || give(outlet, this.#single) === 0)
          this.#refused(outlet, this.#single.select(0));
      }
    }
    for (const [outlet, batch] of this.#batches) {
      if (batch.count > 0) this.#send(outlet, batch);
      batch.clear(u8); // and forgets what was lent
    }
    x.txDone(pending);
  }

  /** Some device takes packets again. */
  resume(): void {
    for (const outlet of this.#stalled) {
      if (!outlet.backlog.drain((packets) => give(outlet, packets))) continue;
      this.#stalled.delete(outlet);
      this.#core.x.setPathBlocked(outlet.path.id, 0);
    }
  }

  /** A path is gone. */
  forget(outlet: Outlet): void {
    this.#stalled.delete(outlet);
    this.#batches.delete(outlet);
  }

  /** Packets from the `i`-th on that left as a pack. */
  #sendPack({ device, path }: Outlet, i: number): number {
    const packed = this.#core.x.txPack(i);
    if (packed === 0) return 0;
    return device.sendPack?.(path.id, this.#core.pack, this.#core.x.packPackets()) === true ? packed : 0;
  }

  #batchOf(outlet: Outlet): OutBatch {
    let batch = this.#batches.get(outlet);
    if (batch === undefined) {
      batch = new OutBatch(this.#core.txSlots);
      this.#batches.set(outlet, batch);
    }
    return batch;
  }

  #send(outlet: Outlet, batch: OutBatch): void {
    for (let i = give(outlet, batch); i < batch.count; i++) this.#refused(outlet, batch.select(i));
  }

  #refused(outlet: Outlet, packet: OutBatch): void {
    outlet.backlog.push(packet);
    if (this.#stalled.has(outlet)) return;
    this.#stalled.add(outlet);
    this.#core.x.setPathBlocked(outlet.path.id, 1);
  }
}

/** Gives packets to the device of their path, in order. Returns how many it took. */
function give({ device, path }: Outlet, packets: OutBatch): number {
  if (device.sendMany !== undefined) return device.sendMany(path.id, packets);
  for (let i = 0; i < packets.count; i++) {
    if (!device.send(path.id, packets.select(i))) return i;
  }
  return packets.count;
}

/** Appends what the descriptor at an address says (assembly/abi.ts). */
function append(batch: OutBatch, dv: DataView, at: number): void {
  batch.add(
    at + abi.TX_HEADER,
    dv.getUint32(at + abi.TX_HEADER_LEN, true),
    dv.getUint32(at + abi.TX_SPAN1, true),
    dv.getUint32(at + abi.TX_SPAN1_LEN, true),
    dv.getUint32(at + abi.TX_SPAN2, true),
    dv.getUint32(at + abi.TX_SPAN2_LEN, true),
    dv.getUint32(at + abi.TX_SEGMENT, true),
    dv.getUint32(at + abi.TX_PARTIAL, true),
  );
}
