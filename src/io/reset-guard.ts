/**
 * Reserves TCP ports in the kernel and keeps the kernel silent about them. The kernel knows nothing of connections
 * that live in userspace and would answer their segments with RST. A guard is a listening kernel socket whose filter
 * drops everything, so that the kernel finds an owner of the port and says nothing. Other programs cannot take the
 * port, and when this process dies the kernel is free to reset what the peers still hold.
 *
 * Newer kernels leave filters of TCP sockets to CAP_NET_ADMIN. Without it, the socket takes only packets with the largest
 * time to live (RFC 5082), which no common system sends, and none that has come through a router.
 */
import { constants } from 'node:os';
import { createServer, type Server } from 'node:net';
import { filesError, PlaitError } from '../errors.js';
import { DROP_ALL } from './bpf.js';
import { int, IPPROTO_IP, IPPROTO_IPV6, type Native } from './native.js';

type Done = (error: PlaitError | null, port: number) => void;

interface Guard {
  readonly server: Server;
  holders: number;
  /** Those who wait for the socket to listen; null once it does. */
  waiting: Done[] | null;
}

export class ResetGuards {
  readonly #native: Native;
  /** By address and port; a guard whose port the kernel still has to choose is in none. */
  readonly #guards = new Map<string, Guard>();
  readonly #choosing = new Set<Guard>();

  constructor(native: Native) {
    this.#native = native;
  }

  /**
   * Takes `port` on a local address (a link-local one with its zone, "fe80::1%eth0"); 0 lets the kernel choose.
   * A port held already gains a holder. Errors: EADDRINUSE, EADDRNOTAVAIL, EPERM (ports below 1024),
   * ERR_PLAIT_DEVICE (the filter is refused).
   */
  hold(address: string, port: number, done: Done): void {
    const guard = port === 0 ? undefined : this.#guards.get(key(address, port));
    if (guard === undefined) {
      this.#open(address, port, done);
    } else {
      guard.holders++;
      if (guard.waiting === null) done(null, port);
      else guard.waiting.push(done);
    }
  }

  /** Undoes one `hold`. */
  release(address: string, port: number): void {
    const guard = this.#guards.get(key(address, port));
    if (guard === undefined || --guard.holders > 0) return;
    this.#guards.delete(key(address, port));
    this.#drop(guard);
  }

  /** Gives every port back. Holds that still wait are answered with ERR_SOCKET_CLOSED. */
  close(): void {
    for (const guard of [...this.#guards.values(), ...this.#choosing]) this.#drop(guard);
    this.#guards.clear();
    this.#choosing.clear();
  }

  #drop(guard: Guard): void {
    guard.server.close();
    answer(guard, new PlaitError('ERR_SOCKET_CLOSED', 'the port was given back'), 0);
  }

  #open(address: string, port: number, done: Done): void {
    const server = createServer();
    const guard: Guard = { server, holders: 1, waiting: [done] };
    if (port === 0) this.#choosing.add(guard);
    else this.#guards.set(key(address, port), guard);
    const fail = (error: PlaitError): void => {
      this.#choosing.delete(guard);
      if (this.#guards.get(key(address, port)) === guard) this.#guards.delete(key(address, port));
      answer(guard, error, 0);
    };
    server.on('error', (error: NodeJS.ErrnoException) => {
      fail(listenError(error, address, port));
    });
    // Only in the moment before the filter is there.
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.resetAndDestroy();
    });
    server.on('listening', () => {
      if (guard.waiting === null) {
        // Given back while the kernel was asked: a server that does not listen yet cannot be closed.
        server.close();
        return;
      }
      const chosen = (server.address() as { port: number }).port;
      const errno = silence(this.#native, descriptor(server), address.includes(':'));
      if (errno !== 0) {
        server.close();
        fail(
          new PlaitError('ERR_PLAIT_DEVICE', `the kernel refuses a socket filter (errno ${String(errno)})`),
        );
        return;
      }
      this.#choosing.delete(guard);
      this.#guards.set(key(address, chosen), guard);
      answer(guard, null, chosen);
    });
    // A guard alone is no reason for the process to stay.
    server.unref();
    server.listen({ host: address, port, exclusive: true, ipv6Only: true, backlog: 1 });
  }
}

/** The socket drops every packet from now on. 0 or the errno. */
function silence(native: Native, fd: number, v6: boolean): number {
  const errno = native.attachFilter(fd, DROP_ALL);
  if (errno !== constants.errno.EPERM) return errno;
  return v6
    ? native.setOption(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, int(LARGEST_TTL))
    : native.setOption(fd, IPPROTO_IP, IP_MINTTL, int(LARGEST_TTL));
}

function answer(guard: Guard, error: PlaitError | null, port: number): void {
  const waiting = guard.waiting ?? [];
  guard.waiting = null;
  for (const done of waiting) done(error, port);
}

function listenError(error: NodeJS.ErrnoException, address: string, port: number): PlaitError {
  const where = `${address} port ${String(port)}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return port === 0
        ? new PlaitError('EADDRINUSE', `no free TCP port on ${address}`)
        : new PlaitError(
            'EADDRINUSE',
            `TCP ${where} is taken by another program`,
            `ss -ltnp 'sport = :${String(port)}'`,
          );
    case 'EADDRNOTAVAIL':
      return new PlaitError('EADDRNOTAVAIL', `${address} is not an address of this machine`);
    case 'EACCES':
    case 'EPERM':
      return new PlaitError(
        'EPERM',
        `TCP ${where} needs the privilege CAP_NET_BIND_SERVICE`,
        'use a port above 1023',
      );
    default:
      return (
        filesError(error) ??
        new PlaitError('ERR_PLAIT_DEVICE', `TCP ${where} cannot be reserved: ${error.message}`)
      );
  }
}

/** Node gives no other way to a server's descriptor. */
function descriptor(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

const key = (address: string, port: number): string => `${address} ${String(port)}`;

const LARGEST_TTL = 255;
// linux/in.h, linux/in6.h
const IP_MINTTL = 21;
const IPV6_MINHOPCOUNT = 73;
