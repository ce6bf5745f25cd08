/**
 * Device `raw`: whole IP packets through raw sockets (raw(7)), interoperable with every TCP of the network. Linux,
 * with the privilege CAP_NET_RAW and the optional packages raw-socket and koffi.
 *
 * A path has three sockets. One sends and is bound to the path's interface, because the source address alone does not
 * choose the way out. One receives whatever comes to the path's address, from any interface as Linux itself does, behind
 * a kernel filter that lets only the ports in use through; one the ICMP errors about segments from those ports.
 */
import { AddressCache } from './address-cache.js';
import type { Path } from './device.js';
import { GuardedDevice, type GuardedPathEvents } from './guarded-device.js';
import { loadNative, type Native } from './native.js';
import { RawPath, type RawContext } from './raw-path.js';
import { loadRawSocket, tryRawSocket, type RawSocketModule } from './raw-socket.js';

export class RawDevice extends GuardedDevice<RawPath> {
  readonly kind = 'raw';
  /** A raw socket delivers IPv6 packets without their header. */
  readonly hidesEcn = (address: string): boolean => address.includes(':');
  readonly #context: RawContext;

  private constructor(module: RawSocketModule, native: Native) {
    super(native);
    const scratch = Buffer.allocUnsafeSlow(65536);
    this.#context = { module, native, addresses: new AddressCache(), scratch };
  }

  /** Rejects with EPERM or ERR_PLAIT_DEVICE, and the remedy, where raw sockets cannot be used. */
  static async load(): Promise<RawDevice> {
    const [native, module] = [await loadNative(), await loadRawSocket()];
    const error = tryRawSocket(module);
    if (error !== null) throw error;
    return new RawDevice(module, native);
  }

  protected override openPath(path: Path, address: Uint8Array, events: GuardedPathEvents): RawPath {
    return new RawPath(path, address, this.#context, events);
  }
}
