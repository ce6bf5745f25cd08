/**
 * Sending: called once per connection at the end of every call that gave it a reason. Order: handshake packets,
 * retransmissions, reinjections, new data, FINs, signals, and the ACKs that nothing carried along.
 */
import {
  CONN_CLOSED,
  FALLBACK_MP_FAIL,
  MIB_RecordsFull,
  MIB_RetransSegs,
  MIB_TCPFastRetrans,
  MIB_TCPSlowStartRetrans,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT_1,
  TCP_LAST_ACK,
  TCP_SYN_RCVD,
  TCP_SYN_SENT,
} from '../abi';
import { ccOnIdle } from '../cc/controller';
import { count } from '../counters';
import { deadlineArm } from '../deadlines';
import { dsnDiff, dsnMin } from '../dsn';
import { now } from '../host';
import { maxPrivate, maxRecords } from '../limits';
import { pathBlocked } from '../paths';
import { txRoom } from '../rings';
import { pickSubflow } from '../sched/scheduler';
import { seqDiff } from '../seq';
import {
  Rec,
  REC_CAPABLE,
  REC_DATA_FIN,
  REC_EVER_RETRANS,
  REC_FIN,
  REC_INFINITE,
  REC_PSH,
  REC_REINJECTED,
  REC_RETRANS,
  REC_TIMED,
  recAt,
  recNextLost,
  recPush,
  recReserve,
  timeAppend,
  timeRemove,
} from '../tcp/records';
import { noteRetransmission } from '../tcp/recovery';
import { currentRto, tsNow } from '../tcp/rtt';
import {
  CA_CWR,
  CA_LOSS,
  CA_RECOVERY,
  SF_ACK_NOW,
  SF_FIN_QUEUED,
  SF_FIN_SENT,
  SF_PRE_ESTABLISHED,
  SF_SEND_FAIL,
  SF_SEND_PRIO,
  SF_SEND_SYN,
  Subflow,
  TIMER_NONE,
  TIMER_PERSIST,
} from '../tcp/subflow';
import { scheduleRetransmission, startTimer, stopTimer } from '../tcp/timers';
import {
  Connection,
  C_CLIENT,
  C_ESTABLISHED,
  C_FIN_ACKED,
  C_FIN_QUEUED,
  C_FIN_SENT,
  C_MPTCP,
  C_SEND_INFINITE,
  markDirty,
  tellWritable,
} from './connection';
import { canFallBack, fallBack } from './fallback';
import { sendSyn } from './handshake';
import { owesKeys, segmentSize, sendAck, sendKeys, sendRecord } from './packet';
import { Reinjection, reinjected, reinjectionFirst } from './reinject';
import { sendDetach } from './send-ring';
import { sendSignals } from './signal';

/** A mapping's length field has 16 bits. */
const MAX_SEGMENT: u32 = 65000;

/** Sends what can be sent. What the full transmit ring holds back is tried again at the next call. */
export function output(c: Connection): void {
  retransmitLost(c);
  if (c.state < CONN_CLOSED && c.state > 0) {
    if (c.is(C_MPTCP)) sendReinjections(c); // on plain TCP the same octets twice would be new ones
    const next = c.dataNxt;
    sendNew(c);
    if (c.watch && next != c.dataNxt) tellWritable(c);
    sendFins(c);
    if (c.is(C_MPTCP) && c.signalHead != 0) sendSignals(c);
  }
  closeSubflows(c);
  let waiting = txRoom() == 0;
  let flying = false;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.is(SF_SEND_SYN)) sendSyn(c, sf);
    if (sf.synchronized && (sf.flags & (SF_ACK_NOW | SF_SEND_PRIO | SF_SEND_FAIL)) != 0) {
      if (!sendAck(c, sf)) waiting = true;
    }
    if (sf.packetsOut != 0) flying = true;
    // Growth of the window makes sense only where it holds sending back (RFC 7661).
    sf.cwndLimited = sf.inFlight >= sf.cwnd;
  }
  if (waiting) markDirty(c);
  persist(c, flying);
  armDataTimer(c);
}

// ---- retransmission ---------------------------------------------------------------------------------------

function retransmitLost(c: Connection): void {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.lostOut <= sf.retransOut || pathBlocked(sf.path)) continue;
    let sent = false;
    while (sf.inFlight < sf.cwnd) {
      const id = recNextLost(sf);
      if (id == 0 || !retransmit(c, sf, id)) break;
      count(sf.caState == CA_LOSS ? MIB_TCPSlowStartRetrans : MIB_TCPFastRetrans);
      if (sf.caState == CA_RECOVERY) sf.prrOut++;
      sent = true;
    }
    if (sent) scheduleRetransmission(sf, false, 0);
  }
}

/** Sends a record again. False: the transmit ring is full. */
export function retransmit(c: Connection, sf: Subflow, id: u32): bool {
  const r = recAt(sf, id);
  if (!sendRecord(c, sf, r)) return false;
  count(MIB_RetransSegs);
  sf.retransmissions++;
  noteRetransmission(sf, tsNow(sf));
  if (!r.is(REC_RETRANS)) {
    r.flags |= REC_RETRANS;
    sf.retransOut++;
  }
  r.flags |= REC_EVER_RETRANS;
  r.xmit = now;
  if (r.is(REC_TIMED)) timeRemove(sf, id, r); // a probe repeats what is not lost
  timeAppend(sf, id, r);
  return true;
}

// ---- data -------------------------------------------------------------------------------------------------

/** A record for [dsn, dsn + length) at the end of the subflow's sequence space. 0: no memory. */
function newRecord(c: Connection, sf: Subflow, dsn: u64, length: u32): u32 {
  if (sf.recTail - sf.recHead >= maxRecords && length != 0) {
    count(MIB_RecordsFull);
    return 0;
  }
  if (!recReserve(sf)) return 0;
  if (sf.packetsOut == 0 && sf.lastSent != 0 && now - sf.lastSent > sf.rto) ccOnIdle(sf, now - sf.lastSent);
  const id = recPush(sf);
  const r = recAt(sf, id);
  r.seq = sf.sndNxt;
  r.dsn = dsn;
  r.length = length;
  r.mapLength = length;
  r.checksum = -1;
  r.xmit = now;
  return id;
}

function launch(c: Connection, sf: Subflow, id: u32): void {
  const r = recAt(sf, id);
  sendRecord(c, sf, r);
  sf.sndNxt = r.end;
  sf.packetsOut++;
  sf.bytesSent += r.length;
  timeAppend(sf, id, r);
  if (sf.caState == CA_RECOVERY || sf.caState == CA_CWR) sf.prrOut++;
  scheduleRetransmission(sf, false, 0);
}

@inline
function roomOn(sf: Subflow): u32 {
  return <u32>max<i32>(0, seqDiff(sf.sndEdge, sf.sndNxt));
}

function sendReinjections(c: Connection): void {
  while (txRoom() > 2) {
    const p = reinjectionFirst(c);
    if (p == 0) return;
    const range = changetype<Reinjection>(p);
    const picked = pickSubflow(c.subflows, range.from);
    if (picked == 0) return;
    const sf = changetype<Subflow>(picked);
    const size = min(min(segmentSize(c, sf), MAX_SEGMENT), roomOn(sf));
    const n = <u32>min<u64>(size, range.end - range.start);
    const id = newRecord(c, sf, range.start, n);
    if (id == 0) return;
    const r = recAt(sf, id);
    // A private copy keeps the order of what lies in the ring; it must not wait for those of a dead path.
    if (!sendDetach(c, sf, r, maxPrivate * 2)) {
      sf.recTail = id;
      return;
    }
    if (range.start + n == range.end) r.flags |= REC_PSH;
    range.start += n;
    reinjected(c, n);
    launch(c, sf, id);
  }
}

function sendNew(c: Connection): void {
  while (txRoom() > 2) {
    const unsent = dsnDiff(c.writeSeq, c.dataNxt);
    if (unsent <= 0) return;
    const window = dsnDiff(dsnMin(c.writeSeq, c.wndEdge), c.dataNxt);
    if (window <= 0) return;
    const picked = pickSubflow(c.subflows, 0);
    if (picked == 0) return;
    const sf = changetype<Subflow>(picked);
    if (!sendSegment(c, sf, <u64>unsent, <u64>window)) return;
  }
}

/** Sends up to one segment of new data on a subflow. False: it is better to wait, or memory is out. */
export function sendSegment(c: Connection, sf: Subflow, unsent: u64, window: u64): bool {
  const size = min(segmentSize(c, sf), MAX_SEGMENT);
  const n = min(<u32>min<u64>(size, min(unsent, window)), roomOn(sf));
  if (n == 0) return false;
  const last = n == unsent;
  if (n < size && c.dataNxt != c.dataUna) {
    // Nagle, once for the whole connection (RFC 9293 section 3.7.4), and the sender's half of silly window
    // avoidance (3.8.6.2.1). As in Linux, only a small segment on the way holds the next one back
    // (draft-minshall-nagle), so that the end of one write does not wait for its beginning.
    const small = c.smallEdge - c.dataUna - 1 < c.dataNxt - c.dataUna;
    if (last ? small && !c.nodelay && !c.is(C_FIN_QUEUED) : true) return false;
  }
  const id = newRecord(c, sf, c.dataNxt, n);
  if (id == 0) return false;
  const r = recAt(sf, id);
  if (n < size) c.smallEdge = c.dataNxt + n;
  // New data after MP_FAIL: the stream goes on without mappings, unless there is more than one subflow meanwhile.
  if (c.is(C_SEND_INFINITE) && c.is(C_MPTCP)) {
    if (canFallBack(c)) fallBack(c, sf, FALLBACK_MP_FAIL);
    else c.clear(C_SEND_INFINITE);
  }
  if (c.is(C_MPTCP) && c.is(C_CLIENT) && !c.is(C_ESTABLISHED) && sf.sndNxt == sf.firstOut) r.flags |= REC_CAPABLE;
  if (c.is(C_SEND_INFINITE)) {
    r.flags |= REC_INFINITE;
    c.clear(C_SEND_INFINITE);
  }
  if (last) {
    r.flags |= REC_PSH;
    if (c.is(C_FIN_QUEUED)) withFin(c, sf, r);
  }
  c.dataNxt += n;
  if (c.is(C_FIN_SENT) && last && c.is(C_MPTCP)) c.dataNxt = c.finDsn + 1;
  launch(c, sf, id);
  return true;
}

/** The last data carries the end of the stream: DATA_FIN, or FIN on a plain connection. */
function withFin(c: Connection, sf: Subflow, r: Rec): void {
  if (c.is(C_MPTCP)) {
    if (r.is(REC_CAPABLE)) return; // MP_CAPABLE has no place for it
    r.flags |= REC_DATA_FIN;
    c.set(C_FIN_SENT);
  } else {
    r.flags |= REC_FIN;
    c.set(C_FIN_SENT);
    finLeaves(sf);
  }
}

// ---- the end of the stream, the end of a subflow ----------------------------------------------------------

function sendFins(c: Connection): void {
  if (!c.is(C_FIN_QUEUED) || c.is(C_FIN_SENT) || dsnDiff(c.writeSeq, c.dataNxt) > 0) return;
  if (c.is(C_MPTCP)) {
    c.set(C_FIN_SENT);
    c.dataNxt = c.finDsn + 1;
    signalFin(c);
  } else if (c.subflows != 0) {
    c.set(C_FIN_SENT);
    c.firstSubflow.set(SF_FIN_QUEUED);
  }
}

/** DATA_FIN goes out on every subflow, as Linux does it: the first to arrive counts. */
export function signalFin(c: Connection): void {
  // Nothing was sent: the third ACK with MP_CAPABLE may be lost, but DATA_FIN goes with DSS only. The server takes
  // the keys from either the ACK before or a repetition of it.
  if (c.subflows != 0 && owesKeys(c, c.firstSubflow)) sendKeys(c, c.firstSubflow);
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.synchronized && !sf.is(SF_PRE_ESTABLISHED)) sf.set(SF_ACK_NOW);
  }
}

function finLeaves(sf: Subflow): void {
  sf.set(SF_FIN_SENT);
  sf.clear(SF_FIN_QUEUED);
  sf.state = sf.state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT_1;
}

/** FIN on the subflows that are to end; it counts as one octet and is retransmitted like one. */
function closeSubflows(c: Connection): void {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (!sf.is(SF_FIN_QUEUED) || (sf.state != TCP_ESTABLISHED && sf.state != TCP_CLOSE_WAIT)) continue;
    if (txRoom() == 0 || !recReserve(sf)) {
      markDirty(c);
      return;
    }
    const id = newRecord(c, sf, c.dataNxt, 0);
    const r = recAt(sf, id);
    r.mapLength = 0;
    r.flags |= REC_FIN | REC_REINJECTED;
    finLeaves(sf);
    launch(c, sf, id);
  }
}

// ---- timers of the whole connection -----------------------------------------------------------------------

/** Data waits, nothing is in flight, and the peer's window is closed: probe it (RFC 9293 section 3.8.6.1). */
function persist(c: Connection, flying: bool): void {
  const blocked = dsnDiff(c.writeSeq, c.dataNxt) > 0 && !flying && !c.is(C_FIN_SENT);
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.state == TCP_SYN_SENT || sf.state == TCP_SYN_RCVD || sf.is(SF_PRE_ESTABLISHED)) continue;
    if (blocked) {
      if (sf.timerKind == TIMER_NONE) startTimer(sf, TIMER_PERSIST, currentRto(sf));
    } else if (sf.timerKind == TIMER_PERSIST) {
      sf.backoff = 0;
      stopTimer(sf);
    }
  }
}

/** Longest timeout of the subflows: how long the data level waits before it acts on its own. */
function longestRto(c: Connection): f64 {
  let longest: f64 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    longest = max(longest, changetype<Subflow>(p).rto);
  }
  return longest == 0 ? 1e6 : longest;
}

/** Data-level retransmission (RFC 8684 section 3.3.6) and repetition of DATA_FIN. */
function armDataTimer(c: Connection): void {
  if (!c.is(C_MPTCP) || c.dataUna == c.dataNxt || (c.is(C_FIN_SENT) && c.is(C_FIN_ACKED))) {
    c.dataTimerAt = Infinity;
    return;
  }
  if (c.dataTimerAt != Infinity || c.subflows == 0) return;
  c.dataTimerAt = now + longestRto(c) * <f64>(1 << min<u32>(c.dataBackoff, 8));
  deadlineArm(changetype<usize>(c) | 1, c.heapField, c.dataTimerAt);
}
