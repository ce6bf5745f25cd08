/**
 * Device `packet`: whole IP packets through packet sockets (packet(7)), in batches. Interoperable with every TCP of the
 * network, as the device `raw`, at a fraction of its cost. Linux, with the privilege CAP_NET_RAW and the optional package
 * koffi.
 */
import type { DeviceHost, Path } from './device.js';
import { GuardedDevice, type GuardedPathEvents } from './guarded-device.js';
import { loadNative, type Native } from './native.js';
import { Netlink } from './netlink.js';
import type { OutBatch } from './out-batch.js';
import { PacketPath } from './packet-path.js';
import { PacketReceiver } from './packet-receiver.js';
import { tryPacketSocket } from './packet-socket.js';
import type { Timers } from './timers.js';

export class PacketDevice extends GuardedDevice<PacketPath> {
  readonly kind = 'packet';
  /** The largest IP packet: the kernel cuts it. */
  readonly segmentation = 65535;
  readonly #native: Native;
  readonly #timers: Timers;
  readonly #netlink: Netlink;
  readonly #receivers: Readonly<Record<4 | 6, PacketReceiver>>;

  private constructor(native: Native, timers: Timers) {
    super(native);
    this.#native = native;
    this.#timers = timers;
    this.#receivers = { 4: new PacketReceiver(native, 4), 6: new PacketReceiver(native, 6) };
    this.#netlink = new Netlink(native, () => {
      for (const path of this.paths.values()) path.routesChanged();
    });
  }

  /** Rejects with EPERM or ERR_PLAIT_DEVICE, and the remedy, where packet sockets cannot be used. */
  static async load(timers: Timers): Promise<PacketDevice> {
    const native = await loadNative();
    const error = tryPacketSocket(native);
    if (error !== null) throw error;
    return new PacketDevice(native, timers);
  }

  override open(host: DeviceHost): void {
    super.open(host);
    for (const receiver of [this.#receivers[4], this.#receivers[6]]) {
      receiver.ring = host.receiveRing ?? null;
      receiver.batchOver = () => {
        host.batchOver?.();
      };
    }
  }

  protected override openPath(path: Path, address: Uint8Array, events: GuardedPathEvents): PacketPath {
    const receiver = this.#receivers[address.length === 4 ? 4 : 6];
    return new PacketPath(path, address, this.#native, this.#netlink, this.#timers, receiver, events);
  }

  sendMany(path: number, packets: OutBatch): number {
    const opened = this.paths.get(path);
    if (opened !== undefined) return opened.sendMany(packets);
    this.stats.sendErrors += packets.count;
    return packets.count;
  }

  collect(): void {
    if (this.#isBound(4)) this.#receivers[4].receive();
    if (this.#isBound(6)) this.#receivers[6].receive();
  }

  /** Whether packets of a family can come: some path has a port. */
  #isBound(family: 4 | 6): boolean {
    for (const { isBound, address } of this.paths.values()) {
      if (isBound && (address.length === 4) === (family === 4)) return true;
    }
    return false;
  }

  protected override dropped(): number {
    return this.#receivers[4].dropped + this.#receivers[6].dropped;
  }

  override close(): void {
    super.close();
    this.#netlink.close();
  }
}
