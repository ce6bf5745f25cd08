/**
 * A segment for a known subflow: the checks of RFC 9293 section 3.10.7 in their order, those of RFC 5961 and
 * 7323, and then the TCP part and the Multipath part of what it carries.
 */
import {
  CLOSE_FASTCLOSE,
  CLOSE_REFUSED,
  CLOSE_RESET,
  CONN_ESTABLISHED,
  FALLBACK_CHECKSUM,
  TCP_CLOSE_WAIT,
  TCP_CLOSING,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT_1,
  TCP_FIN_WAIT_2,
  TCP_LAST_ACK,
  TCP_SYN_RCVD,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
  URGENT_AHEAD,
} from '../abi';
import {
  MIB_MPFailRx,
  MIB_MPRstRx,
  MIB_PAWSEstab,
  MIB_PAWSOldAck,
  MIB_SubflowRecover,
  MIB_TCPAbortOnData,
  MIB_TCPACKSkippedChallenge,
  MIB_TCPOFODrop,
  MIB_TCPRcvQDrop,
  MIB_TCPZeroWindowDrop,
  MIB_TCPChallengeACK,
  MIB_TCPMinTTLDrop,
  MIB_TCPOFOQueue,
  MIB_TCPSYNChallenge,
} from '../mib';
import { count } from '../counters';
import { cfgChallengeInterval, cfgTimeWait, now } from '../host';
import { ackAcceptable, ackAdvanced, ackFin, takeAck } from '../tcp/ack';
import { ecnTakeCwr, ecnTakeMark } from '../tcp/ecn';
import { mtuAcked } from '../tcp/mtu';
import { dsackSet, rangesAdd, rangesRepeated } from '../tcp/ranges';
import { segmentsOf } from '../tcp/records';
import { receiverRttSample } from '../tcp/rtt';
import {
  REXMIT_NONE,
  SF_ACK_NOW,
  SF_FAILING,
  SF_FAST_OPEN,
  SF_FIN_KNOWN,
  SF_FIN_QUEUED,
  SF_FIN_RECEIVED,
  SF_PASSIVE,
  SF_PRE_ESTABLISHED,
  SF_STALE,
  SF_TIMESTAMPS,
  Subflow,
  TIMER_END,
  TIMER_HANDSHAKE,
  TIMER_PERSIST,
} from '../tcp/subflow';
import { windowAnswered } from './timers';
import { enterQuickAcks, isQuick, noteArrival, startDelack } from '../tcp/delack';
import { startTimer } from '../tcp/timers';
import { Settings } from '../settings';
import { ttlOf } from '../wire/ip';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMin } from '../seq';
import {
  ACK,
  DSS_FIN,
  FIN,
  HAS_ADD_ADDR,
  HAS_DSS,
  HAS_FASTCLOSE,
  HAS_JOIN,
  HAS_MPTCP,
  HAS_RM_ADDR,
  HAS_PRIO,
  HAS_FAIL,
  HAS_TCPRST,
  HAS_TS,
  RST,
  seg,
  SYN,
  URG,
} from '../wire/segment';
import {
  closedNormally,
  dropSubflow,
  enterTimeWait,
  finAcked,
  NO_REASON,
  sendReset,
  subflowFailed,
} from './close';
import {
  Connection,
  C_DEAF,
  C_FIN_QUEUED,
  C_FIN_SENT,
  C_MPTCP,
  C_ORPHAN,
  C_REPORTED,
  C_WATCH,
  markDirty,
} from './connection';
import { fallBack } from './fallback';
import { leaveQueue } from './fast-open';
import { handshakeAckArrives, joinConfirmed, openFailed, simultaneousOpen, synAckArrives } from './handshake';
import { headUnmapped, mappingBegins } from './mapping';
import { orphanArrives, requestArrives, timeWaitArrives } from './minisocks';
import { owesKeys, segmentSize, sendAck, sendBareAck, sendKeys } from './packet';
import {
  displaced,
  DROPPED,
  endsAt,
  GONE,
  optionsLost,
  plainFin,
  probed,
  REPEATED,
  settle,
  settleFins,
  subflowEdge,
  takeData,
  takeDataAck,
  takeMapping,
  TAKEN,
} from './receive';
import { bufferTakes, openWindow, selectWindow, windowTakes } from './receive-window';
import { sendRelease } from './send-ring';
import { fastclosed, takeSignals } from './signal';
import { lookAtMapping, settleWatched } from './unaware';
import { urgentArrives } from './urgent';

const TWENTY_FOUR_DAYS: f64 = 24 * 86400e6;
/** Ticks that a timestamp may be older, for clocks of several processors. */
const PAWS_WINDOW: i32 = 1;
const SIGNALS: u32 = HAS_ADD_ADDR | HAS_RM_ADDR | HAS_PRIO | HAS_FAIL | HAS_FASTCLOSE;

/** What the caller has to do with a segment that this subflow cannot use. */
export const DONE: i32 = 0;
/** Answer with RST as if no subflow existed. */
export const REFUSE: i32 = 1;
/** The subflow was a TIME-WAIT and made room: treat the SYN as new. */
export const AGAIN: i32 = 2;
/** It is no such segment. */
export const GO_ON: i32 = 3;

export function segmentArrives(sf: Subflow): i32 {
  const c = changetype<Connection>(sf.conn);
  if (sf.conn != 0 && c.minTtl != 0 && tooFar(c)) return DONE;
  sf.segmentsIn++;
  if (seg.length != 0) sf.dataSegmentsIn++;
  if (sf.state == TCP_TIME_WAIT) return timeWaitArrives(sf);
  if (sf.state == TCP_SYN_SENT) return synSentArrives(c, sf);
  // A middlebox took them from one of the SYNs: the peer may take them for agreed, but has none of ours to echo.
  if (!sf.is(SF_TIMESTAMPS)) seg.options &= ~HAS_TS;
  if (sf.state == TCP_FIN_WAIT_2 && c.is(C_ORPHAN) && sf.timerKind == TIMER_END && !c.is(C_MPTCP)) {
    return orphanArrives(c, sf);
  }
  if (sf.state == TCP_SYN_RCVD && sf.is(SF_PASSIVE)) {
    const result = requestArrives(c, sf);
    if (result != GO_ON) return result;
  } else if (!checksPassed(c, sf)) return DONE;

  if (sf.state == TCP_SYN_RCVD) {
    if (!seqLe(seg.ack, sf.sndNxt) || !seqGt(seg.ack, sf.sndUna)) return REFUSE;
    if (!handshakeAckArrives(c, sf)) return DONE;
  } else if (!ackAcceptable(sf)) {
    challenge(sf);
    return DONE;
  } else if (seg.has(HAS_JOIN)) {
    // A repeated third ACK: the fourth packet was lost.
    sf.set(SF_ACK_NOW);
    markDirty(c);
  }
  refused = false;
  established(c, sf);
  return refused ? REFUSE : DONE;
}

/** The packet in hand has passed more routers than the program allows (RFC 5082). */
export function tooFar(s: Settings): bool {
  if (ttlOf(seg) >= s.minTtl) return false;
  count(MIB_TCPMinTTLDrop);
  return true;
}

/** The segment in hand brought data for a program that has left: the connection is gone, RST is the answer. */
let refused: bool = false;

// ---- before the connection is synchronised ----------------------------------------------------------------

/** Until a SYN is sent again after an acknowledgement of something else (Linux' TCP_TIMEOUT_MIN), microseconds. */
const SOON: f64 = 8e3;

function synSentArrives(c: Connection, sf: Subflow): i32 {
  const flags = seg.flags;
  // Nothing, or some of the data of the SYN, may be acknowledged with it.
  if ((flags & ACK) != 0 && seg.ack - (sf.iss + 1) > sf.synData) {
    // The peer still has an older connection: its end makes room for this one.
    if (sf.retries == 0) startTimer(sf, TIMER_HANDSHAKE, SOON);
    return (flags & RST) != 0 ? DONE : REFUSE;
  }
  if ((flags & RST) != 0) {
    if ((flags & ACK) != 0) openFailed(c, sf, CLOSE_REFUSED, resetReason(), resetTransient());
    return DONE;
  }
  if ((flags & SYN) == 0) return DONE;
  if ((flags & ACK) != 0) synAckArrives(c, sf);
  else simultaneousOpen(c, sf);
  return DONE;
}

function resetReason(): u32 {
  return seg.has(HAS_TCPRST) ? seg.rstReason : NO_REASON;
}

function resetTransient(): bool {
  return seg.has(HAS_TCPRST) && (seg.rstFlags & 1) != 0;
}

// ---- checks of a synchronised subflow ---------------------------------------------------------------------

/** False: the segment ends here. */
function checksPassed(c: Connection, sf: Subflow): bool {
  const flags = seg.flags;
  if (sf.is(SF_TIMESTAMPS) && seg.has(HAS_TS) && (flags & RST) == 0 && oldTimestamp(sf)) {
    // An acknowledgement that was overtaken is common, and nothing to answer.
    if (seg.end == seg.seq && (flags & ACK) != 0 && seqLt(seg.seq, sf.rcvNxt)) {
      count(MIB_PAWSOldAck);
      return false;
    }
    count(MIB_PAWSEstab);
    answerOld(c, sf);
    return false;
  }
  // Both sides opened at once: the peer's SYN/ACK acknowledges our SYN (RFC 9293 section 3.5, figure 7).
  if (
    sf.state == TCP_SYN_RCVD &&
    (flags & (SYN | RST | ACK)) == (SYN | ACK) &&
    seg.seq == sf.irs &&
    seg.ack == sf.sndNxt
  ) {
    answerDuplicate(sf, seg.seq + 1); // its SYN has been here before (as Linux says it)
    sf.set(SF_ACK_NOW);
    markDirty(c);
    return true;
  }
  if (!inWindow(c, sf)) {
    if ((flags & RST) != 0) return false;
    if (sf.mapCount != 0 && seg.length == 0 && seg.seq == sf.rcvNxt - 1 && !probed(c, sf)) return false;
    answerOld(c, sf);
    return false;
  }
  if ((flags & RST) != 0) {
    resetArrives(c, sf);
    return false;
  }
  if ((flags & SYN) != 0) {
    count(MIB_TCPSYNChallenge);
    // SYN/ACK again: the peer lacks the third packet.
    if (c.is(C_MPTCP) && c.is(C_FIN_SENT) && owesKeys(c, sf)) sendKeys(c, sf);
    challenge(sf);
    return false;
  }
  if ((flags & ACK) == 0) return false;
  takeTimestamp(sf);
  return true;
}

/** RFC 7323 section 4.3: remember the timestamp of the segment that covers what was acknowledged last. */
export function takeTimestamp(sf: Subflow): void {
  if (seg.has(HAS_TS) && seqLe(seg.seq, sf.lastAck) && seqGe(seg.tsVal, sf.tsRecent)) {
    sf.tsRecent = seg.tsVal;
    sf.tsRecentAt = now;
  }
}

/** PAWS (RFC 7323 section 5.3). */
export function oldTimestamp(sf: Subflow): bool {
  return seqDiff(sf.tsRecent, seg.tsVal) > PAWS_WINDOW && now - sf.tsRecentAt < TWENTY_FOUR_DAYS;
}

/**
 * Nothing of the segment lies before what was acknowledged last, and its beginning in the receive window (Linux'
 * tcp_sequence). A probe of a subflow whose mapping is cut short is looked at below.
 */
function inWindow(c: Connection, sf: Subflow): bool {
  const from = sf.mapCount != 0 && seg.length == 0 ? sf.rcvNxt : sf.lastAck;
  const edge = subflowEdge(c, sf);
  if (!seqGe(seg.end, from) || !seqLe(seg.seq, edge)) return false;
  // More than the window takes is too much while the program has not read the rest.
  return c.is(C_MPTCP) || c.rcvBuf == 0 || c.unread == 0 || seqLe(seg.seq + seg.length, edge);
}

/** An unacceptable segment is answered by an ACK (RFC 9293 section 3.10.7.4); old data with a D-SACK. */
function answerOld(c: Connection, sf: Subflow): void {
  if (seg.end != seg.seq && (seg.flags & SYN) == 0 && seqLt(seg.seq, sf.rcvNxt)) {
    answerDuplicate(sf, seqMin(seg.end, sf.rcvNxt));
  }
  // The repeated third ACK of a join wants its fourth packet, and data its acknowledgement: no loop comes of those.
  const octets = seg.end != seg.seq && (seg.flags & SYN) == 0;
  if (octets || seg.has(HAS_JOIN) || allowed(sf)) acknowledgeAtOnce(c, sf);
}

/** An acknowledgement for a segment that is not taken; before the handshake is over it has no place in `output`. */
function acknowledgeAtOnce(c: Connection, sf: Subflow): void {
  if (!sf.synchronized || sf.state == TCP_SYN_RCVD) {
    sendBareAck(sf);
    return;
  }
  sf.set(SF_ACK_NOW);
  markDirty(c);
}

/** RFC 5961 section 7: challenge ACKs are rationed, so that nobody counts with them. */
export function allowed(sf: Subflow): bool {
  if (now - sf.challengeAt < cfgChallengeInterval) {
    count(MIB_TCPACKSkippedChallenge);
    return false;
  }
  sf.challengeAt = now;
  return true;
}

function challenge(sf: Subflow): void {
  if (!allowed(sf)) return;
  count(MIB_TCPChallengeACK);
  acknowledgeAtOnce(changetype<Connection>(sf.conn), sf);
}

/** RFC 5961 section 3: only the exact sequence number resets. */
export function resetArrives(c: Connection, sf: Subflow): void {
  if (seg.seq != sf.rcvNxt) {
    challenge(sf);
    return;
  }
  if (seg.has(HAS_TCPRST)) count(MIB_MPRstRx);
  if (seg.has(HAS_FAIL)) count(MIB_MPFailRx);
  if (c.is(C_MPTCP) && seg.has(HAS_FASTCLOSE) && seg.fastcloseKey == c.localKey) {
    // This one is gone already; the others get a RST.
    dropSubflow(c, sf, CLOSE_FASTCLOSE, resetReason(), resetTransient());
    fastclosed(c);
    return;
  }
  if (sf.is(SF_FAST_OPEN)) leaveQueue(sf, true);
  subflowFailed(c, sf, CLOSE_RESET, resetReason(), resetTransient());
}

// ---- the established part ---------------------------------------------------------------------------------

function established(c: Connection, sf: Subflow): void {
  sf.lastReceived = now;
  if (sf.is(SF_PRE_ESTABLISHED)) joinConfirmed(c, sf);
  const stale = sf.is(SF_STALE);
  takeAck(sf, (seg.options & SIGNALS) != 0);
  if (sf.timerKind == TIMER_PERSIST && !c.is(C_MPTCP)) windowAnswered(c, sf);
  if (stale && !sf.is(SF_STALE)) count(MIB_SubflowRecover);
  if (ackAdvanced && mtuAcked(sf)) sf.mss = segmentSize(c, sf);
  if (sf.rexmit != REXMIT_NONE || ackAdvanced) markDirty(c);
  const acked = ackAdvanced && seqGt(seg.ack, sf.firstOut);
  if (!optionsLost(c, sf, acked)) {
    if (c.is(C_MPTCP) && (seg.options & SIGNALS) != 0 && !takeSignals(c, sf)) return;
  }
  takeDataAck(c, sf);
  // The data level may have been ahead of this subflow, which held the ring.
  if (ackAdvanced && c.bufSeq != c.dataUna) sendRelease(c);
  if (ackFin && !finArrivedAtPeer(c, sf)) return;
  payload(c, sf);
}

/** Our FIN is acknowledged. False: the subflow is gone. */
function finArrivedAtPeer(c: Connection, sf: Subflow): bool {
  const plain = !c.is(C_MPTCP);
  const state = sf.state;
  if (plain) finAcked(c);
  if (state == TCP_FIN_WAIT_1) {
    sf.state = TCP_FIN_WAIT_2;
    // A peer that never closes must not hold the record for ever once the data level is done.
    if (!plain || c.is(C_REPORTED)) startTimer(sf, TIMER_END, cfgTimeWait);
    else if (c.is(C_ORPHAN)) startTimer(sf, TIMER_END, max(c.finTimeout, 0));
  } else if (state == TCP_CLOSING) {
    // The peer's FIN may have come in the same batch, and its acknowledgement still be due.
    if (sf.is(SF_ACK_NOW) && !sendAck(c, sf)) sendBareAck(sf);
    enterTimeWait(c, sf);
    return false;
  } else if (state == TCP_LAST_ACK) {
    closedNormally(c, sf);
    return false;
  }
  return true;
}

function payload(c: Connection, sf: Subflow): void {
  if (sf.mapCount != 0 && seg.length != 0) displaced(c, sf);
  const multipath = c.is(C_MPTCP);
  if (!multipath && ((seg.flags & URG) != 0 || c.urgentState == URGENT_AHEAD)) urgentArrives(c, sf);
  // New octets that repeat old ones; -1: the segment's payload cannot be taken.
  let repeated: i32 = 0;
  if (multipath) {
    mappingBegins();
    const mapping = (seg.options & HAS_MPTCP) != 0 ? takeMapping(c, sf) : TAKEN;
    if (mapping == GONE) return;
    if (mapping == DROPPED) repeated = -1;
  } else if (c.is(C_WATCH)) {
    repeated = lookAtMapping(c, sf);
  }
  const receiving = sf.state == TCP_ESTABLISHED || sf.state == TCP_FIN_WAIT_1 || sf.state == TCP_FIN_WAIT_2;
  const last = seg.seq + seg.length;
  // Nothing counts behind the peer's FIN; data for a program that has left is refused (RFC 1122 section 4.2.2.13).
  if (!receiving && seg.end != seg.seq) {
    if (seqLt(seg.seq, sf.rcvNxt)) {
      if (seqGt(last, sf.rcvNxt) && !multipath) abortOnData(c, sf);
      else {
        answerDuplicate(sf, seqMin(seg.end, sf.rcvNxt));
        sf.set(SF_ACK_NOW);
        markDirty(c);
      }
    }
    if (multipath) settleFins(c, sf);
    return;
  }
  if (seg.length != 0) {
    const deaf = c.is(C_ORPHAN) || (c.is(C_DEAF) && c.is(C_FIN_QUEUED));
    if (deaf && !multipath && seqGt(last, sf.rcvNxt)) {
      abortOnData(c, sf);
      return;
    }
    if (ecnTakeCwr(sf)) sf.set(SF_ACK_NOW);
    if (!multipath && ((seg.flags & FIN) != 0 || sf.is(SF_FIN_KNOWN))) {
      endsAt(c, sf, sf.is(SF_FIN_KNOWN) ? sf.finAt : last);
    }
    if (seg.length == 0) {
      sf.set(SF_ACK_NOW); // all of it lies behind the end
      markDirty(c);
      return;
    }
    if (!multipath && c.rcvBuf != 0 && !roomForSegment(c, sf)) return;
    const before = sf.rcvNxt;
    const holes = sf.oooCount;
    const result = repeated < 0 ? DROPPED : takeData(c, sf, repeated);
    if (result == GONE) return;
    if (result != DROPPED) ecnTakeMark(sf);
    if (result != DROPPED || seqLe(last, sf.rcvNxt)) noteFin(sf);
    acknowledge(c, sf, before, holes, result);
    if (multipath) settleFins(c, sf);
    if (result == DROPPED && !seqLe(last, sf.rcvNxt)) return; // not taken: its FIN does not count either
  } else if (multipath && seg.has(HAS_DSS)) {
    // A mapping may come after the octets that it is for.
    if (settle(c, sf) == GONE) return;
  }
  if (c.is(C_WATCH)) settleWatched(c, sf);
  if (seg.length == 0 && (seg.flags & FIN) != 0) {
    if (!sf.is(SF_FIN_KNOWN)) noteFin(sf);
    else if (seqGt(seg.seq, sf.rcvNxt)) rangesRepeated(sf, seg.seq, seg.end);
    if (seqGt(seg.seq, sf.rcvNxt)) {
      sf.set(SF_ACK_NOW); // out of order, like data beyond a hole
      markDirty(c);
    }
  }
  if (sf.is(SF_FIN_KNOWN) && !sf.is(SF_FIN_RECEIVED) && seqGe(sf.rcvNxt, sf.finAt)) finArrives(c, sf);
}

/** The peer's FIN comes with the segment in hand: beyond a hole it is kept like data. */
function noteFin(sf: Subflow): void {
  if ((seg.flags & FIN) == 0 || sf.is(SF_FIN_KNOWN)) return;
  sf.set(SF_FIN_KNOWN);
  sf.finAt = seg.seq + seg.length;
  if (seqGt(sf.finAt, sf.rcvNxt)) rangesAdd(sf, sf.finAt, sf.finAt + 1);
}

/** New data, and the program has left: RST as to a stranger. */
function abortOnData(c: Connection, sf: Subflow): void {
  count(MIB_TCPAbortOnData);
  refused = true;
  subflowFailed(c, sf, CLOSE_RESET, NO_REASON, false);
}

/** Whether data for a plain stream may be queued: the window is open, and the buffer has room. */
function roomForSegment(c: Connection, sf: Subflow): bool {
  if (seqLe(seg.seq + seg.length, sf.rcvNxt)) return true; // nothing new
  const closed = openWindow(sf) == 0;
  if (closed || seqGe(seg.seq, sf.rcvEdge)) {
    if (seqLt(seg.seq, sf.rcvNxt)) dsackSet(sf, seg.seq, sf.rcvNxt);
    if (closed) count(MIB_TCPZeroWindowDrop);
    enterQuickAcks(sf, DUPLICATE_ACKS);
  } else {
    if (bufferTakes(c, sf)) return true;
    if (seqGt(seg.seq, sf.rcvNxt)) {
      count(MIB_TCPOFODrop);
      return false;
    }
    count(MIB_TCPRcvQDrop);
    sf.noRoom = true;
  }
  sf.set(SF_ACK_NOW);
  markDirty(c);
  return false;
}

/** Acknowledgements at once after a duplicate (Linux' TCP_MAX_QUICKACKS). */
const DUPLICATE_ACKS: u32 = 16;

/** When and how the data in hand is acknowledged (RFC 9293 section 3.8.6.3, RFC 5681 section 4.2). */
function acknowledge(c: Connection, sf: Subflow, before: u32, holes: u32, result: i32): void {
  markDirty(c);
  if (result == DROPPED) {
    if (seqLe(seg.end, before)) answerDuplicate(sf, seg.end);
    sf.set(SF_ACK_NOW);
    return;
  }
  if (seg.length >= sf.rcvMss && seg.has(HAS_TS)) receiverRttSample(sf, seg.tsEcr);
  if (result != REPEATED) windowTakes(c, sf, sf.rcvNxt != before);
  if (sf.rcvNxt == before) {
    // Out of order: each one is told at once, for the sender counts them.
    count(MIB_TCPOFOQueue);
    sf.oooSegments += seg.joined == 0 ? 1 : segmentsOf(seg.length, seg.joined);
    if (!sendAck(c, sf)) sf.set(SF_ACK_NOW);
    return;
  }
  noteArrival(sf);
  // The program is likely to close as well: the acknowledgement waits for that.
  if (sf.is(SF_FIN_KNOWN) && sf.finAt == sf.rcvNxt && sf.state == TCP_ESTABLISHED) sf.pingPong = true;
  if (holes != 0 || isQuick(sf) || everySecond(c, sf)) sf.set(SF_ACK_NOW);
  else startDelack(sf);
}

/** More than one full segment waits (Linux' form of every second one), and reading will not open the window first. */
function everySecond(c: Connection, sf: Subflow): bool {
  if (<u32>seqDiff(sf.rcvNxt, sf.lastAck) <= sf.rcvMss) return false;
  return c.is(C_MPTCP) || c.rcvBuf == 0 || selectWindow(c, sf) >= sf.rcvWnd;
}

function answerDuplicate(sf: Subflow, end: u32): void {
  dsackSet(sf, seg.seq, end);
  enterQuickAcks(sf, DUPLICATE_ACKS);
}

/** The peer's FIN is in order. */
export function finArrives(c: Connection, sf: Subflow): void {
  sf.set(SF_FIN_RECEIVED);
  if (sf.state != TCP_ESTABLISHED) sf.set(SF_ACK_NOW);
  else {
    sf.pingPong = true;
    if (!sf.is(SF_ACK_NOW)) startDelack(sf);
  }
  if (sf.rcvNxt == sf.finAt) sf.rcvNxt++;
  markDirty(c);
  // After MP_FAIL a FIN without DSS says that the peer has become plain, and so does one with the DATA_FIN of data that
  // nobody has acknowledged: its own MP_FAIL was lost.
  if (sf.is(SF_FAILING) && (!seg.has(HAS_DSS) || (seg.dssFlags & DSS_FIN) != 0)) fallBack(c, sf, FALLBACK_CHECKSUM);
  plainFin(c);
  switch (sf.state) {
    case TCP_ESTABLISHED:
      sf.state = TCP_CLOSE_WAIT;
      // Without DATA_FIN only this subflow ends (RFC 8684 section 3.3.3), and ours follows. Where a DATA_FIN has gone
      // either way, what is left to say may still go out here (as on Linux). While octets wait for their mapping, the
      // connection may become plain.
      if (c.is(C_MPTCP) && c.state == CONN_ESTABLISHED && !headUnmapped(sf)) sf.set(SF_FIN_QUEUED);
      break;
    case TCP_FIN_WAIT_1:
      sf.state = TCP_CLOSING;
      break;
    case TCP_FIN_WAIT_2:
      if (!sendAck(c, sf)) sendBareAck(sf);
      enterTimeWait(c, sf);
      break;
  }
}

/** Ends a subflow at the path manager's wish, with a reset that says why. */
export function resetSubflow(c: Connection, sf: Subflow, closeReason: i32, rstReason: u32, transient: bool): void {
  if (sf.synchronized || sf.state == TCP_SYN_RCVD) sendReset(c, sf, rstReason, transient, false);
  subflowFailed(c, sf, closeReason, NO_REASON, transient);
}
