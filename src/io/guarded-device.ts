/**
 * What the devices that speak TCP itself share: paths by number, and ports that a reset guard holds (reset-guard.ts).
 */
import { PlaitError } from '../errors.js';
import { isLinkLocal, parseAddress } from './address-cache.js';
import type { Checksum, Device, DeviceHost, DeviceKind, DeviceStats, OutPacket, Path } from './device.js';
import type { PathHealth } from './path-health.js';
import type { Native } from './native.js';
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

/** The sockets of one path. */
export interface GuardedPath {
  readonly path: Path;
  readonly address: Uint8Array;
  readonly health: PathHealth;
  /** Each port as often as it is bound. */
  boundPorts(): number[];
  bind(port: number): void;
  /** False: it was not bound. */
  unbind(port: number): boolean;
  /** False: the queue is full and `writable` comes. */
  send(packet: OutPacket): boolean;
  flush(): void;
  close(): void;
}

export interface GuardedPathEvents {
  /** A TCP packet for a bound port; valid during the call. */
  received(packet: Uint8Array, checksum: Checksum, segment: number): void;
  /** See `DeviceHost.batchOver`. */
  batchOver(): void;
  /** A packet that nobody asked for. */
  stray(): void;
  /** A packet that could not be sent. */
  lost(): void;
  writable(): void;
  noSegmentation(): void;
  /** See `DeviceHost.congested`. */
  congested(header: Uint8Array): void;
  state(up: boolean): void;
}

export abstract class GuardedDevice<P extends GuardedPath> implements Device {
  abstract readonly kind: DeviceKind;
  readonly overhead = 0;
  readonly needsChecksum = true;
  readonly stats: RawStats = { sendErrors: 0, strays: 0, ringFull: 0 };
  protected readonly paths = new Map<number, P>();
  readonly #guards: ResetGuards;
  #host: DeviceHost | null = null;

  protected constructor(native: Native) {
    this.#guards = new ResetGuards(native);
  }

  /** Throws PlaitError: EPERM, EADDRNOTAVAIL (no such interface or address), ERR_PLAIT_DEVICE. */
  protected abstract openPath(path: Path, address: Uint8Array, events: GuardedPathEvents): P;

  open(host: DeviceHost): void {
    this.#host = host;
  }

  /** Errors: EINVAL (no address in text form) and those of `openPath`. */
  attach(path: Path, done: (error: PlaitError | null) => void): void {
    try {
      this.#attach(path);
    } catch (error) {
      done(error as PlaitError);
      return;
    }
    done(null);
  }

  #attach(path: Path): void {
    const host = this.#host;
    const address = parseAddress(path.address);
    if (host === null) throw new PlaitError('EINVAL', 'the device is not open');
    if (this.paths.has(path.id)) throw new PlaitError('EINVAL', `path ${String(path.id)} is attached`);
    if (address === null) throw new PlaitError('EINVAL', `"${path.address}" is not an IP address`);
    this.#open(host, path, address);
  }

  #open(host: DeviceHost, path: Path, address: Uint8Array): P {
    const opened: P = this.openPath(path, address, {
      received: (packet, checksum, segment) => {
        if (!host.receive(path.id, packet, checksum, segment)) this.stats.ringFull++;
      },
      batchOver: () => {
        host.batchOver?.();
      },
      stray: () => this.stats.strays++,
      lost: () => this.stats.sendErrors++,
      writable: () => {
        host.writable();
      },
      noSegmentation: () => {
        host.noSegmentation(path.id);
      },
      congested: (header) => {
        host.congested(header);
      },
      state: (up) => {
        if (this.paths.get(path.id) === opened) host.pathState(path.id, up);
      },
    });
    this.paths.set(path.id, opened);
    return opened;
  }

  /** Opens the sockets again; what the old ones had not sent is lost. Errors: those of `openPath`. */
  changed(path: number): PlaitError | null {
    const before = this.paths.get(path);
    const host = this.#host;
    if (before === undefined || host === null) return null;
    try {
      const opened = this.#open(host, before.path, before.address);
      for (const port of before.boundPorts()) opened.bind(port);
      opened.health.continues(before.health);
    } catch (error) {
      return error as PlaitError;
    }
    before.close();
    host.writable();
    return null;
  }

  detach(path: number): void {
    const opened = this.paths.get(path);
    if (opened === undefined) return;
    this.paths.delete(path);
    for (const port of opened.boundPorts()) this.#guards.release(guardAddress(opened), port);
    opened.close();
  }

  /** Errors: those of `ResetGuards.hold`. */
  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    const opened = this.paths.get(path);
    if (opened === undefined) {
      done(new PlaitError('EADDRNOTAVAIL', `no path ${String(path)}`), 0);
      return;
    }
    this.#guards.hold(guardAddress(opened), port, (error, chosen) => {
      if (error === null && this.paths.get(path) !== opened) {
        this.#guards.release(guardAddress(opened), chosen);
        done(new PlaitError('EADDRNOTAVAIL', `path ${String(path)} was detached`), 0);
        return;
      }
      if (error === null) opened.bind(chosen);
      done(error, chosen);
    });
  }

  unbind(path: number, port: number): void {
    const opened = this.paths.get(path);
    if (opened?.unbind(port) === true) this.#guards.release(guardAddress(opened), port);
  }

  send(path: number, packet: OutPacket): boolean {
    const opened = this.paths.get(path);
    // The kernel would refuse a packet above the MTU: the header says not to fragment.
    if (opened === undefined || (packet.segment === 0 && packet.length > opened.path.mtu)) {
      this.stats.sendErrors++;
      return true;
    }
    return opened.send(packet);
  }

  statistics(): DeviceStats {
    return { dropped: this.dropped(), paths: [...this.paths.values()].map(({ health }) => health.stats()) };
  }

  /** See `DeviceStats`. */
  protected dropped(): number | null {
    return null;
  }

  flush(): void {
    for (const path of this.paths.values()) path.flush();
  }

  close(): void {
    for (const path of [...this.paths.keys()]) this.detach(path);
    this.#guards.close();
    this.#host = null;
  }
}

/** Where the guard listens: a link-local address needs its interface. */
function guardAddress({ path, address }: GuardedPath): string {
  return isLinkLocal(address) ? `${path.address}%${path.name}` : path.address;
}
