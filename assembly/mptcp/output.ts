/**
 * Sending: called once per connection at the end of every call that gave it a reason. Order: handshake packets,
 * retransmissions, reinjections, new data, FINs, signals, and the ACKs that nothing carried along.
 */
import {
  CLOSE_TIMEOUT,
  CONN_CLOSED,
  CONN_TIME_WAIT,
  TCP_CLOSE_WAIT,
  TCP_ESTABLISHED,
  TCP_SYN_RCVD,
  TCP_SYN_SENT,
} from '../abi';
import { MIB_RetransSegs, MIB_TCPFastRetrans, MIB_TCPSlowStartRetrans } from '../mib';
import { ccOnUnused, windowLimited } from '../cc/controller';
import { countBy } from '../counters';
import { deadlineArm } from '../deadlines';
import { dsnDiff } from '../dsn';
import { now } from '../host';
import { maxPrivate } from '../limits';
import { pathBlocked } from '../paths';
import { txRoom } from '../rings';
import { seqGe, seqGt } from '../seq';
import { tcpSlowStartAfterIdle } from '../sysctl';
import { pickSubflow } from '../sched/scheduler';
import {
  REC_EVER_RETRANS,
  REC_FIN,
  REC_PSH,
  REC_REINJECTED,
  REC_RETRANS,
  REC_TIMED,
  recAt,
  recNextLost,
  recReserve,
  recShatter,
  timeAppend,
  timeRemove,
} from '../tcp/records';
import { pace, paced, paceWake } from '../tcp/pacing';
import { rateSent } from '../tcp/rate';
import { reducing } from '../tcp/reduction';
import { currentRto } from '../tcp/rtt';
import {
  CA_LOSS,
  CA_OPEN,
  CHRONO_BUFFER,
  CHRONO_BUSY,
  CHRONO_IDLE,
  CHRONO_WINDOW,
  REXMIT_LOST,
  REXMIT_NEW,
  REXMIT_NONE,
  SF_ACK_AFTER_FIN,
  SF_ACK_NOW,
  SF_FIN_QUEUED,
  SF_OVERFULL,
  SF_PRE_ESTABLISHED,
  SF_SEND_FAIL,
  SF_SEND_PRIO,
  SF_SEND_SYN,
  Subflow,
  TIMER_NONE,
  TIMER_PERSIST,
  TIMER_REORDER,
} from '../tcp/subflow';
import { startRto, startTimer, stopTimer } from '../tcp/timers';
import { noteRetransmission } from '../tcp/undo';
import {
  Connection,
  C_FIN_ACKED,
  C_FIN_QUEUED,
  C_FIN_SENT,
  C_MPTCP,
  C_OVERFULL,
  C_WANT_WRITE,
  mappingOpen,
  markDirty,
  tellWritable,
} from './connection';
import { finLeaves, finMayLeave, sendNew } from './burst';
import { NO_REASON, RST_OUTSTANDING, sendReset, subflowFailed } from './close';
import { sendSyn } from './handshake';
import { MAX_SEGMENT, owesKeys, segmentSize, sendAck, sendKeys, sendRecord } from './packet';
import { Reinjection, reinjected, reinjectionFirst, reinjectionOther } from './reinject';
import { sendDetach } from './send-ring';
import { sendSignals } from './signal';
import { launch, newRecord, roomOn, shareWindow, unsentOf } from './transmit';

/** Sends what can be sent. What the full transmit ring holds back is tried again at the next call. */
export function output(c: Connection): void {
  if (c.is(C_OVERFULL)) resetOverfull(c);
  retransmitLost(c);
  if (c.state < CONN_CLOSED && c.state > 0) {
    if (c.is(C_MPTCP)) sendReinjections(c); // on plain TCP the same octets twice would be new ones
    const next = c.dataNxt;
    sendNew(c);
    for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
      const sf = changetype<Subflow>(p);
      if (sf.rexmit == REXMIT_NEW) endTrial(c, sf);
    }
    if (next != c.dataNxt && (c.watch || runsDry(c))) tellWritable(c);
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
      // MP_FAIL leaves no room for a DATA_FIN that is all that is missing.
      const two = sf.is(SF_SEND_FAIL) && c.is(C_FIN_SENT) && !c.is(C_FIN_ACKED) && c.dataUna == c.finDsn;
      if (!sendAck(c, sf) || (two && !sendAck(c, sf))) waiting = true;
    }
    if (sf.packetsOut != 0) flying = true;
    if (paced(sf) && !sf.paceWaits && hasWork(c, sf)) paceWake(sf);
    noteUsage(sf);
    noteBusy(c, sf);
  }
  if (waiting) markDirty(c);
  persist(c, flying);
  armDataTimer(c);
}

/**
 * Subflows in timeout whose octets are acknowledged by way of others, and more of them than may be kept in copies: to
 * reset them is cheaper than to repeat all that (RFC 8684 section 3.6, too much outstanding data).
 */
function resetOverfull(c: Connection): void {
  c.clear(C_OVERFULL);
  let p = c.subflows;
  while (p != 0) {
    const sf = changetype<Subflow>(p);
    p = sf.nextOfConn;
    if (!sf.is(SF_OVERFULL)) continue;
    sf.clear(SF_OVERFULL);
    if (sf.caState != CA_LOSS || c.subflowCount < 2) continue;
    sendReset(c, sf, RST_OUTSTANDING, true, false);
    subflowFailed(c, sf, CLOSE_TIMEOUT, NO_REASON, false);
  }
}

// ---- retransmission ---------------------------------------------------------------------------------------

function retransmitLost(c: Connection): void {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.rexmit == REXMIT_LOST) repeatLost(c, sf);
  }
}

function repeatLost(c: Connection, sf: Subflow): void {
  if (sf.lostOut <= sf.retransOut) sf.rexmit = REXMIT_NONE;
  if (pathBlocked(sf.path) || paced(sf)) return;
  let head = false;
  while (sf.inFlight < sf.cwnd && !paced(sf)) {
    const id = recNextLost(sf);
    if (id == 0) break;
    if (recAt(sf, id).segments > sf.cwnd - sf.inFlight) recShatter(sf, id);
    const before = recAt(sf, id).xmit;
    if (!retransmit(c, sf, id)) return;
    const r = recAt(sf, id);
    if (!r.is(REC_RETRANS)) {
      r.flags |= REC_RETRANS;
      sf.retransOut += r.segments;
    }
    noteRetransmission(sf, before, r.segments);
    countBy(sf.caState == CA_LOSS ? MIB_TCPSlowStartRetrans : MIB_TCPFastRetrans, r.segments);
    if (reducing(sf)) sf.prrOut += r.segments;
    if (id == sf.recHead) head = true;
  }
  if (!paced(sf)) sf.rexmit = REXMIT_NONE;
  // A timeout has started the timer itself.
  if (head && sf.timerKind != TIMER_REORDER && sf.retries == 0) startRto(sf);
}

/**
 * After a timeout new data went first; where there was none, what is lost goes out again (RFC 5682 section 3.1, 2.b).
 */
function endTrial(c: Connection, sf: Subflow): void {
  sf.rexmit = REXMIT_NONE;
  if (seqGt(sf.sndNxt, sf.highSeq)) return;
  sf.frto = false;
  sf.rexmit = REXMIT_LOST;
  repeatLost(c, sf);
}

/** For how long there was something to send, and what it waited for (Linux' tcp_chrono_*). */
function noteBusy(c: Connection, sf: Subflow): void {
  const kind = waitsFor(c, sf);
  if (kind == sf.chrono) return;
  if (sf.chrono != CHRONO_IDLE) {
    const time = now - sf.chronoAt;
    if (sf.chrono == CHRONO_WINDOW) sf.windowTime += time;
    else if (sf.chrono == CHRONO_BUFFER) sf.bufferTime += time;
    sf.busyTime += time;
  }
  sf.chrono = kind;
  sf.chronoAt = now;
}

function waitsFor(c: Connection, sf: Subflow): u8 {
  const unsent = unsentOf(c);
  if (sf.packetsOut == 0 && (unsent == 0 || !sf.synchronized)) return CHRONO_IDLE;
  if (!sf.synchronized || sf.inFlight >= sf.cwnd) return CHRONO_BUSY;
  if (unsent == 0) return starved(c, sf) ? CHRONO_BUFFER : CHRONO_BUSY;
  return roomOn(sf) < min(unsent, sf.mss) ? CHRONO_WINDOW : CHRONO_BUSY;
}

/** All is sent, the window would take more, and the program waits for room in the buffer (since the last packet). */
function starved(c: Connection, sf: Subflow): bool {
  if (!c.is(C_WANT_WRITE)) return false;
  return sf.chrono == CHRONO_BUFFER || (sf.lastDataSent == now && !windowLimited(sf));
}

/** How much of the window is in use (Linux' tcp_cwnd_validate, in the spirit of RFC 2861). */
function noteUsage(sf: Subflow): void {
  const full = sf.windowHeld || sf.inFlight >= sf.cwnd;
  sf.windowHeld = false;
  if (!full && sf.lastDataSent != now) return;
  if (seqGe(sf.sndUna, sf.usageSeq) || full || (!sf.cwndLimited && sf.packetsOut > sf.maxPacketsOut)) {
    sf.cwndLimited = full;
    sf.maxPacketsOut = sf.packetsOut;
    sf.usageSeq = sf.sndNxt;
  }
  if (windowLimited(sf)) {
    sf.cwndUsed = 0;
    sf.cwndFullAt = now;
    return;
  }
  sf.cwndUsed = max(sf.cwndUsed, sf.packetsOut);
  if (!tcpSlowStartAfterIdle || now - sf.cwndFullAt < sf.rto) return;
  if (sf.caState == CA_OPEN) ccOnUnused(sf, sf.cwndUsed);
  sf.cwndUsed = 0;
  sf.cwndFullAt = now;
}

/**
 * Nearly all that was written is out, and nothing of it is free while a path holds back what the others have delivered:
 * the ring has to grow under a writer who finds it full.
 */
function runsDry(c: Connection): bool {
  return c.is(C_WANT_WRITE) && c.sndCap < c.sndMax && unsentOf(c) < c.sndCap / 8;
}

/** Something would leave if pacing let it. */
function hasWork(c: Connection, sf: Subflow): bool {
  return sf.lostOut > sf.retransOut || unsentOf(c) != 0 || c.reinjectHead != 0;
}

/** Sends a record again. False: the transmit ring is full, or the peer's window has closed before it. */
export function retransmit(c: Connection, sf: Subflow, id: u32): bool {
  const r = recAt(sf, id);
  if (!c.is(C_MPTCP) && seqGe(r.seq, sf.sndEdge) && r.seq != sf.sndUna) return false;
  if (!sendRecord(c, sf, r)) return false;
  countBy(MIB_RetransSegs, r.segments);
  sf.retransmissions += r.segments;
  sf.bytesRetransmitted += r.length;
  if (c.maxPacing != 0) pace(sf, r.length, r.size, c.maxPacing);
  r.flags |= REC_EVER_RETRANS;
  r.xmit = sf.lastDataSent = now;
  rateSent(sf, r);
  if (r.is(REC_TIMED)) timeRemove(sf, id, r); // a probe repeats what is not lost
  timeAppend(sf, id, r);
  return true;
}

// ---- data for a second subflow ----------------------------------------------------------------------------

function sendReinjections(c: Connection): void {
  while (txRoom() > 2) {
    const p = reinjectionFirst(c);
    if (p == 0) return;
    let range = changetype<Reinjection>(p);
    shareWindow(c, range.start);
    let picked = pickSubflow(c.subflows, range.from);
    if (picked == 0) {
      // What the only working subflow has sent itself must not hold back what it could send for others.
      const other = reinjectionOther(c);
      if (other == 0) return;
      range = changetype<Reinjection>(other);
      shareWindow(c, range.start);
      picked = pickSubflow(c.subflows, range.from);
    }
    // A mapping that is half sent comes first: its octets follow each other on the subflow.
    if (picked == 0 || (picked == c.mapOwner && mappingOpen(c))) return;
    const sf = changetype<Subflow>(picked);
    const size = min(min(segmentSize(c, sf), MAX_SEGMENT), roomOn(sf));
    const n = <u32>min<u64>(size, range.end - range.start);
    const id = newRecord(sf, range.start, n, size);
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

/** FIN on the subflows that are to end; it counts as one octet and is retransmitted like one. */
function closeSubflows(c: Connection): void {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    const open = sf.state == TCP_ESTABLISHED || sf.state == TCP_CLOSE_WAIT || sf.state == TCP_SYN_RCVD;
    if (!sf.is(SF_FIN_QUEUED) || !open || !finMayLeave(c, sf)) continue;
    if (txRoom() == 0 || !recReserve(sf)) {
      markDirty(c);
      return;
    }
    // Linux' order where only this subflow ends.
    if (sf.is(SF_ACK_NOW) && c.is(C_MPTCP) && c.state < CONN_TIME_WAIT) sendAck(c, sf);
    const id = newRecord(sf, c.dataNxt, 0, 1);
    const r = recAt(sf, id);
    r.mapLength = 0;
    r.flags |= REC_FIN | REC_REINJECTED;
    finLeaves(sf);
    launch(c, sf, id);
    if (sf.is(SF_ACK_AFTER_FIN)) sf.set(SF_ACK_NOW);
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

/** Longest timeout of the subflows (a join has none yet): how long the data level waits before it acts. */
function longestRto(c: Connection): f64 {
  let longest: f64 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.srtt != 0) longest = max(longest, sf.rto);
  }
  return longest == 0 ? 1e6 : longest;
}

const FIN_INTERVAL: f64 = 200e3;

/** Data-level retransmission (RFC 8684 section 3.3.6) and repetition of DATA_FIN. */
function armDataTimer(c: Connection): void {
  if (!c.is(C_MPTCP) || c.dataUna == c.dataNxt || (c.is(C_FIN_SENT) && c.is(C_FIN_ACKED))) {
    c.dataTimerAt = Infinity;
    return;
  }
  if (c.dataTimerAt != Infinity || c.subflows == 0) return;
  // A DATA_FIN with nothing before it has a clock of its own, the second time as fast as the first (as on Linux).
  const wait =
    c.is(C_FIN_SENT) && c.dataUna == c.finDsn
      ? FIN_INTERVAL * <f64>(1 << min<u32>(c.dataBackoff - min(c.dataBackoff, 1), 9))
      : longestRto(c) * <f64>(1 << min<u32>(c.dataBackoff, 8));
  c.dataTimerAt = now + wait;
  deadlineArm(changetype<usize>(c) | 1, c.heapField, c.dataTimerAt);
}
