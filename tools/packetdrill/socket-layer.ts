/**
 * What the runner of scripts and the socket calls (posix/) want of each other. The runner owns the clock, the stack and
 * the wire; the layer owns descriptors, constants and everything that a call does.
 */
import type { World } from '../../src/sim/world.js';
import type { Stack } from '../../src/stack/stack.js';
import type { SocketCall } from './ast.js';

/** `ipv4-mapped-ipv6`: IPv4 on the wire under AF_INET6 sockets. */
export type Mode = 'ipv4' | 'ipv6' | 'ipv4-mapped-ipv6';

/** Addresses in text form as on the wire: IPv4 text also in mode `ipv4-mapped-ipv6`. */
export interface Addressing {
  readonly mode: Mode;
  /** Local address of `bind(..., ...)`, and the source of connections. */
  readonly local: string;
  /** Target of `connect(..., ...)`. */
  readonly remote: string;
  readonly bindPort: number;
  readonly connectPort: number;
}

export interface LayerContext {
  readonly world: World;
  readonly stack: Stack;
  readonly addressing: Addressing;
  /** How far a timestamp may be off, microseconds. */
  readonly tolerance: number;
  /** A call that had not returned has an outcome now. */
  changed(): void;
}

export interface CallOutcome {
  /** Return value. Descriptors are numbered as the script does: a new socket has the number that the script expects. */
  readonly result: bigint;
  /** "EAGAIN"; null when the call succeeded. */
  readonly errno: string | null;
  /** What the call wrote into its arguments and the script does not expect: "revents: expected POLLIN, got 0". */
  readonly mismatch: string | null;
  /** Virtual time of the return, microseconds. */
  readonly time: number;
}

/** A call that was begun. */
export interface RunningCall {
  /** null while it blocks. */
  readonly outcome: CallOutcome | null;
}

/** Fields by the kernel's names: tcpi_state, mptcpi_flags. */
export type InfoFields = ReadonlyMap<string, bigint>;

export interface SocketEndpoints {
  readonly local: { readonly address: string; readonly port: number };
  /** null: not connected. */
  readonly remote: { readonly address: string; readonly port: number } | null;
}

export interface SocketLayer {
  /** The script begins now: what times in control messages count from. */
  start(): void;
  /**
   * Begins a call at the present virtual time; symbols of the script and of -D are resolved already, constants are not.
   * Throws a `ScriptError` for a call or an argument that it does not understand.
   */
  begin(call: SocketCall): RunningCall;
  /** The socket that the last call worked on, in the script's numbering; null before the first. */
  readonly lastUsed: number | null;
  /** For `sock(N)`; null: no such descriptor, or it has no address yet. */
  endpoints(fd: number): SocketEndpoints | null;
  /** What getsockopt(TCP_INFO) and (MPTCP_INFO) would give now; null where they fail. */
  tcpInfo(fd: number): InfoFields | null;
  mptcpInfo(fd: number): InfoFields | null;
  /** The script is over: calls that block are forgotten, sockets reset. */
  close(): void;
}

export type CreateSocketLayer = (context: LayerContext) => SocketLayer;

/** The script is wrong, or wants something that this runner does not have. */
export class ScriptError extends Error {
  constructor(
    message: string,
    readonly line: number | null = null,
  ) {
    super(message);
  }
}
