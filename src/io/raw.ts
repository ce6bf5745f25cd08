/**
 * Device `raw`: whole IP packets through raw sockets (raw(7)), interoperable with every TCP of the network. Linux,
 * with the privilege CAP_NET_RAW and the optional packages raw-socket and koffi.
 *
 * A path has two sockets. One sends and is bound to the path's interface, because the source address alone does not
 * choose the way out. The other receives whatever comes to the path's address, from any interface as Linux itself
 * does, behind a kernel filter that lets only the ports in use through.
 */
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { AddressCache, isLinkLocal } from './address-cache.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from './device.js';
import { loadNative, type Native } from './native.js';
import { RawPath, type RawContext } from './raw-path.js';
import { loadRawSocket, tryRawSocket, type RawSocketModule } from './raw-socket.js';
import { ResetGuards } from './reset-guard.js';

/** What happened to packets that are not the stack's to count. */
export interface RawStats {
  /** Not sent: an error of the system call, or longer than the path's MTU. */
  sendErrors: number;
  /** Received for a port that is not bound (any more), or no TCP. */
  strays: number;
  /** Received while the stack had no room. */
  ringFull: number;
}

export class RawDevice implements Device {
  readonly kind = 'raw';
  readonly overhead = 0;
  readonly needsChecksum = true;
  readonly stats: RawStats = { sendErrors: 0, strays: 0, ringFull: 0 };
  readonly #context: RawContext;
  readonly #guards: ResetGuards;
  readonly #paths = new Map<number, RawPath>();
  readonly #scratch = Buffer.allocUnsafeSlow(65536);
  #host: DeviceHost | null = null;

  private constructor(module: RawSocketModule, native: Native) {
    this.#context = { module, native, addresses: new AddressCache() };
    this.#guards = new ResetGuards(native);
  }

  /** Rejects with EPERM or ERR_PLAIT_DEVICE, and the remedy, where raw sockets cannot be used. */
  static async load(): Promise<RawDevice> {
    const [native, module] = [await loadNative(), await loadRawSocket()];
    const error = tryRawSocket(module);
    if (error !== null) throw error;
    return new RawDevice(module, native);
  }

  open(host: DeviceHost): void {
    this.#host = host;
  }

  /** Errors: EINVAL (no address in text form), EADDRNOTAVAIL (no such interface or address), ERR_PLAIT_DEVICE. */
  attach(path: Path, done: (error: PlaitError | null) => void): void {
    const host = this.#host;
    const address = this.#context.addresses.octets(path.address);
    if (host === null || this.#paths.has(path.id)) {
      done(
        new PlaitError(
          'EINVAL',
          host === null ? 'the device is not open' : `path ${String(path.id)} is attached`,
        ),
      );
      return;
    }
    if (address === null) {
      done(new PlaitError('EINVAL', `"${path.address}" is not an IP address`));
      return;
    }
    try {
      const opened: RawPath = new RawPath(path, address, this.#context, {
        received: (packet) => {
          if (!host.receive(path.id, packet, Checksum.Partial)) this.stats.ringFull++;
        },
        stray: () => this.stats.strays++,
        writable: () => {
          host.writable();
        },
        state: (up) => {
          if (this.#paths.get(path.id) === opened) host.pathState(path.id, up);
        },
      });
      this.#paths.set(path.id, opened);
    } catch (error) {
      done(error as PlaitError);
      return;
    }
    done(null);
  }

  detach(path: number): void {
    const opened = this.#paths.get(path);
    if (opened === undefined) return;
    this.#paths.delete(path);
    for (const port of opened.boundPorts()) this.#guards.release(guardAddress(opened), port);
    opened.close();
  }

  /** Errors: those of `ResetGuards.hold`. */
  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    const opened = this.#paths.get(path);
    if (opened === undefined) {
      done(new PlaitError('EADDRNOTAVAIL', `no path ${String(path)}`), 0);
      return;
    }
    this.#guards.hold(guardAddress(opened), port, (error, chosen) => {
      if (error === null && this.#paths.get(path) !== opened) {
        this.#guards.release(guardAddress(opened), chosen);
        done(new PlaitError('EADDRNOTAVAIL', `path ${String(path)} was detached`), 0);
        return;
      }
      if (error === null) opened.bind(chosen);
      done(error, chosen);
    });
  }

  unbind(path: number, port: number): void {
    const opened = this.#paths.get(path);
    if (opened?.unbind(port) === true) this.#guards.release(guardAddress(opened), port);
  }

  send(path: number, packet: OutPacket): boolean {
    const opened = this.#paths.get(path);
    // The kernel would refuse a packet above the MTU: the header says not to fragment.
    if (opened === undefined || packet.length > opened.path.mtu) {
      this.stats.sendErrors++;
      return true;
    }
    if (opened.blocked) return false;
    const length = packet.copyTo(this.#scratch, 0);
    const errno = opened.send(this.#scratch, length);
    if (errno === 0) return true;
    if (opened.blocked) return false;
    this.stats.sendErrors++;
    opened.health.failed(getSystemErrorName(-errno));
    return true;
  }

  flush(): void {
    // Packets leave as they are sent.
  }

  close(): void {
    for (const path of [...this.#paths.keys()]) this.detach(path);
    this.#guards.close();
    this.#host = null;
  }
}

/** Where the guard listens: a link-local address needs its interface. */
function guardAddress({ path, address }: RawPath): string {
  return isLinkLocal(address) ? `${path.address}%${path.name}` : path.address;
}
