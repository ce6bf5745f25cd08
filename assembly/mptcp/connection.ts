/**
 * The connection record: one data sequence space (RFC 8684 section 3.3) over one or more subflows. Plain TCP is
 * the same record with one subflow whose mapping is the identity.
 */
import {
  CONN_CLOSED,
  CONN_CLOSE_WAIT,
  CONN_ESTABLISHED,
  EVENT_READABLE,
  EVENT_WRITABLE,
  FALLBACK_OFF,
  TCP_SYN_RCVD,
} from '../abi';
import { MIB_MPCurrEstab } from '../mib';
import { ringFor } from './reassembly';
import { count, uncount } from '../counters';
import { dsnLt } from '../dsn';
import { emit } from '../events';
import { cfgDenyJoin } from '../host';
import { cfgSubflowsMax } from '../host';
import { Settings } from '../settings';
import { SF_FIN_QUEUED, SF_FIN_SENT, SF_JOIN, Subflow } from '../tcp/subflow';
import { CAPABLE_CHECKSUM, CAPABLE_DENY_JOIN, CAPABLE_SHA256 } from '../wire/segment';
import { directShift } from './direct';

// ---- flags ------------------------------------------------------------------------------------------------
/** Speaks Multipath TCP, or still may. */
export const C_MPTCP: u32 = 1 << 0;
/** Opened by this side. */
export const C_CLIENT: u32 = 1 << 1;
/** Fully established (RFC 8684 section 3.1): the peer proved that it has both keys. */
export const C_ESTABLISHED: u32 = 1 << 2;
export const C_CHECKSUM: u32 = 1 << 3;
/** The peer forbids joins to its first address and port. */
export const C_DENY_JOIN: u32 = 1 << 4;
/** The application ended its direction. */
export const C_FIN_QUEUED: u32 = 1 << 5;
/** DATA_FIN (or FIN after a fallback) went out, was acknowledged. */
export const C_FIN_SENT: u32 = 1 << 6;
export const C_FIN_ACKED: u32 = 1 << 7;
/** The peer's DATA_FIN is known, has been reached. */
export const C_PEER_FIN: u32 = 1 << 8;
export const C_PEER_DONE: u32 = 1 << 9;
/** READABLE was reported and nothing read since. */
export const C_READABLE: u32 = 1 << 12;
/** The application waits for room in the send ring. */
export const C_WANT_WRITE: u32 = 1 << 13;
/** The application holds the handle: CONNECTED or ACCEPT was reported (or will be). */
export const C_OPENED: u32 = 1 << 14;
/** CLOSED was reported. */
export const C_REPORTED: u32 = 1 << 15;
/** DATA_ACKs are 8 octets wide, as the peer's last data sequence number was. */
export const C_DACK8: u32 = 1 << 16;
/** A second subflow or a data-level retransmission happened: an infinite mapping is no longer safe. */
export const C_NO_INFINITE: u32 = 1 << 17;
/** Some data arrived with a valid mapping, with a valid checksum. */
export const C_DSS_SEEN: u32 = 1 << 18;
export const C_CHECKSUM_SEEN: u32 = 1 << 19;
/** In the list of connections with something to send. */
export const C_DIRTY: u32 = 1 << 20;
/** An infinite mapping must go out with the next data (answer to MP_FAIL). */
export const C_SEND_INFINITE: u32 = 1 << 21;
/** Plain TCP by our own decision, of which the peer may not know: its mappings are still looked at. */
export const C_WATCH: u32 = 1 << 26;
/** The peer goes on with mappings and gets DATA_ACKs until it stops. */
export const C_TOLD: u32 = 1 << 27;
/** The peer has sent a DATA_ACK: DSS gets through in its direction. */
export const C_DACK_SEEN: u32 = 1 << 23;
/** Data in the SYN was taken (RFC 7413). */
export const C_SYN_DATA: u32 = 1 << 24;
/** The application has let go of the handle: free the record when the last subflow is gone. */
export const C_RELEASED: u32 = 1 << 22;
/** A subflow has SF_OVERFULL. */
export const C_OVERFULL: u32 = 1 << 25;
/** The application has left: nobody reads any more. */
export const C_ORPHAN: u32 = 1 << 29;
/** The program will not read any more. */
export const C_DEAF: u32 = 1 << 10;

@unmanaged
export class Connection extends Settings {
  handle: u32;
  state: i32;
  /** FALLBACK_*. */
  fallback: i32;
  closeReason: i32;
  /** It is one of MPCurrEstab. */
  counted: bool;
  /** The application wants to hear of every change of the send queue. */
  watch: bool;
  /** The application takes octets in the buffers in which they came (placed.ts). */
  takesBuffers: bool;
  /** The last write said that more will follow soon. */
  more: bool;
  /** The peer's urgent octet (urgent.ts): URGENT_*, its value. */
  urgentState: u8;
  urgentOctet: u8;
  flags: u32;
  /** First subflow of the list. */
  subflows: usize;
  subflowCount: u32;
  dirtyNext: usize;
  dirtyPrev: usize;
  tokenNext: usize;
  heapAt: u32;
  localPort: u32;
  /** Number of the listener in whose accept queue it waits; 0: the program has it. */
  listener: u32;
  /** IP and TCP header of its SYN, if they are kept. */
  savedSyn: usize;
  savedSynLength: u32;
  /** The peer's address and port of the first subflow. */
  firstRemoteHigh: u64;
  firstRemoteLow: u64;
  remotePort: u32;
  /** Path of the first subflow; its address has ID 0. */
  firstPath: u32;

  localKey: u64;
  remoteKey: u64;
  localToken: u32;
  remoteToken: u32;
  /** Data sequence numbers before the first octet of each direction. */
  localIdsn: u64;
  remoteIdsn: u64;

  // sending: bufSeq <= dataUna <= dataNxt <= writeSeq
  snd: usize;
  sndCap: u32;
  /** Data sequence number of what lies first in the ring's memory, or has its place there; low half. */
  sndStart: u32;
  /** Subflow that opened the last mapping. */
  mapOwner: usize;
  /** Oldest octet that the ring still holds: some subflow may retransmit it. */
  bufSeq: u64;
  /** DATA_ACKed up to here. */
  dataUna: u64;
  /** When the peer sent a DATA_ACK last. */
  dataAckAt: f64;
  /** Next data sequence number to give to a subflow. */
  dataNxt: u64;
  /** End of what the application wrote. */
  writeSeq: u64;
  /** Where the peer's urgent octet stands; the end of ours. */
  urgentIn: u64;
  urgentOut: u64;
  /** Largest DATA_ACK + window seen on any subflow. */
  wndEdge: u64;
  /** Octets that went with the SYN, outside the data sequence space. */
  synBytes: u32;

  // receiving: readSeq <= rcvNxt
  rcv: usize;
  rcvCap: u32;
  /** Data sequence number of what lies first in the ring's memory, or has its place there; low half. */
  rcvStart: u32;
  /** First piece of direct.ts (0: none), and the one that was added last (0: it may be gone). */
  directHead: u32;
  directLast: u32;
  /** Next octet for the application. */
  readSeq: u64;
  /** Next in-order octet: the DATA_ACK that we send. */
  rcvNxt: u64;
  /** Largest DATA_ACK + window advertised on any subflow, and the subflow that did or repeated it. */
  advEdge: u64;
  advOwner: usize;
  /** Octets beyond a hole: `Intervals` of four fields. */
  oooAt: usize;
  oooCapacity: u32;
  oooFirst: u32;
  oooCount: u32;
  /** Octets that wait for a mapping or for the rest of a checksummed one. */
  heldBytes: u32;
  /** Data sequence number of the peer's DATA_FIN. */
  peerFin: u64;
  /** Receive buffer tuning: start of the measurement and what had been read then. */
  tuneAt: f64;
  tuneSeq: u64;
  /** Subflow that data arrived on last. */
  lastSubflow: usize;

  // infinite mapping (RFC 8684 section 3.7): anchors of both directions
  rcvAnchorSeq: u32;
  rcvAnchorDsn: u64;
  /** First octet that was not DATA_ACKed when the stream became plain: where our infinite mapping begins. */
  infiniteDsn: u64;
  /** On a plain connection that is watched: end of the peer's last mapping, and what of it is acknowledged. */
  mapEnd: u64;
  mapAck: u64;
  /** Distance from the peer's subflow to its data sequence numbers, for data that it has not sent before; low half. */
  mapDelta: u32;

  // data ranges to send again on another subflow
  reinjectHead: usize;
  reinjectTail: usize;
  reinjectCount: u32;
  /** Address and priority signals that wait for a packet. */
  signalHead: usize;
  /** Announcements with a port: joins may come in there. */
  portHead: usize;

  /** Data-level retransmission and DATA_FIN timer; the end of a connection without subflows. */
  dataTimerAt: f64;
  closeAt: f64;
  /** Until when the peer's announcements of addresses have used up what they may. */
  announcedTo: f64;

  bytesRead: u64;
  bytesReinjected: u64;

  /** Cost of the segments that are queued, and their octets; room that is left in the last one (receive-window.ts). */
  rcvCost: u32;
  rcvCharged: u32;
  rcvTail: u32;
  /** Octets of memory that are reserved and not used by queued segments. */
  rcvReserve: u32;
  /** What the program read in a round trip, at most so far. */
  rcvqSpace: u32;
  /** Timeouts of the data level since the last acknowledgement. */
  dataBackoff: u32;

  @inline
  is(flag: u32): bool {
    return (this.flags & flag) != 0;
  }
  @inline
  set(flag: u32): void {
    this.flags |= flag;
  }
  @inline
  clear(flag: u32): void {
    this.flags &= ~flag;
  }
  @inline
  get heapField(): usize {
    return changetype<usize>(this) + offsetof<Connection>('heapAt');
  }
  /** Octets for the application: the peer's DATA_FIN takes a number but is none. */
  @inline
  get unread(): u32 {
    return <u32>(this.rcvNxt - this.readSeq) - (this.is(C_PEER_DONE) ? 1 : 0);
  }
  /** Data sequence number of our DATA_FIN. */
  @inline
  get finDsn(): u64 {
    return this.writeSeq;
  }
  @inline
  get firstSubflow(): Subflow {
    return changetype<Subflow>(this.subflows);
  }
}

/** Flags of MP_CAPABLE after the SYN: what both sides agreed on (RFC 8684 section 3.1). */
export function capableFlags(c: Connection): u32 {
  return CAPABLE_SHA256 | (c.is(C_CHECKSUM) ? CAPABLE_CHECKSUM : 0) | (cfgDenyJoin ? CAPABLE_DENY_JOIN : 0);
}

/** Send and receive rings start at this size, octets. */
export const FIRST_RING: u32 = 256 * 1024;

export function initConnection(c: Connection): void {
  c.dataTimerAt = Infinity;
  c.closeAt = Infinity;
  c.set(C_MPTCP);
}

/** The settings are final: the rings' first sizes. */
export function sizeRings(c: Connection): void {
  c.sndCap = min(FIRST_RING, c.sndMax);
  c.rcvCap = min(FIRST_RING, c.rcvMax);
  if (c.rcvBuf != 0) ringFor(c, c.rcvBuf);
}

/** Starts both sequence spaces at their initial numbers (0 for plain TCP). Nothing was sent so far, but in the SYN. */
export function startSequences(c: Connection, local: u64, remote: u64): void {
  const first = local + 1;
  const written = c.writeSeq - c.dataUna; // data may have been queued before the handshake ended
  c.sndStart += <u32>(first - c.dataUna);
  c.localIdsn = local;
  c.bufSeq = c.dataUna = c.dataNxt = c.wndEdge = c.urgentOut = first;
  c.writeSeq = first + written;
  startReceiving(c, remote);
}

/** Starts the peer's sequence space; what came with the SYN has the numbers before its first. */
export function startReceiving(c: Connection, remote: u64): void {
  const shift = remote + 1 - c.rcvNxt;
  c.rcvStart += <u32>shift;
  directShift(c, shift);
  c.remoteIdsn = remote;
  c.readSeq += shift;
  c.rcvNxt += shift;
  c.advEdge += shift;
  c.tuneSeq += shift;
}

/** Part of the mapping opened last is still to be sent. */
@inline
export function mappingOpen(c: Connection): bool {
  return c.mapOwner != 0 && dsnLt(c.dataNxt, changetype<Subflow>(c.mapOwner).mapEnd);
}

/**
 * Moves the data level to another state. MPCurrEstab counts as the kernel does: Multipath sockets whose own direction
 * is open, whether they became plain or not.
 */
export function enterState(c: Connection, state: i32): void {
  c.state = state;
  const speaks = c.is(C_MPTCP) || (c.is(C_CLIENT) && c.fallback != FALLBACK_OFF);
  const open = state == CONN_ESTABLISHED ? speaks : state == CONN_CLOSE_WAIT && c.counted;
  if (open == c.counted) return;
  c.counted = open;
  if (open) count(MIB_MPCurrEstab);
  else uncount(MIB_MPCurrEstab);
}

/** Whether the connection may still carry application data. */
@inline
export function isOpen(c: Connection): bool {
  return c.state >= CONN_ESTABLISHED && c.state < CONN_CLOSED;
}

/** The addresses and ports of a connection are those of its first subflow. */
export function setFirst(c: Connection, sf: Subflow): void {
  c.localPort = sf.localPort;
  c.remotePort = sf.remotePort;
  c.firstRemoteHigh = sf.remoteHigh;
  c.firstRemoteLow = sf.remoteLow;
  c.firstPath = sf.path;
}

/** RFC 8684 section 3.1: the peer's C flag forbids joins to the address and port of its first subflow. */
export function joinDenied(c: Connection, high: u64, low: u64, port: u32): bool {
  return c.is(C_DENY_JOIN) && port == c.remotePort && high == c.firstRemoteHigh && low == c.firstRemoteLow;
}

/** Subflows on their way out that a connection may have beside the others. */
const CLOSING_MAX: u32 = 8;

/**
 * One more join is within the limits. The first subflow, those on their way out and those that have not proved
 * themselves do not count (as in Linux), and a connection without any other may always have one.
 */
export function roomForJoin(c: Connection): bool {
  let live: u32 = 0;
  let joins: u32 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if ((sf.flags & (SF_FIN_QUEUED | SF_FIN_SENT)) != 0 || sf.state == TCP_SYN_RCVD) continue;
    live++;
    if (sf.is(SF_JOIN)) joins++;
  }
  return live == 0 || joins + 1 < cfgSubflowsMax;
}

/** What the table of the connection takes, whatever state its subflows are in. */
export function spaceForJoin(c: Connection): bool {
  return c.subflowCount < cfgSubflowsMax + CLOSING_MAX;
}

export function tellReadable(c: Connection): void {
  if (c.is(C_OPENED) && !c.is(C_READABLE)) {
    c.set(C_READABLE);
    emit(EVENT_READABLE, c.handle, 0, 0, 0, 0);
  }
}

export function tellWritable(c: Connection): void {
  if (c.is(C_WANT_WRITE) || c.watch) {
    if (!c.watch) c.clear(C_WANT_WRITE); // a watcher says so itself
    emit(EVENT_WRITABLE, c.handle, 0, 0, 0, 0);
  }
}

// ---- connections with something to send -------------------------------------------------------------------

let dirtyHead: usize = 0;
let dirtyTail: usize = 0;
/** Length of the list. */
export let dirtyCount: u32 = 0;

/** Lists a connection for the flush at the end of the call in progress. */
export function markDirty(c: Connection): void {
  if (c.is(C_DIRTY)) return;
  c.set(C_DIRTY);
  c.dirtyNext = 0;
  c.dirtyPrev = dirtyTail;
  if (dirtyTail != 0) changetype<Connection>(dirtyTail).dirtyNext = changetype<usize>(c);
  else dirtyHead = changetype<usize>(c);
  dirtyTail = changetype<usize>(c);
  dirtyCount++;
}

/** Takes the first listed connection out, or returns 0. */
export function takeDirty(): usize {
  const p = dirtyHead;
  if (p == 0) return 0;
  const c = changetype<Connection>(p);
  dirtyHead = c.dirtyNext;
  if (dirtyHead == 0) dirtyTail = 0;
  else changetype<Connection>(dirtyHead).dirtyPrev = 0;
  c.clear(C_DIRTY);
  dirtyCount--;
  return p;
}

/** Takes a connection out that is about to be freed. */
export function dropDirty(c: Connection): void {
  if (!c.is(C_DIRTY)) return;
  if (c.dirtyPrev != 0) changetype<Connection>(c.dirtyPrev).dirtyNext = c.dirtyNext;
  else dirtyHead = c.dirtyNext;
  if (c.dirtyNext != 0) changetype<Connection>(c.dirtyNext).dirtyPrev = c.dirtyPrev;
  else dirtyTail = c.dirtyPrev;
  c.clear(C_DIRTY);
  dirtyCount--;
}
