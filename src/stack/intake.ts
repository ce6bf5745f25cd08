/** What devices hand over: into the core's receive ring, and when it is handled. */
import type { Core } from '../core/core.js';
import { Checksum, type OutPacket, type ReceiveRing } from '../io/device.js';
import { ipHeaderLength, writeIpHeader } from './ip-header.js';
import { CoreRing } from './receive-ring.js';

/** What it needs of its stack. */
export interface Runner {
  /** Has the stack run soon. */
  wake(): void;
  /** Runs the stack, unless it is running, and sets its timer. */
  runNow(): void;
  /** Handles what waits, unless the stack is running. */
  makeRoom(): void;
}

export class Intake {
  readonly ring: ReceiveRing;
  readonly #core: Core;
  readonly #runner: Runner;

  constructor(core: Core, takers: ReadonlySet<unknown>, runner: Runner) {
    this.#core = core;
    this.#runner = runner;
    this.ring = new CoreRing(core, takers, () => {
      runner.makeRoom();
    });
  }

  packet(path: number, packet: Uint8Array, checksum: Checksum, segment: number): boolean {
    const at = this.#reserve(packet.length, path, checksum, segment);
    if (at === 0) return false;
    this.#core.u8.set(packet, at);
    return true;
  }

  gather(path: number, packet: OutPacket, checksum: Checksum): boolean {
    const at = this.#reserve(packet.length, path, checksum, packet.segment);
    if (at === 0) return false;
    packet.copyTo(this.#core.u8, at);
    return true;
  }

  pack(path: number, pack: Uint8Array, packets: number, checksum: Checksum): boolean {
    this.#runner.wake();
    return this.#core.rxPack(pack, packets, path, checksum);
  }

  /** `local` and `remote`: 4 or 16 octets. */
  segment(
    path: number,
    local: Uint8Array,
    localPort: number,
    remote: Uint8Array,
    remotePort: number,
    segment: Uint8Array,
    joined: number,
  ): boolean {
    const header = ipHeaderLength(remote);
    const at = this.#reserve(header + segment.length, path, Checksum.Good, joined);
    if (at === 0) return false;
    const { u8, dv } = this.#core;
    writeIpHeader(u8.subarray(at, at + header), remote, local, segment.length);
    u8.set(segment, at + header);
    dv.setUint16(at + header, remotePort);
    dv.setUint16(at + header + 2, localPort);
    return true;
  }

  /** See `DeviceHost.batchOver`. */
  batchOver(): void {
    const { rxPending } = this.#core;
    if (rxPending === 0) return;
    if (rxPending <= FEW) this.#runner.runNow();
    else this.#runner.wake();
  }

  /** Room for a packet. A device may bring more at once than the ring holds: then what is there is handled first. */
  #reserve(length: number, path: number, checksum: Checksum, segment: number): number {
    const at = this.#core.rxReserve(length, path, checksum, segment);
    this.#runner.wake();
    if (at !== 0) return at;
    this.#runner.makeRoom();
    return this.#core.rxReserve(length, path, checksum, segment);
  }
}

/** Packets that are handled as soon as they are there. */
const FEW = 2;
