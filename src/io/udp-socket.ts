/** One UDP socket of the device `udp`: a local port on a path, with all who hold it. */
import { filesError, PlaitError } from '../errors.js';
import type { OutPacket, Path } from './device.js';
import type { OutBatch } from './out-batch.js';

export type BindDone = (error: PlaitError | null, port: number) => void;

/** The one peer that a socket sends to, and hears ICMP errors about. */
export interface UdpPeer {
  readonly address: Uint8Array;
  readonly port: number;
}

export interface UdpSocketEvents {
  /** What `DeviceHost.receiveSegment` takes, if it is a segment. */
  received(
    socket: UdpSocket,
    payload: Uint8Array,
    remote: Uint8Array,
    remotePort: number,
    joined: number,
  ): void;
  /** What was there is received; see `DeviceHost.batchOver`. */
  batchOver(): void;
  /** The peer's machine says that nobody listens on its port. */
  refused(socket: UdpSocket): void;
  /** Nothing can be sent or received any more. */
  closed(socket: UdpSocket): void;
}

export abstract class UdpSocket {
  /** 0 until the kernel has chosen. */
  port: number;
  /** Whether anything was ever received. */
  heard = false;
  /** Sequence number of the latest SYN sent. */
  synSequence: number | null = null;
  protected readonly events: UdpSocketEvents;
  /** May have several peers, so that it is not to be connected. */
  protected shared = false;
  /** Has one peer, as the kernel knows. */
  protected connected = false;
  /** Holders of the port. Without any, the socket closes as soon as its last datagram is sent. */
  #bindings = 1;
  /** Those who wait for the port; null once it is bound. */
  #waiting: BindDone[] | null;
  /** Datagrams that did not leave yet. */
  #pending = 0;
  #closed = false;

  /** `done` gets EADDRINUSE, EADDRNOTAVAIL, EPERM (ports below 1024) or ERR_PLAIT_DEVICE. */
  protected constructor(port: number, events: UdpSocketEvents, done: BindDone) {
    this.port = port;
    this.events = events;
    this.#waiting = [done];
  }

  /** The peer of a connected socket. */
  abstract get peer(): UdpPeer | null;
  /** Gives the descriptor back. */
  protected abstract shut(): void;

  get isHeld(): boolean {
    return this.#bindings > 0;
  }

  /** One more holder. */
  bind(done: BindDone): void {
    this.#bindings++;
    if (this.#waiting === null) done(null, this.port);
    else this.#waiting.push(done);
  }

  /** Undoes one bind. */
  unbind(): void {
    if (this.#bindings > 0) this.#bindings--;
    this.#closeIfUnused();
  }

  /** Takes the port from all its holders; those who still wait for it get ERR_SOCKET_CLOSED. */
  release(): void {
    this.#bindings = 0;
    this.#answer(new PlaitError('ERR_SOCKET_CLOSED', 'the path was detached'));
    this.#closeIfUnused();
  }

  /** A datagram was given to it. */
  queued(): void {
    this.#pending++;
  }

  /** Datagrams left, or were lost. */
  left(count: number): void {
    this.#pending -= count;
    this.#closeIfUnused();
  }

  protected bound(port: number): void {
    this.port = port;
    this.#answer(null);
    this.#closeIfUnused();
  }

  protected notBound(error: PlaitError): void {
    this.#bindings = 0;
    this.#answer(error);
    this.#closeIfUnused();
  }

  protected get isBound(): boolean {
    return this.#waiting === null;
  }

  protected get isClosed(): boolean {
    return this.#closed;
  }

  protected received(payload: Uint8Array, remote: Uint8Array, remotePort: number, joined: number): void {
    if (this.#bindings === 0) return;
    this.heard = true;
    if (!this.connected) this.shared = true;
    this.events.received(this, payload, remote, remotePort, joined);
  }

  refused(): void {
    if (this.#bindings > 0) this.events.refused(this);
  }

  #answer(error: PlaitError | null): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const done of waiting) done(error, error === null ? this.port : 0);
  }

  #closeIfUnused(): void {
    if (this.#bindings > 0 || this.#pending > 0 || this.#waiting !== null || this.#closed) return;
    this.#closed = true;
    this.shut();
    this.events.closed(this);
  }
}

/** The calls that sockets are made of: those of node, or those of the C library. */
export interface UdpBackend {
  /** `Device.segmentation`. */
  readonly segmentation: number;
  /** Binds a socket to the path's address, which is 4 or 16 octets, and `port`. */
  socket(path: Path, address: Uint8Array, port: number, events: UdpSocketEvents, done: BindDone): UdpSocket;
  /** Where the path's packets go; `route` knows sockets of this backend only. */
  output(path: Path, address: Uint8Array, route: UdpRoute): UdpOutput;
}

/** Where the datagrams of one path leave. */
export interface UdpOutput {
  /** Takes one packet. False: the queue is full and `writable` comes. */
  send(packet: OutPacket): boolean;
  /** As `Device.sendMany`. */
  sendMany?(packets: OutBatch): number;
}

/** What an output needs of its path. */
export interface UdpRoute {
  /**
   * The socket for a packet whose TCP header lies at `start`, or null: its port is not bound, or it is too long. Makes the
   * segment ready: UDP's checksum guards it, so that its own is 0.
   */
  socketFor(packet: OutPacket, octets: Buffer, start: number): UdpSocket | null;
  /** Segments left. */
  sent(): void;
  /** Segments were lost to this errno name. */
  lost(code: string | undefined, count: number): void;
  writable(): void;
  noSegmentation(): void;
}

/** Octets of the header of an IP packet that the core made. */
export function ipHeaderLength(packet: Uint8Array, at: number): number {
  const first = packet[at] as number;
  return first >> 4 === 6 ? 40 : (first & 15) * 4;
}

/** What a failed bind means. `error` carries an errno name as its code. */
export function bindError(error: NodeJS.ErrnoException, address: string, port: number): PlaitError {
  const where = `UDP ${address} port ${String(port)}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new PlaitError('EADDRINUSE', `${where} is taken`, `ss -lunp 'sport = :${String(port)}'`);
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return new PlaitError('EADDRNOTAVAIL', `${address} is not an address of this machine`, 'ip address');
    case 'EACCES':
    case 'EPERM':
      return new PlaitError(
        'EPERM',
        `${where} needs the privilege CAP_NET_BIND_SERVICE`,
        'use a port above 1023',
      );
    default:
      return (
        filesError(error) ?? new PlaitError('ERR_PLAIT_DEVICE', `${where} cannot be bound: ${error.message}`)
      );
  }
}
