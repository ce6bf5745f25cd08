/**
 * One connection as TypeScript sees it: a handle into the core, the application's handlers, and what is known of
 * its subflows after they are gone.
 */
import * as abi from '../../assembly/abi.js';
import { addressBytes, addressText } from '../core/address.js';
import type { Core } from '../core/core.js';
import type { PlaitError } from '../errors.js';
import type { Timers } from '../io/timers.js';
import { Announcer } from './announcer.js';
import { PathControl, type ControlHost } from './control.js';
import type { ConnectionInfo, SubflowInfo } from './info.js';
import type { Lender } from './lender.js';
import { LoanTrial } from './loan-trial.js';
import type { SubflowDown } from './policy.js';
import { CONNECTION_STATES, TCP_STATES, closeError, commandError, fallbackName } from './names.js';

/** What the owner of a connection wants to hear. */
export interface ConnectionHandler {
  /** First handshake done. */
  onConnected(): void;
  onReadable(): void;
  onWritable(): void;
  /** The peer's stream ended in order. */
  onEnd(): void;
  /** Over; null after an orderly end. Data may still be left to read. */
  onClosed(error: PlaitError | null): void;
  /** Anything else that happened, in the kernel's words. */
  onEvent(event: ConnectionEvent): void;
}

export interface ConnectionEvent {
  readonly type:
    | 'created'
    | 'established'
    | 'fallback'
    | 'announced'
    | 'removed'
    | 'subflow-established'
    | 'subflow-closed'
    | 'priority'
    /** An ICMP error about one that stands; `reason`: the code of its error, should it time out. */
    | 'unreachable'
    | 'closed';
  readonly subflow?: number;
  readonly addressId?: number;
  readonly address?: string;
  readonly port?: number;
  readonly reason?: string;
}

/** A local port held for a subflow. */
export interface BoundPort {
  readonly subflow: number;
  readonly path: number;
  readonly port: number;
}

/** What a connection needs of its stack. */
export interface ConnectionHost extends ControlHost {
  readonly core: Core;
  readonly timers: Timers;
  readonly addAddrTimeout: number;
  now(): number;
  /** A command gave the core something to do. */
  kick(): void;
  /** No turn is under way. */
  readonly isIdle: boolean;
  /** Begins or ends what no turn may come into. */
  hold(on: boolean): void;
  readonly lender: Lender;
  readonly takers: Set<Connection>;
  pathName(path: number): string;
  forget(connection: Connection): void;
}

/** Octets of a write that is worth sending from where it lies; measured (docs/performance.md). */
const LARGE = 1 << 19;

export class Connection {
  handler: ConnectionHandler | null = null;
  /** Path and addresses of the first subflow. */
  readonly initialPath: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Ports held for subflows of ours. */
  ports: readonly BoundPort[] = NO_PORTS;
  /** This side's token from the handshake to the end; null without Multipath TCP. */
  token: string | null = null;
  /** The peer opened it: joins come in at its port on every path. */
  isAccepted = false;
  /** Whether large writes leave from the application's memory. */
  readonly trial = new LoanTrial();
  readonly #host: ConnectionHost;
  #announcer: Announcer | null = null;
  #mptcp: PathControl | null = null;
  #handle: number;
  /** Last look at subflows that are gone. */
  readonly #past: SubflowInfo[] = [];
  #final: ConnectionInfo | null = null;
  error: PlaitError | null = null;
  over = false;

  constructor(
    host: ConnectionHost,
    handle: number,
    first: { path: number; local: string; localPort: number; remote: string; remotePort: number },
  ) {
    this.#host = host;
    this.#handle = handle;
    this.initialPath = first.path;
    this.localAddress = first.local;
    this.localPort = first.localPort;
    this.remoteAddress = first.remote;
    this.remotePort = first.remotePort;
  }

  /** ADD_ADDR that went out, and what became of it. */
  get announcer(): Announcer {
    const host = this.#host;
    this.#announcer ??= new Announcer({
      timers: host.timers,
      addAddrTimeout: host.addAddrTimeout,
      now: () => host.now(),
      sendAddAddr: (id, address, port) => this.#sendAddAddr(id, address, port),
      longestRto: () => this.#longestRto(),
    });
    return this.#announcer;
  }

  /** Subflows and addresses by hand. */
  get mptcp(): PathControl {
    this.#mptcp ??= new PathControl(this.#host, this);
    return this.#mptcp;
  }

  /** The core's handle; 0 after `release`. */
  get handle(): number {
    return this.#handle;
  }

  /**
   * Writes as much as there is room for; the rest waits for `writable`. `more`: others follow soon, so that a small
   * segment may wait for them. Returns octets taken; throws EPIPE.
   */
  write(data: Uint8Array, more = false): number {
    const core = this.#host.core;
    let done = data.length < LARGE ? 0 : this.#host.lender.lend(this, data);
    while (done < data.length) {
      const room = core.x.writeSpace(this.#handle);
      if (room < 0) throw commandError(room, 'write');
      if (room === 0) break;
      const n = Math.min(room, data.length - done);
      const at = core.x.writePointer(this.#handle);
      core.u8.set(data.subarray(done, done + n), at);
      core.x.writeCommit(this.#handle, n, more ? 1 : 0);
      done += n;
    }
    if (done > 0) this.#host.kick();
    return done;
  }

  /**
   * Whether a write of so many octets is better left to the next `onWritable`, which comes with the next turn then: it can
   * be sent from where it lies, without a copy.
   */
  putsOff(octets: number): boolean {
    return octets >= LARGE && this.#host.lender.putOff(this);
  }

  /** Octets that `readInto` can take at once; 0 when there are none. */
  available(): number {
    return Math.max(0, this.#host.core.x.readSpace(this.#handle, 0));
  }

  /** From now on octets may come in buffers of their own, for `readBuffer`. */
  takeBuffers(): void {
    this.setOption(abi.OPT_BUFFERS, 1);
    this.#host.takers.add(this);
  }

  /**
   * Octets in a buffer that the caller may keep: the one that they came in, or one of up to `limit` octets with what comes
   * before such a one. There are some.
   */
  readBuffer(limit: number): Buffer {
    const { core } = this.#host;
    let size = 0;
    while (size < limit) {
      const ready = core.x.readSpace(this.#handle, size);
      if (ready <= 0) break;
      const at = core.x.readAt(this.#handle, size) >>> 0;
      if (at >= abi.PLACED) {
        if (size === 0) return this.#readPlaced(at, ready);
        break;
      }
      size += ready;
    }
    const copy = Buffer.allocUnsafe(Math.min(size, limit));
    this.readInto(copy);
    return copy;
  }

  #readPlaced(at: number, octets: number): Buffer {
    const { core } = this.#host;
    const { buffer, byteOffset, length } = core.octetsAt(at, octets);
    core.x.readCommit(this.#handle, octets);
    this.#host.kick();
    return Buffer.from(buffer, byteOffset, length);
  }

  /** Copies up to `limit` octets to the beginning of `target`; returns how many. 0: none, wait for `readable`. */
  readInto(target: Uint8Array, limit = target.length): number {
    const core = this.#host.core;
    const end = Math.min(limit, target.length);
    let done = 0;
    while (done < end) {
      const ready = core.x.readSpace(this.#handle, 0);
      if (ready <= 0) break;
      const n = Math.min(ready, end - done);
      const at = core.x.readAt(this.#handle, 0) >>> 0;
      target.set(core.octetsAt(at, n), done);
      core.x.readCommit(this.#handle, n);
      done += n;
    }
    if (done > 0) this.#host.kick();
    return done;
  }

  /**
   * Lends the octets that lie in one piece to `take` until it returns: no packet is taken in meanwhile. A command that grows
   * the core's memory empties the view. Not to be nested.
   */
  readLent<T>(take: (octets: Uint8Array) => T): T {
    const core = this.#host.core;
    const n = this.available();
    const at = core.x.readAt(this.#handle, 0) >>> 0;
    const { isIdle } = this.#host;
    if (isIdle) this.#host.hold(true);
    try {
      return take(core.octetsAt(at, n));
    } finally {
      core.x.readCommit(this.#handle, n);
      if (isIdle) this.#host.hold(false);
      this.#host.kick();
    }
  }

  /** Copies what `readInto` would, and leaves it there. `skip` octets are passed over. */
  peekInto(target: Uint8Array, skip = 0): number {
    const core = this.#host.core;
    let done = 0;
    while (done < target.length) {
      const ready = core.x.readSpace(this.#handle, skip + done);
      if (ready <= 0) break;
      const n = Math.min(ready, target.length - done);
      const at = core.x.readAt(this.#handle, skip + done) >>> 0;
      target.set(core.octetsAt(at, n), done);
      done += n;
    }
    return done;
  }

  /** Octets in the queues: to be read, written and not acknowledged, written and not sent. */
  queues(): { unread: number; unacked: number; unsent: number } {
    const core = this.#host.core;
    if (core.x.connectionInfo(this.#handle) < 0) return { unread: 0, unacked: 0, unsent: 0 };
    return {
      unread: core.scratchU32(abi.CI_UNREAD),
      unacked: core.scratchU32(abi.CI_UNACKED),
      unsent: core.scratchU32(abi.CI_UNSENT),
    };
  }

  #sendAddAddr(id: number, address: string, port: number): boolean {
    const core = this.#host.core;
    if (this.over) return false;
    core.setAddresses(addressBytes(address));
    const result = core.x.announce(this.#handle, id, port);
    this.#host.kick();
    return result === 0;
  }

  /** Ends our direction after everything written. */
  shutdown(): void {
    this.#host.core.x.shutdown(this.#handle);
    this.#host.kick();
  }

  /** The application leaves: an orderly end, or `abort` when octets are unread. `release` is due after `onClosed`. */
  close(): void {
    this.#host.core.x.close(this.#host.now(), this.#handle);
    this.#host.kick();
  }

  /** The program has it: its place in the accept queue of the listener is free. */
  take(): void {
    this.#host.core.x.accepted(this.#handle);
  }

  /**
   * IP and TCP header of the peer's SYN, where OPT_SAVE_SYN keeps it; they are given once. More than `most` octets are only
   * counted, and stay.
   */
  savedSyn(most: number): { readonly length: number; readonly octets: Uint8Array | null } {
    const { core } = this.#host;
    const length = Math.max(0, core.x.savedSyn(this.#handle, most));
    return { length, octets: length > most ? null : core.scratchBytes(0, length).slice() };
  }

  setOption(option: number, value: number): number {
    const result = this.#host.core.x.setOption(this.#host.now(), this.#handle, option, value);
    this.#host.kick();
    return result;
  }

  /** MP_FASTCLOSE, or RST on a plain connection. */
  abort(): void {
    this.#host.core.x.abort(this.#host.now(), this.#handle);
    this.#host.kick();
  }

  /** Lets go: what is not over is aborted. `info` keeps its last state. */
  release(): void {
    if (this.#handle === 0) return;
    this.#final = this.info();
    const handle = this.#handle;
    this.#host.forget(this);
    this.#handle = 0;
    this.#host.core.x.release(this.#host.now(), handle);
    this.#host.kick();
  }

  setNoDelay(on: boolean): void {
    this.setOption(abi.OPT_NODELAY, on ? 1 : 0);
  }

  setKeepAlive(on: boolean): void {
    this.setOption(abi.OPT_KEEPALIVE, on ? 1 : 0);
  }

  info(): ConnectionInfo {
    if (this.#final !== null) return this.#final;
    const core = this.#host.core;
    core.x.connectionInfo(this.#handle);
    const flags = core.scratchU32(abi.CI_FLAGS);
    const result = {
      mptcp: (flags & abi.CIF_MPTCP) !== 0,
      fallback: fallbackName(core.scratchU32(abi.CI_FALLBACK)),
      fullyEstablished: (flags & abi.CIF_ESTABLISHED) !== 0,
      state: CONNECTION_STATES[core.scratchU32(abi.CI_STATE)] ?? 'CLOSED',
      localToken: this.#token(abi.CI_LOCAL_TOKEN),
      remoteToken: this.#token(abi.CI_REMOTE_TOKEN),
      bytesWritten: core.scratchF64(abi.CI_BYTES_WRITTEN),
      bytesRead: core.scratchF64(abi.CI_BYTES_READ),
      bytesAcked: core.scratchF64(abi.CI_BYTES_ACKED),
      bytesReinjected: core.scratchF64(abi.CI_BYTES_REINJECTED),
    };
    return { ...result, subflows: [...this.#past, ...this.liveSubflows()] };
  }

  /** This side's token; null without Multipath TCP. */
  localToken(): string | null {
    this.#host.core.x.connectionInfo(this.#handle);
    return this.#token(abi.CI_LOCAL_TOKEN);
  }

  #token(offset: number): string | null {
    const value = this.#host.core.scratchU32(offset);
    return value === 0 ? null : value.toString(16).padStart(8, '0');
  }

  /** Whether this side opened the connection. */
  get isClient(): boolean {
    this.#host.core.x.connectionInfo(this.#handle);
    return (this.#host.core.scratchU32(abi.CI_FLAGS) & abi.CIF_CLIENT) !== 0;
  }

  /** Neither side has begun to close it. */
  get isOpen(): boolean {
    this.#host.core.x.connectionInfo(this.#handle);
    return !this.over && this.#host.core.scratchU32(abi.CI_STATE) === abi.CONN_ESTABLISHED;
  }

  /** Whether the peer forbids joins to its first address (flag C of MP_CAPABLE). */
  get deniesJoin(): boolean {
    this.#host.core.x.connectionInfo(this.#handle);
    return (this.#host.core.scratchU32(abi.CI_FLAGS) & abi.CIF_DENY_JOIN) !== 0;
  }

  liveSubflows(): SubflowInfo[] {
    const core = this.#host.core;
    const result: SubflowInfo[] = [];
    for (let id = core.x.nextSubflow(this.#handle, 0); id !== 0; id = core.x.nextSubflow(this.#handle, id)) {
      result.push(this.subflow(id));
    }
    return result;
  }

  /** Figures of one subflow. */
  subflow(id: number): SubflowInfo {
    const core = this.#host.core;
    core.x.subflowInfo(id);
    const u32 = (offset: number): number => core.scratchU32(offset);
    const f64 = (offset: number): number => core.scratchF64(offset);
    const path = u32(abi.SI_PATH);
    const flags = u32(abi.SI_FLAGS);
    return {
      id,
      path,
      pathName: this.#host.pathName(path),
      local: { address: addressText(core.scratchBytes(abi.SI_LOCAL, 16)), port: u32(abi.SI_LOCAL_PORT) },
      remote: { address: addressText(core.scratchBytes(abi.SI_REMOTE, 16)), port: u32(abi.SI_REMOTE_PORT) },
      localId: u32(abi.SI_LOCAL_ID),
      remoteId: u32(abi.SI_REMOTE_ID),
      state: TCP_STATES[u32(abi.SI_STATE)] ?? 'CLOSED',
      backup: (flags & 1) !== 0,
      stale: (flags & 2) !== 0,
      ecn: (flags & 16) !== 0,
      joined: (flags & 4) !== 0,
      closing: (flags & 8) !== 0,
      bytesSent: f64(abi.SI_BYTES_SENT),
      bytesReceived: f64(abi.SI_BYTES_RECEIVED),
      srtt: f64(abi.SI_SRTT),
      minRtt: f64(abi.SI_MIN_RTT),
      rto: f64(abi.SI_RTO),
      cwnd: u32(abi.SI_CWND),
      ssthresh: u32(abi.SI_SSTHRESH),
      inFlight: u32(abi.SI_IN_FLIGHT),
      retransmissions: u32(abi.SI_RETRANS),
      mss: u32(abi.SI_MSS),
    };
  }

  /** Longest retransmission timeout of the subflows, microseconds; 0 when there is none. */
  #longestRto(): number {
    const { core } = this.#host;
    let longest = 0;
    for (let id = core.x.nextSubflow(this.#handle, 0); id !== 0; id = core.x.nextSubflow(this.#handle, id)) {
      core.x.subflowInfo(id);
      longest = Math.max(longest, core.scratchF64(abi.SI_RTO));
    }
    return longest;
  }

  /** @internal */
  subflowUp(subflow: number): void {
    this.#mptcp?.subflowUp(subflow);
  }

  /** @internal */
  subflowDown(down: SubflowDown): void {
    this.#mptcp?.subflowDown(down);
  }

  /** @internal A port is held for a subflow. */
  holdPort(bound: BoundPort): void {
    this.ports = [...this.ports, bound];
  }

  /** @internal It is not held for it any more. Returns the port there was. */
  freePort(subflow: number): BoundPort | undefined {
    const bound = this.ports.find((one) => one.subflow === subflow);
    if (bound !== undefined) this.ports = this.ports.filter((one) => one !== bound);
    return bound;
  }

  /** @internal Nothing is announced, opened or closed by hand any more. */
  closeControl(): void {
    this.#announcer?.close();
    this.#mptcp?.close();
  }

  /** @internal Keeps the last figures of a subflow that is gone. */
  remember(subflow: SubflowInfo): void {
    this.#past.push({ ...subflow, state: 'CLOSED', inFlight: 0 });
  }

  /** @internal The core says that it is over. */
  finish(reason: number): void {
    if (this.over) return;
    this.over = true;
    this.error = closeError(reason);
    this.closeControl();
  }
}

const NO_PORTS: readonly BoundPort[] = [];
