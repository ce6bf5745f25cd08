/** The face of Plait for programs: a host, its sockets and servers. */
import type { Duplex } from 'node:stream';
import type { EventEmitter } from 'node:events';
import type { ConnectionInfo, Counters } from '../stack/info.js';
import type { ConnectionEvent } from '../stack/connection.js';
import type { Device, DeviceStats, Path } from '../io/device.js';
import type { EndpointSpec, PathLimits } from '../path/endpoints.js';
import type { EndpointControl } from '../path/ip-mptcp.js';
import type { PathManagerName } from '../path/path-manager.js';
import type { PathEventStream } from './path-events.js';
import type { SocketPaths } from './socket-paths.js';
import type { Timers } from '../io/timers.js';

export type DeviceName = 'auto' | HostDevice;
/** Devices of a host; see docs/cli.md. */
export type HostDevice = 'packet' | 'raw' | 'udp';
export type CongestionName = 'cubic' | 'reno' | 'lia' | 'olia' | 'balia' | 'wvegas';
export type SchedulerName = 'minrtt';
export type SynCookies = 'never' | 'flooded' | 'always';

/** What peers may make a host hold (docs/hostile-input.md). What meets a limit is refused and counted. */
export interface ResourceLimits {
  /** Octets of memory in all; the last eighth is for connections that exist. Default 512 MiB. */
  readonly memory: number;
  /** Octets that hold unmapped or unverified data: of one connection (1 MiB), of all (16 MiB). */
  readonly heldPerConnection: number;
  readonly held: number;
  /** Intervals beyond a hole, of one subflow or of one connection's data. Default 4096. */
  readonly ranges: number;
  /** Mappings of one subflow whose octets have not all come. Default 1024. */
  readonly mappings: number;
  /** Address signals of one connection that wait for a packet. Default 64. */
  readonly signals: number;
  /** Data ranges of one connection that wait for another subflow. Default 8192. */
  readonly reinjections: number;
  /** Segments of one subflow in flight. Default 8192. */
  readonly segments: number;
  /** Octets of one connection's private copies of data in flight. Default 16 MiB. */
  readonly privateCopies: number;
  /** Subflows in TIME-WAIT. Default 16384. */
  readonly timeWait: number;
  /** Handshakes that are not complete; SYN cookies beyond. Default 1024. */
  readonly halfOpen: number;
  /** Joins that are not complete. */
  readonly pendingJoins: number;
  /** Resets to packets of no connection. */
  readonly resetsPerSecond: number;
}

/** Of every connection of a host, unless the connection or its server has its own. */
export interface FlowOptions {
  /**
   * Bursts leave at the rate at which each path takes them, not all at once; a number is the most that each subflow
   * sends, in octets per second. Default false: a window leaves at once.
   */
  readonly pacing?: boolean | number;
  /**
   * Octets that a connection holds at most: written and not acknowledged, received and not read. Rings grow up to the
   * next power of two, at most 256 MiB. Default 16 MiB each.
   */
  readonly sendBuffer?: number;
  readonly receiveBuffer?: number;
}

export interface HostOptions extends FlowOptions {
  /** `auto` (default): packet with the privilege, else raw, else udp. */
  readonly device?: DeviceName;
  /** Local addresses to use as paths; default every usable one. */
  readonly paths?: readonly string[];
  /** Who decides on further subflows (docs/path-management.md). Default laminar; with endpoints, these. */
  readonly pathManager?: PathManagerName;
  /** Endpoints to begin with. */
  readonly endpoints?: readonly EndpointSpec[];
  /** Default 2 subflows, 0 announced addresses; they count where endpoints decide. */
  readonly limits?: Partial<PathLimits>;
  /** Default: those of `ResourceLimits`. */
  readonly resources?: Partial<ResourceLimits>;
  /** Milliseconds that a connection without any subflow waits for a new one. Default 60000. */
  readonly closeTimeout?: number;
  /** Milliseconds at most until ADD_ADDR is repeated without an echo; 0: never. Default 120000. */
  readonly addAddrTimeout?: number;
  /** Default cubic for a single path, lia as soon as a connection has two subflows. */
  readonly congestion?: CongestionName;
  readonly scheduler?: SchedulerName;
  /** Speak Multipath TCP; otherwise plain TCP only. Default true. */
  readonly multipath?: boolean;
  /** Ask for DSS checksums (RFC 8684 section 3.3). Default false. */
  readonly checksum?: boolean;
  /** Answer SYNs without keeping state (RFC 4987 section 3.6): default `flooded`, while too many handshakes are open. */
  readonly synCookies?: SynCookies;
  /** Ask peers not to join at a connection's first address and port (RFC 8684 section 3.1, flag C). Default false. */
  readonly denyJoins?: boolean;
  /**
   * How an aborted connection tells its peer (RFC 8684 section 3.5): `reset`, MP_FASTCLOSE on a RST on every subflow, as
   * Linux does it, or `repeat`, on an ACK that is repeated up to three times until a RST answers. Default `reset`.
   */
  readonly fastclose?: 'reset' | 'repeat';
  /** Ask for ECN (RFC 3168) when opening; a peer that asks is answered in any case. Default false. */
  readonly ecn?: boolean;
  /** Write every packet to this pcapng file. */
  readonly pcap?: string;
  /** Largest IP packet in octets on any path; default the interface's. */
  readonly mtu?: number;
  /** Puts something between the stack and the device: a link model, a filter. */
  readonly wrapDevice?: (device: Device, timers: Timers) => Device;
}

export interface Host {
  /** The device in use, after `auto` was decided. */
  readonly device: HostDevice;
  connect(options: ConnectOptions): Socket;
  createServer(onConnection?: (socket: Socket) => void): Server;
  paths(): readonly Path[];
  counters(): Counters;
  /** What the device says of itself and of each path: packets that could not be sent or were dropped. */
  deviceStats(): DeviceStats;
  /** Endpoints and limits, to be changed at any time; see also `applyIpMptcp`. */
  readonly pathManager: EndpointControl;
  /** What happens to subflows and addresses, as `ip mptcp monitor` tells it. */
  readonly events: PathEventStream;
  /** Resolves when the capture is written, every socket is destroyed and every device is closed. */
  close(): Promise<void>;
}

/**
 * Reading into memory of one's own, as in node:net: received octets are put there, 128 KiB at most at once, and `callback`
 * is told how many; `data` is not emitted. When it returns false, nothing more is read until `resume()`. Without `buffer`
 * nothing is copied: `callback` is lent the octets where they were received, in a view that is valid until it returns or
 * writes to a socket of this host. Who keeps them, or writes them to a stream, copies them first.
 */
export interface OnRead {
  readonly buffer?: Uint8Array | (() => Uint8Array);
  readonly callback: (octets: number, buffer: Uint8Array) => boolean | undefined;
}

export interface ConnectOptions extends FlowOptions {
  /** Name or address. */
  readonly host: string;
  readonly port: number;
  /** Local address of the first subflow; default chosen by the routing table. */
  readonly localAddress?: string;
  readonly localPort?: number;
  /**
   * TCP Fast Open (RFC 7413): what is written before the handshake goes with the SYN, once the peer has given a
   * cookie in an earlier connection. The peer may get that data twice, so it must be harmless to repeat.
   */
  readonly fastOpen?: boolean;
  /** Give up on the handshake after this many milliseconds (default 30000). */
  readonly timeout?: number;
  readonly onread?: OnRead;
}

/**
 * A Duplex stream. Events `connect` (handshake done), `end` (peer's DATA_FIN or FIN), `close`, `error`
 * (a PlaitError), and `mptcp` with a `ConnectionEvent`. `end()` sends DATA_FIN and leaves the other direction
 * open (allowHalfOpen); the stream closes when both directions have ended. A chunk of `data` has 64 KiB at most, and as
 * long as it is kept, a large one may keep twice its length.
 */
export interface Socket extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connecting: boolean;
  /** Subflows and addresses by hand. */
  readonly mptcp: SocketPaths;
  /** Snapshot; stays available after close. */
  info(): ConnectionInfo;
  /** Aborts the connection (MP_FASTCLOSE, or RST after fallback). */
  resetAndDestroy(): this;
}

export interface ListenOptions extends FlowOptions {
  /**
   * Handshakes that may be under way, and connections that may wait for the program, at most, one more of each; what is
   * beyond gets a SYN cookie, or no answer. Default 511, as with node:net; at most 4096.
   */
  readonly backlog?: number;
  /** TCP Fast Open: connections that may be accepted with the data of their SYN before their handshake ends. Default 0. */
  readonly fastOpen?: number;
  /** How accepted sockets read; default by `data` events. */
  readonly onread?: (socket: Socket) => OnRead;
}

export interface Server extends EventEmitter {
  /**
   * Events `listening`, `connection` (Socket), `error`, `close`. Throws EINVAL for a port or an option out of its range.
   * Address, or name: default every path, as with 0.0.0.0 and ::. Another address of this machine, like 127.0.0.1, becomes
   * a path, unless `paths` says which there are: EADDRNOTAVAIL.
   */
  listen(port: number, address?: string, options?: ListenOptions): this;
  readonly port: number;
  readonly listening: boolean;
  /** Stops accepting; resolves when the port is free again. Open sockets live on. */
  close(): Promise<void>;
}

export type { ConnectionEvent, PathManagerName };
