/**
 * States in which a segment has nobody to serve: SYN-RECEIVED, FIN-WAIT-2 without a program, TIME-WAIT. The checks are
 * those of RFC 9293 section 3.10.7.4, RFC 5961 and RFC 7323, in Linux' order for its small sockets.
 */
import { CLOSE_RESET } from '../abi';
import {
  MIB_AttemptFails,
  MIB_EmbryonicRsts,
  MIB_PAWSEstab,
  MIB_TCPACKSkippedSynRecv,
  MIB_TCPACKSkippedTimeWait,
  MIB_TCPDeferAcceptDrop,
  MIB_TWRecycled,
} from '../mib';
import { count } from '../counters';
import { cfgChallengeInterval, cfgTimeWait, now } from '../host';
import { seqGe, seqGt, seqLt } from '../seq';
import { tcpAbortOnOverflow } from '../sysctl';
import {
  SF_ACKED,
  SF_FASTCLOSE,
  SF_FAST_OPEN,
  SF_JOIN,
  SF_TIMESTAMPS,
  Subflow,
  TIMER_END,
  TIMER_HANDSHAKE,
} from '../tcp/subflow';
import { handshakeTimeout, startTimer } from '../tcp/timers';
import { ACK, FIN, HAS_TS, RST, seg, SYN } from '../wire/segment';
import { acceptQueueFull, deferOf } from './accept-queue';
import { NO_REASON, subflowFailed } from './close';
import { Connection } from './connection';
import { fastcloseAnswered } from './fastclose';
import { repeatSyn } from './handshake';
import { AGAIN, allowed, DONE, finArrives, GO_ON, oldTimestamp, REFUSE, resetArrives, takeTimestamp } from './input';
import { freeSubflow } from './lifecycle';
import { sendBareAck } from './packet';
import { findListener, Listener } from './tables';

/**
 * SYN-RECEIVED on the answering side, in the order of Linux' tcp_check_req: what is out of the window is answered with
 * an acknowledgement, but for resets, and rarely.
 */
export function requestArrives(c: Connection, sf: Subflow): i32 {
  const flags = seg.flags & (SYN | ACK | RST | FIN);
  const early = sf.is(SF_FAST_OPEN);
  const old = sf.is(SF_TIMESTAMPS) && seg.has(HAS_TS) && (flags & RST) == 0 && oldTimestamp(sf);
  if (seg.seq == sf.irs && flags == SYN && !old) {
    // Our answer was lost.
    if (allowed(sf) && repeatSyn(c, sf) && !early) startTimer(sf, TIMER_HANDSHAKE, handshakeTimeout(sf));
    return DONE;
  }
  if ((flags & ACK) != 0 && !early && seg.ack != sf.sndNxt) return REFUSE;
  const inside = insideWindow(sf, sf.rcvEdge);
  if (old || !inside || ((flags & RST) != 0 && seg.seq != sf.rcvNxt)) {
    if (old) count(MIB_PAWSEstab);
    if (inside || (flags & RST) == 0) {
      if (now - sf.challengeAt < cfgChallengeInterval) count(MIB_TCPACKSkippedSynRecv);
      else {
        sf.challengeAt = now;
        sendBareAck(sf);
      }
    }
    return DONE;
  }
  const another = (flags & SYN) != 0 && seg.seq != sf.irs;
  if ((flags & RST) != 0 || another) {
    count(MIB_AttemptFails);
    // Linux counts a Fast Open connection twice: its request, and itself.
    count(early ? MIB_AttemptFails : MIB_EmbryonicRsts);
  }
  if ((flags & RST) != 0) {
    resetArrives(c, sf);
    return DONE;
  }
  if (another) {
    if (!early) subflowFailed(c, sf, CLOSE_RESET, NO_REASON, false);
    return REFUSE;
  }
  if ((flags & ACK) == 0) return DONE;
  takeTimestamp(sf);
  return early ? GO_ON : listenerTakes(c, sf);
}

/** The third packet: whether the listener of the handshake accepts the connection now. */
function listenerTakes(c: Connection, sf: Subflow): i32 {
  const p = findListener(sf.localHigh, sf.localLow, sf.localPort);
  if (p == 0) {
    if (sf.is(SF_JOIN)) return GO_ON;
    subflowFailed(c, sf, CLOSE_RESET, NO_REASON, false); // nobody is left
    return REFUSE;
  }
  const l = changetype<Listener>(p);
  // A handshake that a cookie stood for was not remembered, and cannot wait.
  if (sf.listener != 0 && seg.end == sf.irs + 1 && sf.retries < deferOf(l)) {
    count(MIB_TCPDeferAcceptDrop);
    sf.set(SF_ACKED);
    return DONE;
  }
  if (!acceptQueueFull(l)) return GO_ON;
  if (!tcpAbortOnOverflow) {
    sf.set(SF_ACKED);
    return DONE;
  }
  count(MIB_EmbryonicRsts);
  subflowFailed(c, sf, CLOSE_RESET, NO_REASON, false);
  return REFUSE;
}

/**
 * Nobody holds the connection any more, and only the peer's FIN is missing (Linux' TIME-WAIT in place of FIN-WAIT-2):
 * anything else that is new is refused.
 */
export function orphanArrives(c: Connection, sf: Subflow): i32 {
  const flags = seg.flags;
  const old = sf.is(SF_TIMESTAMPS) && seg.has(HAS_TS) && oldTimestamp(sf);
  if (old || !insideWindow(sf, sf.rcvEdge)) {
    answerLate(sf, flags);
    return DONE;
  }
  const again = (flags & SYN) != 0 && seqGe(seg.seq, sf.rcvNxt);
  if ((flags & RST) != 0) {
    subflowFailed(c, sf, CLOSE_RESET, NO_REASON, false);
    return DONE;
  }
  if (!again && ((flags & ACK) == 0 || seg.end == seg.seq || !seqGt(seg.end, sf.rcvNxt))) return DONE;
  if (again || (flags & FIN) == 0 || seg.end != sf.rcvNxt + 1) {
    subflowFailed(c, sf, CLOSE_RESET, NO_REASON, false);
    return REFUSE;
  }
  if (seg.has(HAS_TS)) {
    sf.tsRecent = seg.tsVal;
    sf.tsRecentAt = now;
  }
  sf.finAt = sf.rcvNxt;
  finArrives(c, sf);
  return DONE;
}

/** Some octet of the segment lies before `edge`, and some behind what was acknowledged (Linux' tcp_in_window). */
function insideWindow(sf: Subflow, edge: u32): bool {
  if (seg.seq == sf.rcvNxt) return true;
  if (seqGt(seg.end, sf.rcvNxt) && seqLt(seg.seq, edge)) return true;
  return seg.seq == edge && seg.end == seg.seq;
}

/** An acknowledgement for what comes late, rarely where there is no data in it. */
function answerLate(sf: Subflow, flags: u32): void {
  if ((flags & RST) != 0) return;
  if ((seg.end == seg.seq || (flags & SYN) != 0) && now - sf.challengeAt < cfgChallengeInterval) {
    count(MIB_TCPACKSkippedTimeWait);
    return;
  }
  sf.challengeAt = now;
  sendBareAck(sf);
}

/** RFC 9293 section 3.10.7.4, RFC 6191: a new SYN may take over. A reset ends it (as on Linux, against RFC 1337). */
export function timeWaitArrives(sf: Subflow): i32 {
  if (sf.is(SF_FASTCLOSE)) {
    fastcloseAnswered(sf);
    return DONE;
  }
  const flags = seg.flags;
  const timed = sf.is(SF_TIMESTAMPS) && seg.has(HAS_TS);
  const old = timed && (flags & RST) == 0 && oldTimestamp(sf);
  if (!old && seg.seq == sf.rcvNxt && (seg.end == seg.seq || (flags & RST) != 0)) {
    if ((flags & RST) != 0) {
      freeSubflow(sf);
      return DONE;
    }
    startTimer(sf, TIMER_END, cfgTimeWait);
    if (timed) {
      sf.tsRecent = seg.tsVal;
      sf.tsRecentAt = now;
    }
    return DONE;
  }
  if ((flags & (SYN | ACK | RST)) == SYN && !old) {
    if (seqGt(seg.seq, sf.rcvNxt) || (timed && seqGt(seg.tsVal, sf.tsRecent))) {
      count(MIB_TWRecycled);
      freeSubflow(sf);
      return AGAIN;
    }
  }
  if (old) count(MIB_PAWSEstab);
  if ((flags & RST) != 0) return DONE;
  if (old || (flags & ACK) != 0) startTimer(sf, TIMER_END, cfgTimeWait);
  answerLate(sf, flags);
  return DONE;
}
