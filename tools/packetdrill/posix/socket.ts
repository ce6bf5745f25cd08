/** A stream socket as Linux has it, TCP or Multipath TCP, over one listener or connection of the stack. */
import * as abi from '../../../assembly/abi.js';
import type { PlaitError } from '../../../src/errors.js';
import { CONNECTION_STATES, errnoOf as errnoOfReason } from '../../../src/stack/names.js';
import type { Connection, ConnectionEvent, ConnectionHandler } from '../../../src/stack/connection.js';
import type { Listener } from '../../../src/stack/listener.js';
import type { Stack } from '../../../src/stack/stack.js';
import type { Addressing } from '../socket-layer.js';
import { constant, SOL } from './constants.js';
import { ErrorQueue } from './error-queue.js';
import { RecordEnds } from './record-ends.js';
import type { SocketAddress } from './evaluate.js';
import { OpenFile } from './files.js';
import { SocketOptions } from './option-values.js';
import { urgentInline, urgentOf } from './urgent.js';

export const AF_INET = constant('AF_INET');
export const AF_INET6 = constant('AF_INET6');
export const IPPROTO_TCP = constant('IPPROTO_TCP');
export const IPPROTO_MPTCP = constant('IPPROTO_MPTCP');

const IN = constant('POLLIN') | constant('POLLRDNORM');
const OUT = constant('POLLOUT') | constant('POLLWRNORM');
const RDHUP = constant('POLLRDHUP');
const SO_PEEK_OFF = constant('SO_PEEK_OFF');
const HUP = constant('POLLHUP');
const PRI = constant('POLLPRI');
const ERR = constant('POLLERR');
/** What sleepers are woken with when data or room came. */
const WAKE_IN = IN | constant('POLLPRI') | constant('POLLRDBAND');
const WAKE_OUT = OUT | constant('POLLWRBAND');

/** Octets of a buffer, where nothing else limits it; of a packet that the network card cuts; and the least MSS. */
const LARGE_BUFFER = 65536;
const LARGE_PACKET = 65215;
const DEFAULT_MSS = 536;

/** TCP states by Linux' numbers. */
export const STATE = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
} as const;

const STATE_OF: Readonly<Record<(typeof CONNECTION_STATES)[number], number>> = {
  OPENING: STATE.SYN_SENT,
  ESTABLISHED: STATE.ESTABLISHED,
  FIN_WAIT_1: STATE.FIN_WAIT1,
  FIN_WAIT_2: STATE.FIN_WAIT2,
  CLOSE_WAIT: STATE.CLOSE_WAIT,
  CLOSING: STATE.CLOSING,
  LAST_ACK: STATE.LAST_ACK,
  TIME_WAIT: STATE.CLOSE, // the socket itself is done; what lingers is no socket
  CLOSED: STATE.CLOSE,
};

export class Socket extends OpenFile implements ConnectionHandler {
  readonly options: SocketOptions;
  readonly errors: ErrorQueue;
  readonly #records = new RecordEnds();
  /** When data came last, microseconds. */
  arrivedAt = 0;
  /** Octets handed to the connection. */
  written = 0;
  bound: { address: string | null; port: number } | null = null;
  connection: Connection | null = null;
  /** Accepted and not yet taken. */
  readonly queue: Socket[] = [];
  /** sk_err: told once. */
  error: string | null = null;
  readShut = false;
  writeShut = false;
  /** The peer's stream has ended in order (SOCK_DONE). */
  peerEnded = false;
  /** connect() has begun and nobody has been told how it ended. */
  connecting = false;
  /** connect() has promised a connection whose SYN goes with the first write. */
  deferred: SocketAddress | null = null;
  /** A writer or a poll found no room and wants to hear of it. */
  noSpace = false;
  #listener: Listener | null = null;
  #established = false;
  #over = false;

  constructor(
    readonly stack: Stack,
    readonly addressing: Addressing,
    readonly family: number,
    readonly protocol: number,
    options?: SocketOptions,
  ) {
    super();
    this.options = options ?? new SocketOptions();
    this.errors = new ErrorQueue(family === AF_INET6);
  }

  get multipath(): boolean {
    return this.protocol === IPPROTO_MPTCP;
  }

  /** The wire is IPv6. */
  get onV6(): boolean {
    return this.addressing.mode === 'ipv6';
  }

  get listening(): boolean {
    return this.#listener !== null;
  }

  /** TCP_* of Linux. */
  get state(): number {
    if (this.#listener !== null) return STATE.LISTEN;
    if (this.connection === null || this.#over) return STATE.CLOSE;
    this.stack.core.x.connectionInfo(this.connection.handle);
    const name = CONNECTION_STATES[this.stack.core.scratchU32(abi.CI_STATE)] ?? 'CLOSED';
    return STATE_OF[name];
  }

  // ---- addresses ------------------------------------------------------------------------------------------------

  local(): SocketAddress {
    const c = this.connection;
    if (c !== null) return this.#address(c.localAddress, c.localPort);
    return this.#address(this.bound?.address ?? null, this.bound?.port ?? 0);
  }

  remote(): SocketAddress | null {
    const c = this.connection;
    return c === null || !this.#established || this.#over
      ? null
      : this.#address(c.remoteAddress, c.remotePort);
  }

  /** AF_INET6 sockets see IPv4 addresses mapped. */
  #address(address: string | null, port: number): SocketAddress {
    const mapped = this.family === AF_INET6 && address !== null && !address.includes(':');
    return { family: this.family, address: mapped ? `::ffff:${address}` : address, port };
  }

  // ---- opening ----------------------------------------------------------------------------------------------------

  listen(backlog: number): string | null {
    if (this.#listener !== null) {
      this.#listener.setOption(abi.OPT_BACKLOG, backlog);
      return null;
    }
    this.options.listens();
    const listener = this.stack.listen(
      this.bound?.port ?? 0,
      this.bound?.address ?? null,
      (connection) => this.#accepted(connection),
      [...this.options.settings(this.multipath, this.onV6), [abi.OPT_BACKLOG, backlog]],
    );
    listener.holds = true;
    let errno: string | null = null;
    listener.start((error) => (errno = error === null ? null : errnoOf(error)));
    if (errno !== null) return errno;
    this.#listener = listener;
    this.bound = { address: this.bound?.address ?? null, port: listener.port };
    return null;
  }

  #accepted(connection: Connection): void {
    // A peer without Multipath TCP makes a plain TCP socket of it.
    const protocol = this.multipath && connection.info().mptcp ? IPPROTO_MPTCP : IPPROTO_TCP;
    const child = new Socket(this.stack, this.addressing, this.family, protocol, this.options.ofAccepted());
    child.#adopt(connection);
    child.#established = true;
    child.bound = { address: connection.localAddress, port: connection.localPort };
    this.queue.push(child);
    this.changed(WAKE_IN);
  }

  /** The oldest connection that waits, if any. */
  accept(): Socket | undefined {
    const child = this.queue.shift();
    child?.connection?.take();
    return child;
  }

  #adopt(connection: Connection): void {
    this.connection = connection;
    connection.handler = this;
  }

  /** Begins to open a connection; `early`: data for its SYN (Fast Open). Null, or the errno. */
  connect(remote: string, port: number, early?: Uint8Array): string | null {
    const local = this.bound?.address ?? this.addressing.local;
    const path = this.stack.paths().find((p) => p.address === local);
    if (path === undefined) return 'EADDRNOTAVAIL';
    const settings = this.options.settings(this.multipath, this.onV6);
    let errno: string | null = null;
    this.stack.connect(
      path.id,
      this.bound?.port ?? 0,
      remote,
      port,
      (error, connection) => {
        if (connection === null) errno = error === null ? 'EADDRNOTAVAIL' : errnoOf(error);
        else {
          this.#adopt(connection);
          if (early !== undefined) connection.write(early);
        }
      },
      early === undefined ? settings : [...settings, [abi.OPT_FAST_OPEN, 1]],
    );
    if (errno !== null) return errno;
    this.#over = this.#established = this.readShut = this.writeShut = this.peerEnded = false;
    this.error = null;
    this.connecting = true;
    return null;
  }

  /** connect() to AF_UNSPEC: the socket is as good as new. */
  disconnect(): void {
    if (this.#listener !== null) this.#stopListening();
    const c = this.connection;
    if (c !== null) {
      this.#letGo();
      if (!this.#over) this.error = 'ECONNRESET';
    }
    this.#over =
      this.#established =
      this.connecting =
      this.readShut =
      this.writeShut =
      this.peerEnded =
        false;
    this.changed();
  }

  setOption(option: number, value: number): void {
    this.#listener?.setOption(option, value);
    if (!this.#over) this.connection?.setOption(option, value);
  }

  // ---- ConnectionHandler --------------------------------------------------------------------------------------------

  onConnected(): void {
    this.#established = true;
    this.changed(0);
  }
  onReadable(): void {
    this.arrivedAt = this.stack.now();
    this.changed(WAKE_IN);
  }
  onWritable(): void {
    this.spaceMayHaveCome();
  }
  /** Acknowledgements, or options, may have made room. */
  spaceMayHaveCome(): void {
    this.#writeHeld();
    this.#progress();
    this.#watch();
    if (this.lingers) this.changed(0);
    if (!this.noSpace || (this.poll() & OUT) === 0) return;
    this.noSpace = false;
    this.changed(WAKE_OUT);
  }
  /** A writer found no room. */
  waitForSpace(): void {
    this.noSpace = true;
    this.#watch();
  }

  #watch(): void {
    const { sendBuffer, notSentLowat } = this.options;
    const watch =
      this.lingers ||
      sendBuffer !== null ||
      notSentLowat !== 0xffffffff ||
      this.errors.waits ||
      this.#records.watched;
    this.connection?.setOption(abi.OPT_WATCH, watch ? 1 | (this.noSpace ? 2 : 0) : 0);
  }

  write(data: Uint8Array, more: boolean): number {
    const c = this.connection;
    if (c === null) return 0;
    const waits = this.#records.waits(c.queues().unsent);
    if (waits) this.#records.hold(data, more);
    const n = waits ? data.length : c.write(data, more);
    this.written += n;
    return n;
  }

  /** SO_PEEK_OFF: where the next look ahead begins; negative: always at the first octet. */
  get peekOffset(): number {
    return Number(this.options.get(SOL.SOCKET, SO_PEEK_OFF) ?? -1n);
  }
  /** So many octets were looked at, or (negative) read. */
  movePeek(octets: number): void {
    const { peekOffset } = this;
    if (peekOffset < 0) return;
    this.options.set(SOL.SOCKET, SO_PEEK_OFF, BigInt(Math.max(0, peekOffset + octets)));
  }

  /** close() waits until the peer has all of it (SO_LINGER). */
  lingers = false;

  /** What was sent is not acknowledged to its end. */
  get ending(): boolean {
    const { state } = this;
    return state === STATE.FIN_WAIT1 || state === STATE.CLOSING || state === STATE.LAST_ACK;
  }

  /** The octet written last is urgent. */
  markUrgent(): void {
    if (!this.multipath) this.connection?.setOption(abi.OPT_URGENT, 1);
  }

  /** A record ends with what was written last. */
  endRecord(): void {
    this.#records.end();
    this.#watch();
  }

  #writeHeld(all = false): void {
    const c = this.connection;
    if (c === null || this.#records.octets === 0) return;
    this.#records.flush(c.queues().unsent, (data, more) => void c.write(data, more), all);
  }

  /** A call has handed over the last `length` octets written. `stamps`: SOF_TIMESTAMPING_*. */
  handedOver(length: number, zeroCopy: boolean, stamps: number): void {
    if (zeroCopy && this.options.get(SOL.SOCKET, constant('SO_ZEROCOPY')) === 1n)
      this.errors.zeroCopy(this.written);
    if (stamps !== 0) this.errors.stamp(this.written, this.#lastPacket(length), stamps);
    if (!this.errors.waits) return;
    this.#watch();
    this.#progress();
  }

  /** Octets of the packet that ends a write: young connections send pairs of segments. */
  #lastPacket(length: number): number {
    const c = this.connection;
    const { core } = this.stack;
    const subflow = c === null ? 0 : core.x.nextSubflow(c.handle, 0);
    if (c === null || subflow === 0) return length;
    core.x.subflowInfo(subflow);
    const pair = 2 * core.scratchU32(abi.SI_MSS);
    const timestamps = (core.scratchU32(abi.SI_OPTIONS) & 1) !== 0;
    const headers = (c.remoteAddress.includes(':') ? 40 : 20) + 20 + (timestamps ? 12 : 0);
    return headers + (length % pair || pair);
  }

  #progress(): void {
    if (!this.errors.waits) return;
    const { unacked, unsent } = this.queues();
    const { written } = this;
    if (this.errors.progress(written - unsent, written - unacked, this.stack.now())) this.changed(ERR);
  }

  onEnd(): void {
    this.readShut = this.peerEnded = true;
    this.changed(0);
  }
  onClosed(error: PlaitError | null): void {
    if (error !== null) this.error = this.#failure(errnoOf(error));
    this.#over = true;
    this.readShut = true;
    this.writeShut = true;
    if (this.references === 0 && this.connection !== null && this.#orphaned) this.#letGo();
    this.changed(0);
  }
  onEvent(event: ConnectionEvent): void {
    if (event.type === 'fallback') this.changed(0);
    if (event.type !== 'unreachable' || !this.#wantsErrors) return;
    this.takeSoftError();
    this.error = event.reason ?? null;
    this.changed(ERR);
  }

  /** ICMP errors are reported at once: IP_RECVERR, or IPV6_RECVERR where the peer's address is of IPv6. */
  get #wantsErrors(): boolean {
    const v6 = this.connection?.remoteAddress.includes(':') === true;
    const wanted = v6
      ? this.options.get(SOL.IPV6, constant('IPV6_RECVERR'))
      : this.options.get(SOL.IP, constant('IP_RECVERR'));
    return wanted !== undefined && wanted !== 0n;
  }

  /** A reset in CLOSE_WAIT is a broken pipe. */
  #failure(errno: string): string {
    return errno === 'ECONNRESET' && this.readShut && !this.writeShut ? 'EPIPE' : errno;
  }

  // ---- closing ------------------------------------------------------------------------------------------------------

  #orphaned = false;

  /** shutdown(2) of the writing side. */
  shutdownWrite(): void {
    this.#writeHeld(true);
    this.writeShut = true;
    this.connection?.shutdown();
    this.changed(0);
  }

  shutdownRead(): void {
    this.readShut = true;
    this.connection?.setOption(abi.OPT_READ_SHUT, 1);
    this.changed(0);
  }

  /** shutdown(2) of a listener. */
  unlisten(): void {
    this.#stopListening();
    this.changed(0);
  }

  #stopListening(): void {
    this.#listener?.close();
    this.#listener = null;
    for (const child of this.queue.splice(0)) child.#letGo();
  }

  release(): void {
    this.#stopListening();
    const c = this.connection;
    if (c === null) return;
    this.#orphaned = true;
    if (this.#over || c.over) {
      this.#letGo();
    } else if (this.options.lingerZero) {
      this.#letGo();
    } else {
      this.#writeHeld(true);
      this.readShut = this.writeShut = true;
      this.#watch();
      c.close();
    }
  }

  /** The record goes; what is not over is reset. */
  #letGo(): void {
    const c = this.connection;
    this.connection = null;
    if (c === null) return;
    c.handler = null;
    c.release();
  }

  /** The script is over. */
  discard(): void {
    this.#stopListening();
    this.#letGo();
  }

  // ---- state of the queues --------------------------------------------------------------------------------------------

  /** sk_err, which is told once. */
  takeError(): string | null {
    const { error } = this;
    this.error = null;
    return error;
  }

  /** The errno of what an ICMP error said of a plain connection that stands; 0: nothing. It is forgotten by that. */
  takeSoftError(): number {
    const { x } = this.stack.core;
    if (this.connection === null || this.protocol === IPPROTO_MPTCP) return 0;
    const subflow = x.nextSubflow(this.connection.handle, 0);
    const reason = subflow > 0 ? x.takeSoftError(subflow) : abi.CLOSE_NORMAL;
    return reason > 0 ? errnoOfReason(reason) : 0;
  }

  override get arrived(): number {
    const c = this.connection;
    if (c === null || this.#over || this.stack.core.x.connectionInfo(c.handle) < 0) return 0;
    return this.stack.core.scratchF64(abi.CI_BYTES_READ) + this.stack.core.scratchU32(abi.CI_UNREAD);
  }

  queues(): { unread: number; unacked: number; unsent: number } {
    const queues = this.connection?.queues() ?? { unread: 0, unacked: 0, unsent: 0 };
    const { octets } = this.#records;
    return { ...queues, unacked: queues.unacked + octets, unsent: queues.unsent + octets };
  }

  get established(): boolean {
    return this.#established;
  }

  /** Whether another socket may be bound to what this one is bound to: SO_REUSEADDR, SO_REUSEPORT. */
  sharesPort(other: Socket): boolean {
    const both = (name: number): boolean =>
      this.options.get(1, name) === 1n && other.options.get(1, name) === 1n;
    return (both(constant('SO_REUSEADDR')) && !this.listening) || both(constant('SO_REUSEPORT'));
  }

  /** The FIN counts as one octet until it is acknowledged, on TCP only. */
  get finUnacked(): number {
    if (this.multipath) return 0;
    const { state } = this;
    return state === STATE.FIN_WAIT1 || state === STATE.CLOSING || state === STATE.LAST_ACK ? 1 : 0;
  }

  /** Octets that a write may add at once, by Linux' account of the send buffer. */
  get sendRoom(): number {
    return this.options.sendRoom(this.queues(), this.#bufferGoal());
  }

  /**
   * Octets of one buffer in the send queue: whole segments, at most one large packet and half the peer's window (Linux'
   * tcp_xmit_size_goal).
   */
  #bufferGoal(): number {
    const { core } = this.stack;
    const subflow = this.connection === null ? 0 : core.x.nextSubflow(this.connection.handle, 0);
    if (this.options.sendBuffer === null || this.multipath || subflow === 0) return LARGE_BUFFER;
    core.x.subflowInfo(subflow);
    const size = Math.max(1, core.scratchU32(abi.SI_MSS));
    const window = core.scratchU32(abi.SI_SND_WND);
    const most = window > DEFAULT_MSS ? Math.min(window >> 1, LARGE_PACKET) : LARGE_PACKET;
    return Math.max(1, Math.floor(most / size)) * size;
  }

  /** What was written leaves now, as far as it may. */
  push(): void {
    this.stack.run(this.stack.now());
  }

  /** Room for one more octet, by Linux' account of the send buffer. */
  get writable(): boolean {
    return this.queues().unsent < this.options.notSentLowat && this.sendRoom > 0;
  }

  poll(): number {
    if (this.#listener !== null) return this.queue.length > 0 ? IN : 0;
    if (this.deferred !== null) return OUT;
    const { state } = this;
    let mask = 0;
    if ((this.readShut && this.writeShut) || state === STATE.CLOSE) mask |= HUP;
    if (this.readShut) mask |= IN | RDHUP;
    if (state !== STATE.SYN_SENT && state !== STATE.SYN_RECV) {
      const { unread, unacked, unsent } = this.queues();
      const urgent = urgentOf(this);
      // The urgent octet does not count where it is not read.
      const passed = urgent?.at === 0 && !urgentInline(this) ? 1 : 0;
      if (unread > 0 && unread >= Math.min(this.options.rcvLowat, 0x7fffffff) + passed) mask |= IN;
      if (urgent?.here === true) mask |= PRI;
      if (this.writeShut) mask |= OUT;
      else if (this.options.wakesWriter(unacked, unsent, this.#bufferGoal())) mask |= OUT;
      else this.noSpace = true;
    }
    if (this.error !== null || !this.errors.empty) mask |= ERR;
    return mask;
  }
}

/** Error codes of the stack that are errno names already; others have a nearest one. */
export function errnoOf(error: PlaitError): string {
  const code = String(error.code);
  return /^E[A-Z]+$/.test(code) && !code.startsWith('ERR') ? code : 'ECONNABORTED';
}
