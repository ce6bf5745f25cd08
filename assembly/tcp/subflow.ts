/**
 * The subflow record: one complete TCP connection (RFC 9293) that carries part of a Multipath connection.
 * Everything that belongs to a path (round trips, congestion window, sequence numbers, timers) lives here;
 * what the subflows share lives in mptcp/connection.ts.
 */
import { CcState } from '../cc/state';
import { TCP_CLOSED } from '../abi';

// ---- loss recovery states (Linux' names) -----------------------------------------------------------------
export const CA_OPEN: u8 = 0;
export const CA_DISORDER: u8 = 1;
/** The window shrinks because the network marked packets (RFC 3168). */
export const CA_CWR: u8 = 2;
export const CA_RECOVERY: u8 = 3;
export const CA_LOSS: u8 = 4;

// ---- what the one retransmission timer stands for ---------------------------------------------------------
export const TIMER_NONE: u8 = 0;
/** SYN, SYN/ACK, or the third ACK of a join. */
export const TIMER_HANDSHAKE: u8 = 1;
/** Retransmission timeout (RFC 6298). */
export const TIMER_RTO: u8 = 2;
/** Tail loss probe (RFC 8985 section 7). */
export const TIMER_PROBE: u8 = 3;
/** Reordering window (RFC 8985 section 6.2 step 5). */
export const TIMER_REORDER: u8 = 4;
/** Zero-window probe (RFC 9293 section 3.8.6.1). */
export const TIMER_PERSIST: u8 = 5;
/** TIME-WAIT or an orphan in FIN-WAIT-2: the end. */
export const TIMER_END: u8 = 6;

// ---- what the acknowledgement or the timer lets go -----------------------------------------------------------
export const REXMIT_NONE: u8 = 0;
/** What is lost. */
export const REXMIT_LOST: u8 = 1;
/** New data before what is lost (F-RTO). */
export const REXMIT_NEW: u8 = 2;

// ---- what sending waits for --------------------------------------------------------------------------------
/** Nothing: all is acknowledged. */
export const CHRONO_IDLE: u8 = 0;
/** Acknowledgements, of a path that is in use. */
export const CHRONO_BUSY: u8 = 1;
/** The peer's window. */
export const CHRONO_WINDOW: u8 = 2;
/** The program, which waits for room in the send buffer. */
export const CHRONO_BUFFER: u8 = 3;

// ---- flags ------------------------------------------------------------------------------------------------
/** The subflow answers: it sent SYN/ACK. */
export const SF_PASSIVE: u32 = 1 << 0;
/** A joined subflow (not the first of its connection). */
export const SF_JOIN: u32 = 1 << 1;
/** Offered or agreed options. */
export const SF_TIMESTAMPS: u32 = 1 << 2;
export const SF_SACK: u32 = 1 << 3;
export const SF_SCALE: u32 = 1 << 4;
/** Send an ACK now. */
export const SF_ACK_NOW: u32 = 1 << 5;
/** Joining side: third ACK sent, no proof yet that it arrived (RFC 8684 section 3.2). */
export const SF_PRE_ESTABLISHED: u32 = 1 << 6;
/** Backup by our wish, by the peer's. */
export const SF_BACKUP_LOCAL: u32 = 1 << 7;
export const SF_BACKUP_REMOTE: u32 = 1 << 8;
/** Set aside: repeated timeouts while others work. */
export const SF_STALE: u32 = 1 << 9;
/** A FIN is wanted once everything queued is sent. */
export const SF_FIN_QUEUED: u32 = 1 << 10;
export const SF_FIN_SENT: u32 = 1 << 11;
/** An ACK of its own is to follow our FIN. */
export const SF_ACK_AFTER_FIN: u32 = 1 << 31;
/** Listed as having something to send. */
export const SF_LISTED: u32 = 1 << 12;
/** SYN goes out without Multipath option (asked for, or after silence). */
export const SF_PLAIN_SYN: u32 = 1 << 13;
/** SYN or SYN/ACK was retransmitted: no sample from it, initial window of one segment. */
export const SF_SYN_RETRANSMITTED: u32 = 1 << 14;
/** MP_PRIO is to be sent. */
export const SF_SEND_PRIO: u32 = 1 << 15;
/** Peer's FIN is acknowledged. */
export const SF_FIN_RECEIVED: u32 = 1 << 16;
/** MP_FAIL is to be sent with the next ACK. */
export const SF_SEND_FAIL: u32 = 1 << 18;
/** Has no connection any more, and repeats MP_FASTCLOSE (fastclose.ts). */
export const SF_FASTCLOSE: u32 = 1 << 17;
/** The window advertised last was zero or nearly so. */
export const SF_WINDOW_CLOSED: u32 = 1 << 19;
/** Counts against the limit of half-open handshakes. */
export const SF_HALF_OPEN: u32 = 1 << 20;
/** The peer's FIN has arrived (perhaps beyond a hole) and stands at `finAt`. */
export const SF_FIN_KNOWN: u32 = 1 << 21;
/** A checksum failed, MP_FAIL went out, and the peer has not answered yet. */
export const SF_FAILING: u32 = 1 << 26;
/** Segments that should have had a DATA_ACK came without any Multipath option since the last one, from `bareAt` on. */
export const SF_BARE: u32 = 1 << 27;
/** A probe asks whether the peer still speaks Multipath TCP. */
export const SF_ASKED: u32 = 1 << 28;
/** SYN/ACK is to be sent (again), SYN is to be sent (again). */
export const SF_SEND_SYN: u32 = 1 << 22;
/** Accepted with its SYN (TCP Fast Open): the third packet of the handshake is still to come. */
export const SF_FAST_OPEN: u32 = 1 << 23;
/** The third packet came, and the connection could not be accepted yet. */
export const SF_ACKED: u32 = 1 << 25;
/** Holds the send ring, and no more copies may be made of what it holds. */
export const SF_OVERFULL: u32 = 1 << 24;

@unmanaged
export class Subflow extends CcState {
  handle: u32;
  /** In SYN-RECEIVED: number of the listener whose request queue it is in, 0 for none. */
  listener: u32;
  /** Owning connection; 0 once it is only a TIME-WAIT. */
  conn: usize;
  /** Next subflow of the connection; 0 ends the list. */
  nextOfConn: usize;
  hashNext: usize;
  heapAt: u32;
  state: i32;
  caState: u8;
  timerKind: u8;
  localId: u8;
  remoteId: u8;
  closeReason: i32;
  /** CLOSE_*, of the latest ICMP error that did not end it; CLOSE_NORMAL: nothing, or it has been heard of since. */
  softError: u8;
  /** MP_TCPRST reason to send or received; 255: none. */
  resetReason: u8;
  flags: u32;

  // addresses: 16 octets each, IPv4 mapped
  path: u32;
  family: u32;
  localHigh: u64;
  localLow: u64;
  remoteHigh: u64;
  remoteLow: u64;
  localPort: u32;
  remotePort: u32;
  ipId: u32;
  tos: u8;
  ttl: u8;
  /** ECN, see tcp/ecn.ts. */
  ecn: u8;

  // send sequence space (RFC 9293 section 3.3.1)
  iss: u32;
  sndUna: u32;
  sndNxt: u32;
  /** Right edge up to which the peer lets us send on this subflow. */
  sndEdge: u32;
  sndWnd: u32;
  sndWl1: u32;
  sndWl2: u32;
  maxWnd: u32;
  sndScale: u32;
  /** End of the last segment below full size (Minshall's form of Nagle's rule). */
  sndSmall: u32;

  // receive sequence space
  irs: u32;
  rcvNxt: u32;
  /** Sequence number of the peer's FIN (SF_FIN_KNOWN). */
  finAt: u32;
  /** Right edge advertised. */
  rcvEdge: u32;
  rcvScale: u32;
  /** Sequence number in the acknowledgement sent last. */
  lastAck: u32;

  // timestamps (RFC 7323)
  tsOffset: u32;
  tsRecent: u32;
  tsRecentAt: f64;

  // segment size
  peerMss: u32;
  /** IP packet limit of the path. */
  mtu: u32;
  /** Octets of encapsulation below IP's payload. */
  overhead: u32;

  // round trips (srtt, rttvar, minRtt are in CcState)
  rto: f64;
  /** Part of the timeout above srtt; the largest deviation of this round trip; its end. */
  rttBound: f64;
  rttMaxVar: f64;
  rttRound: u32;
  backoff: u32;
  minRttAt: f64;

  // retransmission queue: records in a ring of `recCap`, ids from recHead to recTail
  recs: usize;
  recCap: u32;
  /** Octets of private copies. */
  privateBytes: u32;
  recHead: u32;
  recTail: u32;
  /** Ends of the list of in-flight records by time of transmission, 0 none. */
  timeHead: u32;
  timeTail: u32;
  packetsOut: u32;
  sackedOut: u32;
  lostOut: u32;
  retransOut: u32;
  /** First record whose payload may still lie in the send ring. */
  ringHint: u32;
  /** First record that may need retransmission. */
  retransHint: u32;
  /** Highest sequence number SACKed. */
  highSacked: u32;

  // recovery
  highSeq: u32;
  /** Before the latest reduction; a threshold of 0: it is final. */
  priorCwnd: u32;
  priorSsthresh: u32;
  prrDelivered: u32;
  prrOut: u32;
  /** The reduction can be undone; SND.UNA when it began; repetitions not known to be needless, -1: none was sent. */
  undoing: bool;
  undoMarker: u32;
  undoRetrans: i32;
  /** Timestamp of what was repeated first; an older echo that has undone a reduction; the latest that moved SND.UNA. */
  undoFrom: u32;
  undoEcho: u32;
  lastEcho: u32;
  /** After a timeout it is not known yet whether it was spurious (F-RTO). */
  frto: bool;
  /** One of REXMIT_*. */
  rexmit: u8;
  /**
   * Segments that may overtake each other (without SACK: duplicate ACKs that tell of a loss), and how often some did.
   */
  reordering: u32;
  reordSeen: u32;
  /** Segments delivered, and marked as lost, since the beginning. */
  delivered: u32;
  lostEver: u32;
  /** Sending waits for more room in the window. */
  windowHeld: bool;
  /** SND.NXT when `cwndLimited` was decided; the largest flight since the window was full last, and when that was. */
  usageSeq: u32;
  cwndUsed: u32;
  cwndFullAt: f64;

  // RACK-TLP (RFC 8985)
  rackXmit: f64;
  rackEnd: u32;
  rackRtt: f64;
  rackMult: u32;
  rackPersist: u32;
  rackDsackRound: u32;
  rackDsackSeen: bool;
  /** Something newer was delivered since losses were looked for. */
  rackAdvanced: bool;
  /** sndNxt when the probe went out, and whether one is out, a repetition, and nothing was acknowledged since. */
  tlpEnd: u32;
  tlpOut: bool;
  tlpRetrans: bool;
  tlpSilent: bool;

  // timers: absolute microseconds, Infinity when off
  timerAt: f64;
  delackAt: f64;
  /** Pacing: when the next octets may leave, and whether some wait for it. */
  paceAt: f64;
  /** The window that the rate goes by, hundredths of a segment. */
  paceWindow: u32;
  paceWaits: bool;
  keepaliveAt: f64;
  /** End of the wait for the peer: for a mapping, for its answer to MP_FAIL, for it to see the fallback. */
  waitAt: f64;
  bareAt: f64;
  retries: u32;
  /** When the first segment of the episode was sent again, 0: none was. */
  retransAt: f64;
  keepaliveProbes: u32;
  /** Zero-window probes without an answer. */
  probesOut: u32;
  lastReceived: f64;
  /** -1: nothing yet. */
  lastSent: f64;
  /** 0: no data yet. */
  lastDataSent: f64;

  // acknowledgements we owe (tcp/delack.ts)
  quickAcks: u32;
  /** How long data may wait for its acknowledgement; 0 before the first. When data came last. Microseconds. */
  ato: f64;
  dataAt: f64;
  /** The program answers what comes, so acknowledgements wait for its data. */
  pingPong: bool;
  /** Segments below the full size since the last acknowledgement, at most 2. */
  pushed: u8;
  rcvMss: u32;
  /** Smoothed round trip that the peer's timestamps show, 0: none; and the echo that was measured last. */
  rcvRtt: f64;
  rcvRttEcho: u32;
  challengeAt: f64;

  // out-of-order octets at subflow level: `Intervals` of four fields, and the blocks to report (RFC 2018)
  oooAt: usize;
  oooCapacity: u32;
  oooFirst: u32;
  oooCount: u32;
  sackCount: u32;
  dsackStart: u32;
  dsackEnd: u32;
  hasDsack: bool;

  // multipath
  localNonce: u32;
  remoteNonce: u32;
  /** Mappings that reach beyond what has arrived, and octets that wait for theirs. */
  maps: usize;
  mapCapacity: u32;
  mapCount: u32;
  /** The latter: `Intervals` of four fields, and a table of pages. */
  heldAt: usize;
  heldCapacity: u32;
  heldFirst: u32;
  heldCount: u32;
  pages: usize;
  pageCapacity: u32;
  pageCount: u32;
  /** Octets of SYN data taken, and of ours that were taken: they lie outside the data sequence space. */
  ssnShift: u32;
  ssnOutShift: u32;
  /** Octets that our SYN carried. */
  synData: u32;
  /** TCP Fast Open, see mptcp/fast-open.ts. */
  fastOpen: u8;
  /** Data sequence number of the mapping that arrived last. */
  mapDsn: u64;
  failDsn: u64;
  /** With SF_FASTCLOSE: the key that MP_FASTCLOSE names. */
  peerKey: u64;
  /** MTU before small pieces were tried; 0: they are not (mtu.ts). Large segments are in doubt, and since when. */
  wideMtu: u32;
  mtuDoubted: bool;
  mtuAt: f64;
  /** A router has told of `mtu`, or of `wideMtu`; until when that holds (mptcp/unreachable.ts). */
  mtuUntil: f64;
  /** The mapping opened last for sending: data sequence numbers, partial sum of its octets, MP_CAPABLE as its form. */
  mapStart: u64;
  mapEnd: u64;
  mapSum: u64;
  mapCapable: bool;

  // statistics
  bytesSent: u64;
  bytesReceived: u64;
  retransmissions: u32;
  bytesRetransmitted: u64;
  timeouts: u32;
  establishedAt: f64;
  /** What sending waits for (one of CHRONO_*), since when, and for how long before. */
  chrono: u8;
  chronoAt: f64;
  busyTime: f64;
  windowTime: f64;
  bufferTime: f64;
  dsackDups: u32;
  /** Timeouts in a row count as one episode: their number, since when the present one lasts (0: none), all before. */
  timeoutEpisodes: u32;
  timeoutAt: f64;
  timeoutTime: f64;
  /** Those of our SYN/ACK. */
  answerTimeouts: u8;
  /** Segments that arrived beyond a hole; delivered ones whose acknowledgement told of a mark. */
  oooSegments: u32;
  deliveredMarked: u32;
  /**
   * rate.ts: when the flight began to leave and to be acknowledged; segments delivered when what the program limited is
   * over, 0: it does not; the latest measurement.
   */
  rateSentAt: u32;
  rateAckedAt: u32;
  appLimited: u32;
  rateSegments: u32;
  rateInterval: u32;
  rateAppLimited: bool;
  segmentsIn: u32;
  segmentsOut: u32;
  dataSegmentsIn: u32;
  dataSegmentsOut: u32;

  /** Up to four SACK blocks, newest first: start and end, u32 each. */
  sackBlocks0: u64;
  sackBlocks1: u64;
  sackBlocks2: u64;
  sackBlocks3: u64;

  // the receive window by Linux' account (mptcp/receive-window.ts)
  /** When the measurement of a round trip by the window began, and where it ends. */
  rcvRttAt: f64;
  rcvRttSeq: u32;
  /** Window advertised last; where it may grow to, and the limit of that; payload in the buffer, of 256. Octets. */
  rcvWnd: u32;
  rcvSsthresh: u32;
  windowClamp: u32;
  rcvRatio: u32;
  /** The buffer had no room for the segment in hand: the window is closed. */
  noRoom: bool;
  /** Size of the last segment below `rcvMss`, which may be the peer's full size; 0: none. */
  lastSegment: u32;

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
  /** Sequence number of our first octet after the SYN and what it carried. */
  @inline
  get firstOut(): u32 {
    return this.iss + 1 + this.ssnOutShift;
  }
  /** Relative subflow sequence number (RFC 8684 section 3.3): that octet is 1. */
  @inline
  ssnOut(seq: u32): u32 {
    return seq - this.iss - this.ssnOutShift;
  }
  @inline
  get inFlight(): u32 {
    return this.packetsOut - this.sackedOut - this.lostOut + this.retransOut;
  }
  @inline
  get synchronized(): bool {
    return this.state >= 3;
  }
  @inline
  get dead(): bool {
    return this.state == TCP_CLOSED;
  }
  @inline
  get backup(): bool {
    return (this.flags & (SF_BACKUP_LOCAL | SF_BACKUP_REMOTE)) != 0;
  }
  @inline
  get heapField(): usize {
    return changetype<usize>(this) + offsetof<Subflow>('heapAt');
  }
  @inline
  get sackBlocks(): usize {
    return changetype<usize>(this) + offsetof<Subflow>('sackBlocks0');
  }
}
