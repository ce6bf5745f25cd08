/**
 * Device `packet`: whole IP packets through packet sockets (packet(7)), in batches. Interoperable with every TCP of the
 * network, as the device `raw`, at a fraction of its cost. Linux, with the privilege CAP_NET_RAW and the optional package
 * koffi.
 */
import { realClock } from '../core/clock.js';
import type { Path } from './device.js';
import { GuardedDevice, type GuardedPathEvents } from './guarded-device.js';
import { loadNative, type Native } from './native.js';
import { Netlink } from './netlink.js';
import { PacketPath, tryPacketSocket } from './packet-path.js';

export class PacketDevice extends GuardedDevice<PacketPath> {
  readonly kind = 'packet';
  readonly #native: Native;
  readonly #netlink: Netlink;

  private constructor(native: Native) {
    super(native);
    this.#native = native;
    this.#netlink = new Netlink(native, () => {
      for (const path of this.paths.values()) path.routesChanged();
    });
  }

  /** Rejects with EPERM or ERR_PLAIT_DEVICE, and the remedy, where packet sockets cannot be used. */
  static async load(): Promise<PacketDevice> {
    const native = await loadNative();
    const error = tryPacketSocket(native);
    if (error !== null) throw error;
    return new PacketDevice(native);
  }

  protected override openPath(path: Path, address: Uint8Array, events: GuardedPathEvents): PacketPath {
    return new PacketPath(path, address, this.#native, this.#netlink, () => realClock.now(), events);
  }

  override close(): void {
    super.close();
    this.#netlink.close();
  }
}
