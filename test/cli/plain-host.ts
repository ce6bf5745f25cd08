/** A stand-in for a Plait host: the same face over the kernel's TCP, one subflow per connection. */
import { EventEmitter } from 'node:events';
import * as net from 'node:net';
import { networkInterfaces } from 'node:os';
import { TableControl } from '../support/endpoint-control.js';
import { PathEvents } from '../../src/net/path-events.js';
import type { Host, HostOptions, ListenOptions, OnRead, Server, Socket } from '../../src/net/types.js';
import type { ConnectionInfo } from '../../src/stack/info.js';

export function createPlainHost(options: HostOptions): Promise<Host> {
  const sockets = new Set<net.Socket>();
  const servers = new Set<net.Server>();
  const addresses = options.paths ?? ['127.0.0.1'];
  const adopt = (socket: net.Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    return withInfo(socket);
  };
  return Promise.resolve({
    device: 'udp',
    connect({ host, port, localAddress, timeout = 30_000, onread }) {
      const socket = net.connect({
        host,
        port,
        allowHalfOpen: true,
        ...(localAddress !== undefined && { localAddress }),
      });
      const error = Object.assign(new Error(`no answer from ${host}`), { code: 'ETIMEDOUT' });
      const timer = setTimeout(() => socket.destroy(error), timeout);
      for (const event of ['connect', 'close']) socket.on(event, () => clearTimeout(timer));
      lend(socket, onread);
      return adopt(socket);
    },
    createServer(onConnection) {
      const inner = net.createServer({ allowHalfOpen: true });
      servers.add(inner);
      return new PlainServer(inner, (socket) => onConnection?.(adopt(socket)));
    },
    paths: () => addresses.map((address, id) => ({ id, name: interfaceOf(address), address, mtu: 1500 })),
    deviceStats: () => ({ dropped: null, paths: [] }),
    counters: () => ({ MPCapableSYNTX: 1 }),
    pathManager: new TableControl(),
    events: new PathEvents(() => () => undefined),
    close: () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) server.close();
      return Promise.resolve();
    },
  });
}

class PlainServer extends EventEmitter implements Server {
  readonly #inner: net.Server;
  constructor(inner: net.Server, onConnection: (socket: net.Socket) => void) {
    super();
    this.#inner = inner;
    inner.on('connection', onConnection);
    inner.on('listening', () => this.emit('listening'));
    inner.on('error', (error) => this.emit('error', error));
  }
  listen(port: number, address = '::', { onread }: ListenOptions = {}): this {
    this.#inner.prependListener('connection', (socket: net.Socket) => {
      lend(socket, onread?.(socket as unknown as Socket));
    });
    this.#inner.listen(port, address);
    return this;
  }
  get port(): number {
    return (this.#inner.address() as net.AddressInfo).port;
  }
  get listening(): boolean {
    return this.#inner.listening;
  }
  close(): Promise<void> {
    return new Promise((resolve) => this.#inner.close(() => resolve()));
  }
}

/** As a socket does that reads by `onread` without a buffer. */
function lend(socket: net.Socket, onread: OnRead | undefined): void {
  if (onread === undefined) return;
  socket.on('data', (chunk: Buffer) => {
    if (onread.callback(chunk.length, chunk) === false) socket.pause();
  });
}

function withInfo(socket: net.Socket): Socket {
  const info = (): ConnectionInfo => ({
    mptcp: false,
    fallback: 'stand-in',
    fullyEstablished: true,
    state: socket.readyState,
    localToken: null,
    remoteToken: null,
    bytesWritten: socket.bytesWritten,
    bytesRead: socket.bytesRead,
    bytesAcked: socket.bytesWritten - socket.writableLength,
    bytesReinjected: 0,
    subflows: [
      {
        id: 1,
        path: 0,
        pathName: 'lo',
        local: { address: socket.localAddress ?? '127.0.0.1', port: socket.localPort ?? 0 },
        remote: { address: socket.remoteAddress ?? '127.0.0.1', port: socket.remotePort ?? 0 },
        localId: 0,
        remoteId: 0,
        state: 'ESTABLISHED',
        backup: false,
        stale: false,
        ecn: false,
        joined: false,
        closing: false,
        bytesSent: socket.bytesWritten,
        bytesReceived: socket.bytesRead,
        srtt: 100,
        minRtt: 50,
        rto: 200_000,
        cwnd: 10,
        ssthresh: 100,
        inFlight: 0,
        retransmissions: 0,
        mss: 1448,
      },
    ],
  });
  return Object.assign(socket, { info }) as unknown as Socket;
}

function interfaceOf(address: string): string {
  const found = Object.entries(networkInterfaces()).find(([, list]) =>
    list?.some((entry) => entry.address === address),
  );
  return found?.[0] ?? 'lo';
}
