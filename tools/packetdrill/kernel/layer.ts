/** The socket calls of a script, made to the kernel. */
import { readFileSync } from 'node:fs';
import type { SocketCall } from '../ast.js';
import type { Config } from '../config.js';
import type { StampClock } from '../posix/ancillary.js';
import { CONSTANTS, constant, SOL } from '../posix/constants.js';
import { number } from '../posix/evaluate.js';
import type { CallOutcome, InfoFields, RunningCall, SocketEndpoints, SocketLayer } from '../socket-layer.js';
import { prepare, type Prepared } from './calls.js';
import { microseconds, type KernelHost } from './host.js';
import { pointer, type Libc, type Word } from './libc.js';
import { decodeAddress, decodeMptcpInfo, decodeTcpInfo, int32 } from './structs.js';

const ERRNO_NAMES = new Map(
  [...CONSTANTS]
    .filter(([name]) => /^E[A-Z0-9]+$/.test(name) && name !== 'EWOULDBLOCK' && name !== 'ENOTSUP')
    .map(([name, value]) => [Number(value), name]),
);

class Running implements RunningCall {
  #outcome: CallOutcome | null = null;

  constructor(
    private readonly host: KernelHost,
    private readonly prepared: Prepared,
  ) {
    host.caller.begin(prepared.name, prepared.args);
  }

  get outcome(): CallOutcome | null {
    if (this.#outcome === null) {
      const over = this.host.caller.collect();
      if (over !== null) this.#outcome = this.#finish(over.result, microseconds(over.time));
    }
    return this.#outcome;
  }

  #finish(got: number, time: number): CallOutcome {
    if (got < 0) {
      const errno = ERRNO_NAMES.get(-got) ?? `errno ${-got}`;
      return { result: -1n, errno, mismatch: null, time };
    }
    const { result, mismatch } = this.prepared.done(got);
    return { result: BigInt(result), errno: null, mismatch, time };
  }
}

/** Of the thread's namespace. */
const CONGESTION = '/proc/sys/net/ipv4/tcp_congestion_control';

export class KernelLayer implements SocketLayer {
  lastUsed: number | null = null;
  /** The kernel's descriptors by the script's. */
  readonly #live = new Map<number, number>();
  readonly #host: KernelHost;
  readonly #libc: Libc;

  readonly #config: Config;
  /** As the namespace began. */
  readonly #congestion: string;
  #origin = 0;

  constructor(host: KernelHost, config: Config) {
    this.#config = config;
    this.#host = host;
    this.#congestion = readFileSync(CONGESTION, 'latin1');
    this.#libc = host.libc;
  }

  get addressing(): KernelHost['addressing'] {
    return this.#host.addressing;
  }

  start(): void {
    // Timestamps are those of the clock on the wall.
    this.#origin = Date.now() * 1e3;
  }

  get clock(): StampClock {
    const { toleranceUsecs } = this.#config;
    return { origin: this.#origin, tolerance: Math.max(toleranceUsecs, this.#host.slack) };
  }

  begin(call: SocketCall): RunningCall {
    const prepared = prepare(call, this);
    if (prepared === null)
      return { outcome: { result: 0n, errno: null, mismatch: null, time: this.#host.now } };
    const [first] = call.args;
    if (first?.kind === 'integer' && this.#isSocket(number(first))) this.lastUsed = number(first);
    return new Running(this.#host, prepared);
  }

  live(fd: number): number {
    return this.#live.get(fd) ?? -1;
  }

  enter(live: number, wanted: number | null): number {
    let fd = wanted ?? 3;
    while (wanted === null && this.#live.has(fd)) fd++;
    const before = this.#live.get(fd);
    if (before !== undefined) this.#libc.call('close', before);
    this.#live.set(fd, live);
    if (this.#isSocket(fd)) this.lastUsed = fd;
    return fd;
  }

  /**
   * The default of a namespace can only be one that is allowed to everybody; scripts take it to be cubic, unless they
   * have set it.
   */
  created(live: number): void {
    if (readFileSync(CONGESTION, 'latin1') !== this.#congestion) return;
    const name = Buffer.from('cubic');
    this.#libc.call('setsockopt', live, SOL.TCP, constant('TCP_CONGESTION'), pointer(name), name.length);
  }

  leave(fd: number): void {
    this.#live.delete(fd);
  }

  #option(fd: number, level: number, name: number, room: number): Buffer | null {
    const value = Buffer.alloc(room);
    const length = int32(room);
    const args: Word[] = [this.live(fd), level, name, pointer(value), pointer(length)];
    return this.#libc.call('getsockopt', ...args) < 0 ? null : value.subarray(0, length.readInt32LE(0));
  }

  #isSocket(fd: number): boolean {
    return this.#live.has(fd) && this.#option(fd, SOL.SOCKET, constant('SO_TYPE'), 4) !== null;
  }

  #name(fd: number, call: 'getsockname' | 'getpeername'): { address: string; port: number } | null {
    const value = Buffer.alloc(128);
    const length = int32(value.length);
    if (this.#libc.call(call, this.live(fd), pointer(value), pointer(length)) < 0) return null;
    const name = decodeAddress(value);
    return name === null || name.address === null ? null : { address: name.address, port: name.port };
  }

  endpoints(fd: number): SocketEndpoints | null {
    const local = this.#name(fd, 'getsockname');
    return local === null ? null : { local, remote: this.#name(fd, 'getpeername') };
  }

  tcpInfo(fd: number): InfoFields | null {
    const octets = this.#option(fd, SOL.TCP, constant('TCP_INFO'), 512);
    return octets === null ? null : decodeTcpInfo(octets);
  }

  mptcpInfo(fd: number): InfoFields | null {
    const octets = this.#option(fd, SOL.MPTCP, constant('MPTCP_INFO'), 256);
    return octets === null ? null : decodeMptcpInfo(octets);
  }

  /** Sockets end with a reset, so that nothing of them keeps the namespace alive. */
  close(): void {
    const linger = Buffer.concat([int32(1), int32(0)]);
    const option = [SOL.SOCKET, constant('SO_LINGER'), pointer(linger), linger.length] as const;
    for (const fd of this.#live.values()) {
      this.#libc.call('setsockopt', fd, ...option);
      this.#libc.call('shutdown', fd, constant('SHUT_RDWR'));
    }
    this.#host.caller.interrupt();
    for (const fd of this.#live.values()) this.#libc.call('close', fd);
    this.#live.clear();
  }
}
