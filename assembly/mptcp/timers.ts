/**
 * What happens when a deadline has come: of a subflow (handshake, retransmission, probes, delayed ACK, the end of
 * TIME-WAIT) or of a connection (data level, the wait for a new subflow).
 */
import {
  CLOSE_NORMAL,
  CLOSE_PROTOCOL,
  CLOSE_TIMEOUT,
  FALLBACK_MP_FAIL,
  FALLBACK_NO_MAPPING,
  TCP_ESTABLISHED,
  TCP_CLOSE_WAIT,
  TCP_SYN_RCVD,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../abi';
import {
  MIB_AttemptFails,
  MIB_DelayedACKs,
  MIB_DSSCorruptionReset,
  MIB_MPCapableSYNTXDrop,
  MIB_SubflowStale,
  MIB_TCPAbortOnTimeout,
  MIB_TCPKeepAlive,
  MIB_TCPLossProbes,
  MIB_TCPTimeouts,
  MIB_TCPWinProbe,
  MIB_WinProbe,
} from '../mib';
import { count } from '../counters';
import { deadlineArm } from '../deadlines';
import { dsnDiff, dsnMin } from '../dsn';
import { cfgSynRetransFallback, now } from '../host';
import { pathBlocked } from '../paths';
import { txRoom } from '../rings';
import { tcpRetries2, tcpSynackRetries, tcpSynLinearTimeouts, tcpSynRetries } from '../sysctl';
import { delackDue } from '../tcp/delack';
import { mtuTimeout } from '../tcp/mtu';
import { REC_LOST, REC_SACKED, recAt, recShatter } from '../tcp/records';
import { noteTimeout, reorderTimeout, retransmissionTimeout } from '../tcp/recovery';
import { currentRto, RTO_INITIAL, RTO_MAX, RTO_MIN } from '../tcp/rtt';
import {
  SF_ACKED,
  SF_ACK_NOW,
  SF_BARE,
  SF_FAILING,
  SF_FASTCLOSE,
  SF_FAST_OPEN,
  SF_FIN_QUEUED,
  SF_FIN_SENT,
  SF_JOIN,
  SF_PLAIN_SYN,
  SF_PRE_ESTABLISHED,
  SF_SEND_FAIL,
  SF_STALE,
  SF_SYN_RETRANSMITTED,
  Subflow,
  TIMER_END,
  TIMER_HANDSHAKE,
  TIMER_NONE,
  TIMER_PERSIST,
  TIMER_PROBE,
  TIMER_REORDER,
  TIMER_RTO,
} from '../tcp/subflow';
import { handshakeTimeout, rearmRto, registerDeadline, startRto, startTimer, stopTimer } from '../tcp/timers';
import {
  failConnection,
  finAcked,
  freeIfDone,
  NO_REASON,
  reportClosed,
  RST_MIDDLEBOX,
  RST_MPTCP,
  RST_PERFORMANCE,
  sendReset,
  subflowFailed,
} from './close';
import {
  Connection,
  C_CHECKSUM,
  C_FIN_ACKED,
  C_FIN_SENT,
  C_MPTCP,
  C_ORPHAN,
  C_SEND_INFINITE,
  C_SYN_DATA,
  C_WATCH,
  isOpen,
  mappingOpen,
  markDirty,
} from './connection';
import { defersSynAck, growOld, requestExpired, synRetriesOf } from './accept-queue';
import { canFallBack, endAfterFail, failAnswered, fallBack } from './fallback';
import { fastcloseDue } from './fastclose';
import { fastOpenTimeout } from './fast-open';
import { openFailed, repeatSyn } from './handshake';
import { freeSubflow } from './lifecycle';
import { MAX_BURST, sendBurst } from './burst';
import { retransmit, signalFin } from './output';
import { segmentSize, sendProbe } from './packet';
import { ask } from './receive';
import { reinjectStalled, reinjectSubflow } from './reinject';
import { roomOn, unsentOf } from './transmit';
import { tellPeer } from './unaware';
import { mtuForgotten } from './unreachable';

/** A join is one attempt of many: the path manager tries again later. */
const JOIN_RETRIES: u32 = 3;
/** Timeouts after which a subflow counts as stale while others work. */
const STALE_RETRIES: u32 = 2;
const DATA_FIN_RETRIES: u32 = 12;
/** Repetitions of MP_FAIL that answers MP_FAIL. */
const FAIL_RETRIES: u32 = 6;
const ORPHAN_RETRIES: u32 = 8;

/** One of the subflow's deadlines may have come. */
export function subflowDue(sf: Subflow): void {
  if (sf.state == TCP_TIME_WAIT) {
    // Of its other deadlines none counts any more.
    if (now < sf.timerAt) deadlineArm(changetype<usize>(sf), sf.heapField, sf.timerAt);
    else if (sf.is(SF_FASTCLOSE)) fastcloseDue(sf);
    else freeSubflow(sf);
    return;
  }
  const c = changetype<Connection>(sf.conn);
  if (now >= sf.delackAt) {
    delackDue(sf);
    count(MIB_DelayedACKs);
    markDirty(c);
  }
  if (sf.paceWaits && now >= sf.paceAt) {
    sf.paceWaits = false;
    markDirty(c);
  }
  if (now >= sf.waitAt && !waitDue(c, sf)) return;
  if (now >= sf.keepaliveAt && !keepaliveDue(c, sf)) return;
  if (now >= sf.mtuUntil) mtuForgotten(c, sf);
  if (now >= sf.timerAt && !timerDue(c, sf)) return;
  registerDeadline(sf);
}

/** Returns false when the subflow is gone. */
function timerDue(c: Connection, sf: Subflow): bool {
  const kind = sf.timerKind;
  stopTimer(sf);
  switch (kind) {
    case TIMER_HANDSHAKE:
      return handshakeDue(c, sf);
    case TIMER_RTO:
      return timeoutDue(c, sf);
    case TIMER_PROBE:
      probeDue(c, sf);
      return true;
    case TIMER_REORDER:
      reorderTimeout(sf);
      if (sf.timerKind == TIMER_NONE) rearmRto(sf, true);
      markDirty(c);
      return true;
    case TIMER_PERSIST:
      // A window may stay closed for ever, but not in silence (RFC 9293 section 3.8.6.1).
      if (sf.backoff >= tcpRetries2 && now - sf.lastReceived > 3 * RTO_MAX) {
        count(MIB_TCPAbortOnTimeout);
        sendReset(c, sf, RST_PERFORMANCE, true, false);
        subflowFailed(c, sf, timeoutReason(sf), NO_REASON, false);
        return false;
      }
      // What was held back, for a better segment or by a small window, is held no longer.
      if (txRoom() > 2 && sendBurst(c, sf, 1, true)) {
        sf.backoff = sf.probesOut = 0;
        rearmRto(sf, false);
        return true;
      }
      sf.probesOut++;
      count(c.is(C_MPTCP) ? MIB_WinProbe : MIB_TCPWinProbe);
      sendProbe(c, sf);
      sf.backoff++;
      startTimer(sf, TIMER_PERSIST, currentRto(sf));
      return true;
    case TIMER_END:
      subflowFailed(c, sf, CLOSE_NORMAL, NO_REASON, false);
      return false;
  }
  return true;
}

/** A probe was answered: the window takes all that waits, or the next probe counts from now (Linux' tcp_ack_probe). */
export function windowAnswered(c: Connection, sf: Subflow): void {
  if (roomOn(sf) < min(unsentOf(c), MAX_BURST)) {
    startTimer(sf, TIMER_PERSIST, currentRto(sf));
    return;
  }
  sf.backoff = 0;
  stopTimer(sf);
  markDirty(c);
}

function handshakeDue(c: Connection, sf: Subflow): bool {
  if (sf.is(SF_PRE_ESTABLISHED)) {
    // The third ACK of a join is repeated until the fourth packet comes (RFC 8684 section 3.2).
    if (++sf.retries > tcpSynackRetries) {
      sendReset(c, sf, RST_MPTCP, true, false);
      subflowFailed(c, sf, CLOSE_TIMEOUT, NO_REASON, false);
      return false;
    }
    sf.backoff++;
    sf.set(SF_ACK_NOW);
    startTimer(sf, TIMER_HANDSHAKE, currentRto(sf));
    markDirty(c);
    return true;
  }
  count(MIB_TCPTimeouts);
  if (sf.state == TCP_SYN_SENT) {
    if (sf.retries >= (sf.is(SF_JOIN) ? JOIN_RETRIES : synRetriesOf(c, tcpSynRetries) + tcpSynLinearTimeouts)) {
      count(MIB_TCPAbortOnTimeout);
      openFailed(c, sf, CLOSE_TIMEOUT, NO_REASON, false);
      return false;
    }
    fastOpenTimeout(sf);
    // A middlebox may drop SYNs with options that it does not know (RFC 8684 section 3.7).
    if (sf.retries == cfgSynRetransFallback && c.is(C_MPTCP) && !sf.is(SF_JOIN)) {
      sf.set(SF_PLAIN_SYN);
      count(MIB_MPCapableSYNTXDrop);
    }
  } else if (sf.state == TCP_SYN_RCVD && requestExpired(c, sf)) {
    if (sf.is(SF_FAST_OPEN)) {
      count(MIB_AttemptFails);
      count(MIB_TCPAbortOnTimeout);
    }
    subflowFailed(c, sf, CLOSE_TIMEOUT, NO_REASON, false); // in silence: the SYN may have been forged
    return false;
  }
  const waits = sf.is(SF_ACKED) && defersSynAck(sf);
  if (sf.listener != 0) growOld(sf);
  noteTimeout(sf);
  if (!waits) sf.retransmissions++;
  if (sf.state == TCP_SYN_RCVD) {
    if (sf.retries == 0) sf.timeoutAt -= RTO_INITIAL; // as Linux counts it: from the SYN on
    sf.answerTimeouts++;
  }
  sf.retries++;
  // The opener's first repetitions come every second (Linux' tcp_syn_linear_timeouts).
  if (sf.state != TCP_SYN_SENT || sf.is(SF_JOIN) || sf.retries > tcpSynLinearTimeouts) sf.backoff++;
  if (!waits) {
    sf.set(SF_SYN_RETRANSMITTED);
    repeatSyn(c, sf);
  }
  startTimer(sf, TIMER_HANDSHAKE, handshakeTimeout(sf));
  return true;
}

function timeoutDue(c: Connection, sf: Subflow): bool {
  if (sf.packetsOut == 0) return true;
  // One that was removed while others work is an orphan: nobody waits for it (Linux' tcp_orphan_retries).
  const removed = (sf.flags & (SF_FIN_QUEUED | SF_FIN_SENT)) != 0 && c.subflowCount > 1 && isOpen(c);
  const most = removed ? min(ORPHAN_RETRIES, tcpRetries2) : tcpRetries2;
  // Repetitions probe a window that has closed behind what they repeat: it may stay closed, but not in silence.
  const closed = sf.sndWnd == 0 && !c.is(C_ORPHAN);
  const patience = c.userTimeout != 0 ? c.userTimeout : timeOf(most);
  const silent = !closed || now - sf.lastReceived >= 2 * RTO_MAX;
  // Behind a device that takes nothing, nothing is repeated; probes of a closed window are no timeouts.
  const since = sf.retransAt != 0 ? sf.retransAt : closed ? recAt(sf, sf.recHead).xmit : sf.timeoutAt;
  if (silent && (sf.retries != 0 || closed) && since != 0 && now - since >= patience) {
    count(MIB_TCPAbortOnTimeout);
    // TCP says nothing more; a subflow gives its reason.
    if (c.is(C_MPTCP)) sendReset(c, sf, RST_PERFORMANCE, true, false);
    subflowFailed(c, sf, timeoutReason(sf), NO_REASON, false);
    return false;
  }
  if (c.is(C_SYN_DATA)) fastOpenTimeout(sf);
  retransmissionTimeout(sf, closed);
  if (mtuTimeout(sf)) sf.mss = segmentSize(c, sf);
  if (sf.retries >= STALE_RETRIES && !sf.is(SF_STALE) && c.subflowCount > 1) {
    sf.set(SF_STALE);
    count(MIB_SubflowStale);
  }
  // Others carry on at once what this path has swallowed.
  reinjectSubflow(c, sf, sf.handle);
  sf.backoff++;
  startRto(sf);
  // The application's patience may end before.
  if (c.userTimeout != 0 && sf.retransAt != 0) {
    const left = max(sf.retransAt + c.userTimeout - now, 1);
    if (sf.timerAt > now + left) startTimer(sf, TIMER_RTO, left);
  }
  markDirty(c);
  return true;
}

/** What a router said meanwhile is a better reason for silence (Linux' sk_err_soft; RFC 1122 section 4.2.3.9). */
function timeoutReason(sf: Subflow): i32 {
  return sf.softError == CLOSE_NORMAL ? CLOSE_TIMEOUT : sf.softError;
}

/** How long so many repetitions take, from the first one on, with the least timeout (Linux' tcp_model_timeout). */
function timeOf(repetitions: u32): f64 {
  let time: f64 = 0;
  let rto = RTO_MIN;
  for (let i: u32 = 0; i <= repetitions; i++) {
    time += rto;
    rto = min(2 * rto, RTO_MAX);
  }
  return time;
}

/** Tail loss probe (RFC 8985 section 7.3): new data when there is some, else the last segment again. */
function probeDue(c: Connection, sf: Subflow): void {
  if (sf.packetsOut == 0) return;
  // One probe at a time; and what would be probed may not have left. The timeout stands.
  if (sf.tlpOut || pathBlocked(sf.path)) {
    rearmRto(sf, true);
    return;
  }
  const canSend = sf.state == TCP_ESTABLISHED || sf.state == TCP_CLOSE_WAIT;
  const free = c.mapOwner == 0 || c.mapOwner == changetype<usize>(sf) || !mappingOpen(c);
  sf.tlpRetrans = false;
  // A small segment does not wait any longer for an acknowledgement, a cork, or more.
  const unsent = unsentOf(c);
  const small = unsent < segmentSize(c, sf) && unsent <= roomOn(sf);
  let sent = canSend && free && txRoom() > 2 && sendBurst(c, sf, 1, small);
  if (!sent) {
    recShatter(sf, sf.recTail - 1); // the last segment, not the last packet
    const id = sf.recTail - 1;
    if ((recAt(sf, id).flags & (REC_SACKED | REC_LOST)) == 0) sent = resend(c, sf, id);
    sf.tlpRetrans = sent;
  }
  if (sent) {
    count(MIB_TCPLossProbes);
    // Silence for two round trips: others carry the same data meanwhile, should the path be dead.
    if (c.subflowCount > 1) reinjectSubflow(c, sf, sf.handle);
    sf.tlpOut = sf.tlpSilent = true;
    sf.tlpEnd = sf.sndNxt;
  }
  rearmRto(sf, !sent);
}

/** A probe repeats a record that is not marked lost: it stays where it is in the order of transmission. */
function resend(c: Connection, sf: Subflow, id: u32): bool {
  const r = recAt(sf, id);
  if ((r.flags & REC_LOST) != 0) return false;
  return retransmit(c, sf, id);
}

/**
 * The peer has not done what was waited for: sent the mapping of octets that are held, answered MP_FAIL, or noticed
 * that the connection is plain. Returns false when the subflow is gone.
 */
function waitDue(c: Connection, sf: Subflow): bool {
  sf.waitAt = Infinity;
  if (!c.is(C_MPTCP)) {
    if (c.is(C_WATCH)) tellPeer(c, sf);
    return true;
  }
  // A join was under way when the octets came, and has failed since.
  if (!sf.is(SF_FAILING) && canFallBack(c)) {
    fallBack(c, sf, FALLBACK_NO_MAPPING);
    return true;
  }
  // Linux's answer finds no room beside its DATA_FIN, and it repeats nothing after MP_FAIL.
  if (sf.is(SF_FAILING) && canFallBack(c)) {
    failAnswered(c, sf);
    return true;
  }
  if (!sf.is(SF_FAILING)) count(MIB_DSSCorruptionReset);
  else if (c.subflowCount > 1) sf.set(SF_SEND_FAIL);
  // A middlebox took the mapping away, or changes what it maps.
  sendReset(c, sf, RST_MIDDLEBOX, false, false);
  subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
  return false;
}

/** Starts, restarts or stops the keepalive of a subflow (RFC 9293 section 3.8.4). */
export function armKeepalive(c: Connection, sf: Subflow): void {
  if (!c.keepalive || !sf.synchronized) {
    sf.keepaliveAt = Infinity;
    return;
  }
  sf.keepaliveProbes = 0;
  sf.keepaliveAt = now + c.keepaliveIdle;
  registerDeadline(sf);
}

function keepaliveDue(c: Connection, sf: Subflow): bool {
  const idle = now - sf.lastReceived;
  if (sf.packetsOut != 0 || idle < c.keepaliveIdle) {
    sf.keepaliveProbes = 0;
    sf.keepaliveAt = max(now + c.keepaliveInterval, sf.lastReceived + c.keepaliveIdle);
    return true;
  }
  const probes = sf.keepaliveProbes;
  if (c.userTimeout == 0 ? probes >= c.keepaliveCount : probes != 0 && idle >= c.userTimeout) {
    sendReset(c, sf, RST_PERFORMANCE, true, false);
    subflowFailed(c, sf, timeoutReason(sf), NO_REASON, false);
    return false;
  }
  sf.keepaliveProbes++;
  count(MIB_TCPKeepAlive);
  sendProbe(c, sf);
  sf.keepaliveAt = now + c.keepaliveInterval;
  return true;
}

// ---- connections ------------------------------------------------------------------------------------------

export function connectionDue(c: Connection): void {
  if (now >= c.closeAt) {
    c.closeAt = Infinity;
    failConnection(c, CLOSE_TIMEOUT, NO_REASON, false);
    return;
  }
  if (now >= c.dataTimerAt) {
    c.dataTimerAt = Infinity;
    c.dataBackoff++;
    const onlyFin = c.is(C_FIN_SENT) && !c.is(C_FIN_ACKED) && c.dataUna == c.finDsn;
    if (onlyFin && !(c.subflows != 0 && endAfterFail(c, c.firstSubflow))) {
      signalFin(c);
      if (canFallBack(c) && c.firstSubflow.is(SF_BARE)) ask(c, c.firstSubflow);
      if (c.dataBackoff > DATA_FIN_RETRIES) {
        // The peer is gone without a word; our own stream is delivered.
        finAcked(c);
        reportClosed(c, CLOSE_TIMEOUT);
        failConnection(c, CLOSE_TIMEOUT, NO_REASON, false);
        return;
      }
    } else if (!onlyFin && !askPeer(c) && reinjectStalled(c)) {
      endProxied(c);
    }
    markDirty(c);
  }
  const due = min(c.dataTimerAt, c.closeAt);
  if (due < Infinity) deadlineArm(changetype<usize>(c) | 1, c.heapField, due);
  else freeIfDone(c);
}

/**
 * What a subflow has acknowledged did not arrive. If its ACKs came without any Multipath option, a proxy sends them;
 * where it loses data the hole stays for ever, and the peer drops what comes beyond its window. The others go on
 * without that subflow (RFC 8684 section 3.6, reason 6).
 */
function endProxied(c: Connection): void {
  let other = false;
  let proxied: usize = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.bareAt != 0) proxied = p;
    else if (sf.state == TCP_ESTABLISHED || sf.state == TCP_CLOSE_WAIT) other = true;
  }
  if (proxied == 0 || !other) return;
  const sf = changetype<Subflow>(proxied);
  sendReset(c, sf, RST_MIDDLEBOX, false, false);
  subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
}

/**
 * Data was not DATA_ACKed in time, and a repetition of it might be new data for the peer: one that sent MP_FAIL, one
 * whose DSS has ceased, because it became plain or because a middlebox strips options now, or one that has got less
 * than was sent. Asks again. False: it is safe to repeat the data.
 */
function askPeer(c: Connection): bool {
  if (!canFallBack(c)) return false;
  const sf = c.firstSubflow;
  if (c.is(C_SEND_INFINITE)) {
    if (endAfterFail(c, sf)) return true;
    // The peer knows by now, or it never will; without new data nothing else would end this.
    if (c.dataBackoff > FAIL_RETRIES && sf.packetsOut == 0) fallBack(c, sf, FALLBACK_MP_FAIL);
    else sf.set(SF_SEND_FAIL | SF_ACK_NOW);
    return true;
  }
  if (!sf.is(SF_BARE) && c.is(C_CHECKSUM) && sf.packetsOut != 0) {
    c.dataBackoff = 0; // what the mapping lacks may be under way
    return true;
  }
  if (sf.is(SF_BARE)) {
    ask(c, sf);
    return true;
  }
  if (!c.is(C_CHECKSUM) || c.dataBackoff != 1) return false;
  // A middlebox that takes octets out leaves a mapping that can be neither completed nor verified. A peer that has one
  // answers with MP_FAIL; else the data is repeated when the answer must be here.
  c.dataTimerAt = now + 2 * sf.srtt;
  sendProbe(c, sf);
  return true;
}
