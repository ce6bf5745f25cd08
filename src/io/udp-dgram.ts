/** The device `udp` over node:dgram, one call per datagram: for machines without koffi, and other systems than Linux. */
import { createSocket, type Socket } from 'node:dgram';
import { AddressCache, isLinkLocal } from './address-cache.js';
import type { OutPacket, Path } from './device.js';
import {
  bindError,
  ipHeaderLength,
  UdpSocket,
  type BindDone,
  type UdpBackend,
  type UdpOutput,
  type UdpPeer,
  type UdpRoute,
  type UdpSocketEvents,
} from './udp-socket.js';

export class DgramBackend implements UdpBackend {
  readonly segmentation = 0;
  readonly #addresses = new AddressCache();
  /** Free datagrams, for packets up to SMALL and for larger ones. */
  readonly #small: Datagram[] = [];
  readonly #large: Datagram[] = [];
  /** Those whose packets were refused. */
  readonly #blocked = new Set<DgramOutput>();
  /** Octets that node holds. */
  #queued = 0;

  socket(path: Path, address: Uint8Array, port: number, events: UdpSocketEvents, done: BindDone): UdpSocket {
    return new DgramSocket(
      path.address + zoneOf(path, address),
      address.length === 16,
      port,
      this.#addresses,
      events,
      done,
    );
  }

  output(path: Path, address: Uint8Array, route: UdpRoute): UdpOutput {
    return new DgramOutput(this, zoneOf(path, address), route);
  }

  /** @internal The text of the address that an IP packet goes to. */
  destination(packet: Buffer): string {
    return this.#addresses.destination(packet);
  }

  /** @internal A buffer for a packet, or null when node holds enough: then `unblock` is called. */
  take(length: number, output: DgramOutput): Datagram | null {
    if (this.#queued + length > QUEUE_LIMIT) {
      this.#blocked.add(output);
      return null;
    }
    this.#queued += length;
    const size = length <= SMALL ? SMALL : LARGEST;
    const datagram = (size === SMALL ? this.#small : this.#large).pop() ?? new Datagram(size);
    datagram.length = length;
    return datagram;
  }

  /** @internal Gives a buffer back. */
  give(datagram: Datagram): void {
    this.#queued -= datagram.length;
    (datagram.buffer.length === SMALL ? this.#small : this.#large).push(datagram);
    if (this.#blocked.size === 0 || this.#queued > QUEUE_LIMIT / 2) return;
    const outputs = [...this.#blocked];
    this.#blocked.clear();
    for (const output of outputs) output.unblock();
  }
}

/** A buffer that node holds until the datagram in it was sent. */
class Datagram {
  readonly buffer: Buffer;
  /** Octets of the IP packet in `buffer`. */
  length = 0;
  socket: DgramSocket | null = null;
  output: DgramOutput | null = null;
  /** Made once, so that sending allocates nothing of ours. */
  readonly done = (error: Error | null): void => {
    this.output?.finished(this, error);
  };

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }
}

class DgramOutput implements UdpOutput {
  readonly #backend: DgramBackend;
  /** To be put behind link-local addresses. */
  readonly #zone: string;
  readonly #route: UdpRoute;

  constructor(backend: DgramBackend, zone: string, route: UdpRoute) {
    this.#backend = backend;
    this.#zone = zone;
    this.#route = route;
  }

  send(packet: OutPacket): boolean {
    const datagram = this.#backend.take(packet.length, this);
    if (datagram === null) return false;
    const { buffer, length } = datagram;
    packet.copyTo(buffer, 0);
    const start = ipHeaderLength(buffer, 0);
    const socket = this.#route.socketFor(packet, buffer, start) as DgramSocket | null;
    if (socket === null) {
      this.#backend.give(datagram);
      return true;
    }
    datagram.socket = socket;
    datagram.output = this;
    const to = this.#backend.destination(buffer);
    socket.send(datagram, start, length - start, buffer.readUInt16BE(start + 2), to + this.#zone);
    return true;
  }

  unblock(): void {
    this.#route.writable();
  }

  /** The datagram left, or was lost to an error. */
  finished(datagram: Datagram, error: NodeJS.ErrnoException | null): void {
    const socket = datagram.socket as DgramSocket;
    datagram.socket = datagram.output = null;
    // An answer to an earlier datagram, which the kernel reports with the next system call of any kind.
    if (error?.code === 'ECONNREFUSED') socket.refused();
    if (error === null) this.#route.sent();
    else this.#route.lost(error.code, 1);
    this.#backend.give(datagram);
    socket.left(1);
  }
}

class DgramSocket extends UdpSocket {
  readonly #socket: Socket;
  readonly #addresses: AddressCache;
  #peer: { readonly address: string; readonly port: number } | null = null;

  /** Binds to `address` (a link-local one with its zone) and `port`. */
  constructor(
    address: string,
    v6: boolean,
    port: number,
    addresses: AddressCache,
    events: UdpSocketEvents,
    done: BindDone,
  ) {
    super(port, events, done);
    this.#addresses = addresses;
    this.#socket = newSocket(v6);
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      if (!this.isBound) this.notBound(bindError(error, address, port));
      else if (error.code === 'ECONNREFUSED') this.refused();
      // Others concern a datagram that was lost, which its sender finds out.
    });
    this.#socket.on('message', (payload, from) => {
      const remote = this.#addresses.octets(from.address);
      if (remote !== null) this.received(payload, remote, from.port, 0);
    });
    this.#socket.on('listening', () => {
      this.#listening();
    });
    this.#socket.bind({ address, port: port === 0 ? freePort(address, v6) : port, exclusive: true });
  }

  get peer(): UdpPeer | null {
    const address = this.#peer === null ? null : this.#addresses.octets(this.#peer.address);
    return this.#peer === null || address === null ? null : { address, port: this.#peer.port };
  }

  /** Sends `length` octets of the datagram from `start`; the result comes by `done`. */
  send(datagram: Datagram, start: number, length: number, port: number, address: string): void {
    this.queued();
    try {
      if (this.#peer?.port !== port || this.#peer.address !== address) this.#choosePeer(port, address);
      if (this.#peer !== null) this.#socket.send(datagram.buffer, start, length, datagram.done);
      else this.#socket.send(datagram.buffer, start, length, port, address, datagram.done);
    } catch (error) {
      queueMicrotask(() => {
        datagram.done(error as Error);
      });
    }
  }

  /**
   * A socket that sends before it ever received is a client's and has one peer: connected, it sends about a fifth
   * faster, and ICMP errors reach it. A server's is shared by all its peers.
   */
  #choosePeer(port: number, address: string): void {
    if (this.#peer !== null) {
      this.#peer = null;
      this.connected = false;
      this.shared = true;
      this.#socket.disconnect();
    } else if (!this.shared) {
      this.#socket.connect(port, address);
      this.connected = isConnected(this.#socket);
      if (this.connected) this.#peer = { address, port };
      // Else there is no route. The datagram is sent without, and reports it.
    }
  }

  #listening(): void {
    if (this.isClosed) return;
    for (const size of [SOCKET_BUFFER, SOCKET_BUFFER / 4]) {
      try {
        this.#socket.setRecvBufferSize(size);
        this.#socket.setSendBufferSize(size);
        break;
      } catch {
        // The system allows less.
      }
    }
    this.bound(this.#socket.address().port);
  }

  protected override shut(): void {
    this.#socket.close();
  }
}

/** What link-local addresses need behind them. */
const zoneOf = (path: Path, address: Uint8Array): string => (isLinkLocal(address) ? `%${path.name}` : '');

function newSocket(v6: boolean): Socket {
  return createSocket({
    type: v6 ? 'udp6' : 'udp4',
    ipv6Only: v6,
    // Destinations are addresses. An answer at once also makes node bind and send at once.
    lookup: (name, _options, callback) => {
      callback(null, name, v6 ? 6 : 4);
    },
  });
}

/**
 * A port that the kernel chose, for a socket to bind to by number: one that was bound to port 0 loses its port when it
 * is disconnected from its peer. 0 if there is none.
 */
function freePort(address: string, v6: boolean): number {
  const socket = newSocket(v6);
  socket.on('error', () => undefined); // the real one meets it again
  try {
    return socket.bind({ address, port: 0, exclusive: true }).address().port;
  } catch {
    return 0;
  } finally {
    socket.close();
  }
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch {
    return false;
  }
}

const SMALL = 2048;
const LARGEST = 65536;
/** Octets that wait in node before `send` refuses; the kernel's own buffers come on top. */
const QUEUE_LIMIT = 1 << 21;
const SOCKET_BUFFER = 4 << 20;
