/**
 * What the devices without a kernel below them share: paths, ports and IP addresses in packets. The host owns its
 * whole addresses, so packets reach it whether their port is bound or not (it answers the stray ones with RST).
 */
import ipaddr from 'ipaddr.js';
import { PlaitError } from '../errors.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from './device.js';

export abstract class VirtualDevice implements Device {
  readonly kind = 'memory';
  readonly overhead = 0;
  readonly needsChecksum: boolean;
  /** Called after the host was given packets or news of a path, to let it run soon (`World.wake`). */
  onInput: (() => void) | null = null;
  #host: DeviceHost | null = null;
  readonly #ports = new Map<number, PortTable>();

  constructor(needsChecksum: boolean) {
    this.needsChecksum = needsChecksum;
  }

  abstract send(path: number, packet: OutPacket): boolean;

  /** A path with this address (4 or 16 octets) begins. Returns why it cannot, or null. */
  protected abstract pathAttached(path: Path, address: Uint8Array): PlaitError | null;
  protected abstract pathDetached(path: number): void;

  /** Null before `open` and after `close`. */
  protected get host(): DeviceHost | null {
    return this.#host;
  }

  open(host: DeviceHost): void {
    this.#host = host;
  }

  attach(path: Path, done: (error: PlaitError | null) => void): void {
    const address = parseAddress(path.address);
    const error =
      this.#host === null
        ? new PlaitError('ERR_SOCKET_CLOSED', 'the device is not open')
        : address === null
          ? new PlaitError('EINVAL', `"${path.address}" is not an IP address`)
          : this.pathAttached(path, address);
    if (error === null) this.#ports.set(path.id, new PortTable());
    done(error);
  }

  detach(path: number): void {
    if (this.#ports.delete(path)) this.pathDetached(path);
  }

  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    const ports = this.#ports.get(path);
    if (ports === undefined) {
      done(new PlaitError('EADDRNOTAVAIL', `no path ${String(path)}`), 0);
    } else if (!Number.isInteger(port) || port < 0 || port > 65535) {
      done(new PlaitError('EINVAL', `${String(port)} is not a port`), 0);
    } else {
      const bound = ports.bind(port);
      done(bound === 0 ? new PlaitError('EADDRINUSE', 'every ephemeral port is taken') : null, bound);
    }
  }

  unbind(path: number, port: number): void {
    this.#ports.get(path)?.unbind(port);
  }

  flush(): void {
    // Packets leave as they are sent.
  }

  close(): void {
    for (const path of [...this.#ports.keys()]) this.detach(path);
    this.#host = null;
  }

  /** Gives a packet to the host. False: it has no room, or there is none. */
  protected give(path: number, packet: Uint8Array): boolean {
    if (this.#host === null) return false;
    const taken = this.#host.receive(path, packet, this.needsChecksum ? Checksum.Unknown : Checksum.Good);
    this.onInput?.();
    return taken;
  }
}

/** The 4 or 16 octets of an IP address in text form, or null. */
export function parseAddress(text: string): Uint8Array | null {
  return ipaddr.isValid(text) ? Uint8Array.from(ipaddr.parse(text).toByteArray()) : null;
}

/** Whether an IP packet comes from `address` (4 or 16 octets). */
export function isFrom(packet: Uint8Array, address: Uint8Array): boolean {
  return matches(packet, address, address.length === 4 ? 12 : 8);
}

/** Whether an IP packet goes to `address` (4 or 16 octets). */
export function isTo(packet: Uint8Array, address: Uint8Array): boolean {
  return matches(packet, address, address.length === 4 ? 16 : 24);
}

function matches(packet: Uint8Array, address: Uint8Array, offset: number): boolean {
  if ((packet[0] as number) >> 4 !== (address.length === 4 ? 4 : 6)) return false;
  for (let i = 0; i < address.length; i++) {
    if (packet[offset + i] !== address[i]) return false;
  }
  return true;
}

/** Bound ports of one path, each with the number of its bindings. */
class PortTable {
  readonly #bound = new Map<number, number>();
  #nextEphemeral = FIRST_EPHEMERAL;

  /** Returns the port, or 0 if it was to be chosen and none is free. */
  bind(port: number): number {
    const chosen = port === 0 ? this.#choose() : port;
    if (chosen !== 0) this.#bound.set(chosen, (this.#bound.get(chosen) ?? 0) + 1);
    return chosen;
  }

  unbind(port: number): void {
    const count = this.#bound.get(port) ?? 0;
    if (count > 1) this.#bound.set(port, count - 1);
    else this.#bound.delete(port);
  }

  #choose(): number {
    for (let tries = FIRST_EPHEMERAL; tries <= 65535; tries++) {
      const port = this.#nextEphemeral;
      this.#nextEphemeral = port === 65535 ? FIRST_EPHEMERAL : port + 1;
      if (!this.#bound.has(port)) return port;
    }
    return 0;
  }
}

/** RFC 6335 section 6: the dynamic ports. */
const FIRST_EPHEMERAL = 49152;
