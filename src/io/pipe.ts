/**
 * A plain pipe between two hosts, for unit tests and benchmarks: no delay, no loss, the order kept, and
 * back-pressure instead of drops. A packet goes to the peer's path that has its destination address.
 */
import type { PlaitError } from '../errors.js';
import { PacketPool, PacketQueue, type PooledPacket } from '../sim/packet-pool.js';
import type { VirtualNetwork } from '../sim/world.js';
import { Checksum, type DeviceHost, type OutPacket, type Path } from './device.js';
import { VirtualDevice, isTo } from './virtual-device.js';

/**
 * A host that can gather a packet straight into its receive ring, which saves one of two copies. The pipe uses it
 * while both ends have exactly one path, since the packet's addresses are not looked at.
 */
export interface DirectHost extends DeviceHost {
  /** As `DeviceHost.receive`. Must not send in return before it has returned. False: no room, nothing copied. */
  receiveFrom(path: number, packet: OutPacket, checksum: Checksum): boolean;
  /** The same for the pack of `Device.sendPack`. */
  receivePack(path: number, pack: Uint8Array, packets: number, checksum: Checksum): boolean;
}

export interface PipeOptions {
  /** Packets that may wait in each direction before `send` returns false. Default 1024. */
  readonly capacity?: number;
  /** Whether the stacks compute TCP checksums. Default true. */
  readonly needsChecksum?: boolean;
  /** Octets of the largest packet that takes the place of several segments (`Device.segmentation`). Default 0. */
  readonly segmentation?: number;
}

/** Either call `pump` in a loop of your own, or give the pipe to a `World`. */
export class MemoryPipe implements VirtualNetwork {
  readonly a: PipeDevice;
  readonly b: PipeDevice;

  constructor(options: PipeOptions = {}) {
    const { capacity = 1024, needsChecksum = true, segmentation = 0 } = options;
    const pool = new PacketPool();
    this.a = new PipeDevice(pool, capacity, needsChecksum, segmentation);
    this.b = new PipeDevice(pool, capacity, needsChecksum, segmentation);
    this.a.peer = this.b;
    this.b.peer = this.a;
  }

  /** Hands over what waited when it was called, as far as the hosts have room. Returns the number of packets. */
  pump(): number {
    const toB = this.a.waiting;
    const toA = this.b.waiting;
    return this.a.drain(toB) + this.b.drain(toA);
  }

  nextDelivery(): number {
    return this.a.waiting + this.b.waiting > 0 ? -Infinity : Infinity;
  }

  deliver(): number {
    return this.pump();
  }
}

/** One end of a `MemoryPipe`. */
export class PipeDevice extends VirtualDevice {
  /** @internal */
  peer: PipeDevice | null = null;
  /** Packets to an address that the peer has not attached. */
  noRoute = 0;
  readonly #pool: PacketPool;
  readonly #capacity: number;
  /** On the way to the peer. */
  readonly #queue = new PacketQueue();
  /** Refused a packet, so that `writable` is due. */
  #full = false;
  readonly #paths: { readonly id: number; readonly address: Uint8Array }[] = [];
  #direct: DirectHost | null = null;

  /** @internal Made by `MemoryPipe`. */
  constructor(
    pool: PacketPool,
    capacity: number,
    needsChecksum: boolean,
    readonly segmentation: number,
  ) {
    super(needsChecksum);
    this.#pool = pool;
    this.#capacity = capacity;
  }

  /** Packets on the way to the peer. */
  get waiting(): number {
    return this.#queue.size;
  }

  override open(host: DeviceHost): void {
    super.open(host);
    this.#direct = 'receiveFrom' in host ? (host as DirectHost) : null;
  }

  send(_path: number, packet: OutPacket): boolean {
    if (this.#queue.size === 0 && this.peer?.takeDirect(this.#paths.length, packet)) return true;
    if (this.#queue.size >= this.#capacity) {
      this.#full = true;
      return false;
    }
    const pooled = this.#pool.take(packet.length);
    packet.copyTo(pooled.view, 0);
    pooled.segment = packet.segment;
    pooled.partial = packet.partial;
    this.#queue.push(pooled);
    return true;
  }

  sendPack(_path: number, pack: Uint8Array, packets: number): boolean {
    return this.#queue.size === 0 && (this.peer?.takePack(this.#paths.length, pack, packets) ?? false);
  }

  /** @internal Hands up to `count` packets to the peer, until it has no room. */
  drain(count: number): number {
    let handed = 0;
    while (handed < count) {
      const packet = this.#queue.peek();
      if (packet === null || !this.peer?.takeRouted(packet)) break;
      this.#queue.shift();
      this.#pool.release(packet);
      handed++;
    }
    if (this.#full && this.#queue.size < this.#capacity) {
      this.#full = false;
      this.host?.writable();
      this.onInput?.();
    }
    return handed;
  }

  override close(): void {
    for (let packet = this.#queue.shift(); packet; packet = this.#queue.shift()) this.#pool.release(packet);
    this.#direct = null;
    super.close();
  }

  /** @internal True if the packet was copied into the host's own ring. */
  takeDirect(peerPaths: number, packet: OutPacket): boolean {
    const path = this.#onlyPath(peerPaths);
    if (this.#direct === null || path === null) return false;
    const taken = this.#direct.receiveFrom(path, packet, this.#checksumOf(packet));
    this.onInput?.();
    return taken;
  }

  /** @internal The same for a pack. */
  takePack(peerPaths: number, pack: Uint8Array, packets: number): boolean {
    const path = this.#onlyPath(peerPaths);
    if (this.#direct === null || path === null) return false;
    const checksum = this.needsChecksum ? Checksum.Unknown : Checksum.Good;
    const taken = this.#direct.receivePack(path, pack, packets, checksum);
    this.onInput?.();
    return taken;
  }

  /** Where every packet goes, null when their addresses decide. */
  #onlyPath(peerPaths: number): number | null {
    return this.#paths.length === 1 && peerPaths === 1 ? (this.#paths[0]?.id ?? null) : null;
  }

  /** @internal False: the packet has to wait. */
  takeRouted(packet: PooledPacket): boolean {
    for (const path of this.#paths) {
      if (!isTo(packet.view, path.address)) continue;
      const taken =
        this.host?.receive(path.id, packet.view, this.#checksumOf(packet), packet.segment) ?? false;
      this.onInput?.();
      return taken;
    }
    this.noRoute++;
    return true;
  }

  /** A super-segment arrives as if the peer had joined its segments again. */
  #checksumOf(packet: { readonly partial: number }): Checksum {
    if (!this.needsChecksum) return Checksum.Good;
    return packet.partial === 0 ? Checksum.Unknown : Checksum.Partial;
  }

  protected override pathAttached(path: Path, address: Uint8Array): PlaitError | null {
    this.#paths.push({ id: path.id, address });
    return null;
  }

  protected override pathDetached(path: number): void {
    const index = this.#paths.findIndex(({ id }) => id === path);
    this.#paths.splice(index, 1);
  }
}
