/** One UDP socket of the device `udp`: a local port on a path. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { PlaitError } from '../errors.js';

type BindDone = (error: PlaitError | null, port: number) => void;

/** A buffer that node holds until the datagram in it was sent. */
export class Datagram {
  readonly buffer: Buffer;
  /** Octets of the IP packet in `buffer`. */
  length = 0;
  socket: UdpSocket | null = null;
  /** Made once, so that sending allocates nothing of ours. */
  readonly done = (error: Error | null): void => {
    this.socket?.finished(this, error);
  };

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }
}

export interface UdpSocketEvents {
  received(socket: UdpSocket, payload: Buffer, from: RemoteInfo): void;
  /** The peer's machine says that nobody listens on its port. */
  refused(socket: UdpSocket): void;
  /** The datagram left, or was lost to an error. Its buffer is free. */
  sent(datagram: Datagram, error: NodeJS.ErrnoException | null): void;
  /** Nothing can be sent or received any more. */
  closed(socket: UdpSocket): void;
}

export class UdpSocket {
  /** Holders of the port. Without any, the socket closes as soon as its last datagram is sent. */
  bindings = 1;
  /** 0 until the kernel has chosen. */
  port: number;
  /** Whether anything was ever received. */
  heard = false;
  /** Sequence number of the latest SYN sent. */
  synSequence: number | null = null;
  /** The one peer of a connected socket. */
  peer: { readonly address: string; readonly port: number } | null = null;
  readonly #socket: Socket;
  readonly #events: UdpSocketEvents;
  /** Those who wait for the port; null once it is bound. */
  #waiting: BindDone[] | null;
  /** Datagrams that node has not reported on. */
  #pending = 0;
  #closed = false;
  /** May have several peers, so that it is not to be connected. */
  #shared = false;

  /**
   * Binds to `address` (a link-local one with its zone) and `port`, or takes over a bound descriptor. `done` gets
   * EADDRINUSE, EADDRNOTAVAIL, EPERM (ports below 1024) or ERR_PLAIT_DEVICE.
   */
  constructor(
    local: {
      readonly address: string;
      readonly v6: boolean;
      readonly port: number;
      readonly fd: number | null;
    },
    events: UdpSocketEvents,
    done: BindDone,
  ) {
    const { address, v6, port, fd } = local;
    this.port = port;
    this.#events = events;
    this.#waiting = [done];
    this.#socket = createSocket({
      type: v6 ? 'udp6' : 'udp4',
      ipv6Only: v6,
      // Destinations are addresses. An answer at once also makes node send at once.
      lookup: (name, _options, callback) => {
        callback(null, name, v6 ? 6 : 4);
      },
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#failed(error, address);
    });
    this.#socket.on('message', (payload, from) => {
      if (this.bindings === 0) return;
      this.heard = true;
      if (this.peer === null) this.#shared = true;
      this.#events.received(this, payload, from);
    });
    this.#socket.on('listening', () => {
      this.#listening();
    });
    this.#socket.bind(fd === null ? { address, port, exclusive: true } : { fd, exclusive: true });
  }

  /** One more holder. */
  bind(done: BindDone): void {
    this.bindings++;
    if (this.#waiting === null) done(null, this.port);
    else this.#waiting.push(done);
  }

  /** Undoes one bind. */
  unbind(): void {
    if (this.bindings > 0) this.bindings--;
    this.#closeIfUnused();
  }

  /** Takes the port from all its holders; those who still wait for it get ERR_SOCKET_CLOSED. */
  release(): void {
    this.bindings = 0;
    this.#answer(new PlaitError('ERR_SOCKET_CLOSED', 'the path was detached'));
    this.#closeIfUnused();
  }

  /** Sends `length` octets of the datagram from `start`; the result comes by `sent`. */
  send(datagram: Datagram, start: number, length: number, port: number, address: string): void {
    datagram.socket = this;
    this.#pending++;
    try {
      if (this.peer?.port !== port || this.peer.address !== address) this.#choosePeer(port, address);
      if (this.peer !== null) this.#socket.send(datagram.buffer, start, length, datagram.done);
      else this.#socket.send(datagram.buffer, start, length, port, address, datagram.done);
    } catch (error) {
      queueMicrotask(() => {
        datagram.done(error as Error);
      });
    }
  }

  /** @internal Called by the datagram. */
  finished(datagram: Datagram, error: NodeJS.ErrnoException | null): void {
    datagram.socket = null;
    this.#pending--;
    // An answer to an earlier datagram, which the kernel reports with the next system call of any kind.
    if (error?.code === 'ECONNREFUSED') this.#refused();
    this.#events.sent(datagram, error);
    this.#closeIfUnused();
  }

  /**
   * A socket that sends before it ever received is a client's and has one peer: connected, it sends about a fifth
   * faster, and ICMP errors reach it. A server's is shared by all its peers.
   */
  #choosePeer(port: number, address: string): void {
    if (this.peer !== null) {
      this.peer = null;
      this.#shared = true;
      this.#socket.disconnect();
    } else if (!this.#shared) {
      this.#socket.connect(port, address);
      if (isConnected(this.#socket)) this.peer = { address, port };
      // Else there is no route. The datagram is sent without, and reports it.
    }
  }

  #listening(): void {
    if (this.#closed) return;
    for (const size of [SOCKET_BUFFER, SOCKET_BUFFER / 4]) {
      try {
        this.#socket.setRecvBufferSize(size);
        this.#socket.setSendBufferSize(size);
        break;
      } catch {
        // The system allows less.
      }
    }
    this.port = this.#socket.address().port;
    this.#answer(null);
    this.#closeIfUnused();
  }

  #failed(error: NodeJS.ErrnoException, address: string): void {
    if (this.#waiting !== null) {
      this.bindings = 0;
      this.#answer(bindError(error, address, this.port));
      this.#closeIfUnused();
    } else if (error.code === 'ECONNREFUSED') {
      this.#refused();
    }
    // Others concern a datagram that was lost, which its sender finds out.
  }

  #refused(): void {
    if (this.bindings > 0) this.#events.refused(this);
  }

  #answer(error: PlaitError | null): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const done of waiting) done(error, error === null ? this.port : 0);
  }

  #closeIfUnused(): void {
    if (this.bindings > 0 || this.#pending > 0 || this.#waiting !== null || this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#events.closed(this);
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
      return new PlaitError('ERR_PLAIT_DEVICE', `${where} cannot be bound: ${error.message}`);
  }
}

const SOCKET_BUFFER = 4 << 20;
