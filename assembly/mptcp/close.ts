/**
 * How things end: DATA_FIN and its states (RFC 8684 section 3.3.3), subflow FIN and RST, MP_FASTCLOSE (3.5),
 * and what becomes of a connection without subflows.
 *
 *   ESTABLISHED --close--> FIN_WAIT_1 --acked--> FIN_WAIT_2 --peer's fin--> TIME_WAIT
 *        |                     +--peer's fin--> CLOSING --acked--> TIME_WAIT
 *        +--peer's fin--> CLOSE_WAIT --close--> LAST_ACK --acked--> CLOSED
 */
import {
  CLOSE_NORMAL,
  CLOSE_RESET,
  CONN_CLOSED,
  CONN_CLOSE_WAIT,
  CONN_CLOSING,
  CONN_ESTABLISHED,
  CONN_FIN_WAIT_1,
  CONN_FIN_WAIT_2,
  CONN_LAST_ACK,
  CONN_OPENING,
  CONN_TIME_WAIT,
  EVENT_CLOSED,
  EVENT_END,
  EVENT_SUBFLOW_DOWN,
  TCP_CLOSED,
  TCP_FIN_WAIT_2,
  TCP_SYN_SENT,
  TCP_TIME_WAIT,
} from '../abi';
import { MIB_EstabResets, MIB_MPFailTx, MIB_MPFastcloseTx, MIB_MPRstTx, MIB_OutRsts } from '../mib';
import { count } from '../counters';
import { deadlineArm } from '../deadlines';
import { emit } from '../events';
import { cfgCloseTimeout, cfgTimeWait, now } from '../host';
import { txRoom } from '../rings';
import {
  SF_ACK_AFTER_FIN,
  SF_ACK_NOW,
  SF_FIN_QUEUED,
  SF_JOIN,
  SF_PRE_ESTABLISHED,
  SF_SEND_FAIL,
  SF_TIMESTAMPS,
  Subflow,
  TIMER_END,
} from '../tcp/subflow';
import { startTimer } from '../tcp/timers';
import { tsNow } from '../tcp/rtt';
import { ACK, RST } from '../wire/segment';
import { writeTimestamps } from '../wire/tcp';
import { writeFail, writeFastclose, writeTcpRst } from '../wire/mptcp';
import {
  Connection,
  C_ESTABLISHED,
  C_FIN_ACKED,
  C_FIN_QUEUED,
  C_MPTCP,
  C_OPENED,
  C_ORPHAN,
  C_PEER_DONE,
  C_RELEASED,
  C_REPORTED,
  enterState,
  markDirty,
  tellWritable,
} from './connection';
import {
  chooseCongestionControl,
  enterTimeWaits,
  freeConnection,
  freeSubflow,
  leaveHalfOpen,
  timeWaitRoom,
  unlink,
} from './lifecycle';
import { abort } from './fastclose';
import { begin, finishControl, offeredWindow, optionAdded, optionPointer } from './packet';
import { reinjectSubflow } from './reinject';
import { sendRelease } from './send-ring';
import { removeToken } from './tables';

/** No MP_TCPRST. */
export const NO_REASON: u32 = 255;
// MP_TCPRST reasons (RFC 8684 section 3.6)
export const RST_UNSPECIFIED: u32 = 0;
export const RST_MPTCP: u32 = 1;
export const RST_RESOURCES: u32 = 2;
export const RST_PROHIBITED: u32 = 3;
export const RST_OUTSTANDING: u32 = 4;
export const RST_PERFORMANCE: u32 = 5;
export const RST_MIDDLEBOX: u32 = 6;

// ---- data level -------------------------------------------------------------------------------------------

/** The application ends its direction; data written so far still goes out. */
export function shutdown(c: Connection): void {
  if (c.is(C_FIN_QUEUED)) return;
  c.set(C_FIN_QUEUED);
  if (c.state == CONN_ESTABLISHED) enterState(c, CONN_FIN_WAIT_1);
  else if (c.state == CONN_CLOSE_WAIT) enterState(c, CONN_LAST_ACK);
  markDirty(c);
}

/** The application leaves. What it did not read is lost, and the peer has to hear of that (RFC 2525 section 2.17). */
export function leave(c: Connection): void {
  c.set(C_ORPHAN);
  if (c.state == CONN_OPENING || c.unread != 0) abort(c);
  else shutdown(c);
}

/** Our DATA_FIN (or FIN after a fallback) is acknowledged. */
export function finAcked(c: Connection): void {
  if (c.is(C_FIN_ACKED)) return;
  c.set(C_FIN_ACKED);
  if (c.watch) tellWritable(c); // close() may wait for this
  if (c.state == CONN_FIN_WAIT_1) enterState(c, CONN_FIN_WAIT_2);
  else if (c.state == CONN_CLOSING) bothDone(c, CONN_TIME_WAIT);
  else if (c.state == CONN_LAST_ACK) bothDone(c, CONN_CLOSED);
}

/** The peer's stream ended in order. */
export function peerDone(c: Connection): void {
  if (c.is(C_PEER_DONE)) return;
  c.set(C_PEER_DONE);
  c.rcvNxt += 1;
  if (c.is(C_MPTCP)) acknowledgeEverywhere(c);
  if (c.is(C_OPENED)) emit(EVENT_END, c.handle, 0, 0, 0, 0);
  if (c.state == CONN_ESTABLISHED) enterState(c, CONN_CLOSE_WAIT);
  else if (c.state == CONN_FIN_WAIT_1) enterState(c, CONN_CLOSING);
  else if (c.state == CONN_FIN_WAIT_2) {
    bothDone(c, CONN_TIME_WAIT);
    // Linux' answer to the peer's DATA_FIN, which follows the FIN.
    for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
      if (c.is(C_MPTCP)) changetype<Subflow>(p).set(SF_ACK_AFTER_FIN);
    }
  }
}

/** DATA_ACK of DATA_FIN goes out on every subflow, as on Linux. */
function acknowledgeEverywhere(c: Connection): void {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.synchronized && !sf.is(SF_PRE_ESTABLISHED)) sf.set(SF_ACK_NOW);
  }
  markDirty(c);
}

/** Both directions are done: no joins any more, every subflow says FIN. */
function bothDone(c: Connection, state: i32): void {
  enterState(c, state);
  removeToken(c);
  let p = c.subflows;
  while (p != 0) {
    const sf = changetype<Subflow>(p);
    p = sf.nextOfConn;
    // A join without an answer has nothing left to come for; it would keep the record until its last timeout.
    if (sf.state == TCP_SYN_SENT) dropSubflow(c, sf, CLOSE_NORMAL, NO_REASON, false);
    else sf.set(SF_FIN_QUEUED);
    // Its FIN may be acknowledged already, and the peer's may never come.
    if (sf.state == TCP_FIN_WAIT_2) startTimer(sf, TIMER_END, cfgTimeWait);
  }
  markDirty(c);
  reportClosed(c, CLOSE_NORMAL);
}

/** Tells the application that it is over; once. */
export function reportClosed(c: Connection, reason: i32): void {
  if (c.is(C_REPORTED)) return;
  c.set(C_REPORTED);
  c.closeReason = reason;
  if (c.is(C_OPENED)) emit(EVENT_CLOSED, c.handle, 0, reason, 0, 0);
}

/** The record goes when nobody needs it: no subflow left and the application has let go. */
export function freeIfDone(c: Connection): bool {
  if (c.subflows != 0 || !c.is(C_REPORTED)) return false;
  if (c.is(C_OPENED) && !c.is(C_RELEASED)) return false;
  freeConnection(c);
  return true;
}

/** The application lets go of the handle; a connection that is not over is aborted. */
export function release(c: Connection): void {
  c.set(C_RELEASED);
  if (!c.is(C_REPORTED)) {
    c.set(C_REPORTED); // nobody listens any more
    abort(c);
    return;
  }
  freeIfDone(c);
}

/** Ends the connection with an error: every subflow is reset. */
export function failConnection(c: Connection, reason: i32, rstReason: u32, fastclose: bool): void {
  enterState(c, CONN_CLOSED);
  removeToken(c);
  while (c.subflows != 0) {
    const sf = changetype<Subflow>(c.subflows);
    if (sf.state != TCP_SYN_SENT) sendReset(c, sf, rstReason, false, fastclose && c.is(C_ESTABLISHED));
    dropSubflow(c, sf, reason, NO_REASON, false);
  }
  reportClosed(c, reason);
  freeIfDone(c);
}

// ---- subflow level ----------------------------------------------------------------------------------------

/** RST for a subflow of ours, with MP_FASTCLOSE and MP_TCPRST where they belong. */
export function sendReset(c: Connection, sf: Subflow, reason: u32, transient: bool, fastclose: bool): void {
  count(MIB_OutRsts);
  if (txRoom() == 0) return; // the peer's next segment earns it another one
  begin(sf);
  if (sf.is(SF_TIMESTAMPS)) {
    writeTimestamps(optionPointer(), tsNow(sf), sf.tsRecent);
    optionAdded(12);
  }
  if (c.is(C_MPTCP)) {
    if (sf.is(SF_SEND_FAIL)) {
      optionAdded(writeFail(optionPointer(), sf.failDsn));
      count(MIB_MPFailTx);
    }
    if (fastclose) {
      optionAdded(writeFastclose(optionPointer(), c.remoteKey));
      count(MIB_MPFastcloseTx);
    }
    if (fastclose || reason != NO_REASON) {
      optionAdded(writeTcpRst(optionPointer(), transient, reason == NO_REASON ? RST_UNSPECIFIED : reason));
      count(MIB_MPRstTx);
    }
  }
  finishControl(sf, sf.sndNxt, sf.rcvNxt, RST | ACK, offeredWindow(sf));
}

/**
 * Ends a subflow at once, without a word on the wire. What it carried goes to the others. `rstReason` and
 * `transient` are what MP_TCPRST said, for the path manager.
 */
export function dropSubflow(c: Connection, sf: Subflow, reason: i32, rstReason: u32, transient: bool): void {
  if (sf.synchronized && reason != CLOSE_NORMAL) count(MIB_EstabResets);
  emit(EVENT_SUBFLOW_DOWN, c.handle, sf.handle, reason, rstReason, transient ? 1 : 0);
  reinjectSubflow(c, sf, 0);
  sf.state = TCP_CLOSED;
  unlink(c, sf);
  freeSubflow(sf);
  if (c.state >= CONN_CLOSED) return;
  sendRelease(c);
  // A lone subflow goes by the uncoupled algorithm again.
  if (c.subflowCount == 1) chooseCongestionControl(c);
}

/** A subflow failed; the connection goes on without it, waits for another one, or ends. */
export function subflowFailed(c: Connection, sf: Subflow, reason: i32, rstReason: u32, transient: bool): void {
  // A join that fails must not end a connection that waits for one.
  const established = sf.synchronized || sf.is(SF_JOIN);
  dropSubflow(c, sf, reason, rstReason, transient);
  if (c.subflows != 0) {
    markDirty(c);
    return;
  }
  afterLastSubflow(c, reason, established);
}

/** The last subflow is gone (RFC 8684 section 3.8.1: break before make, for a limited time). */
export function afterLastSubflow(c: Connection, reason: i32, established: bool): void {
  if (c.is(C_REPORTED)) {
    enterState(c, CONN_CLOSED);
    freeIfDone(c);
    return;
  }
  if (established && c.is(C_MPTCP) && c.is(C_ESTABLISHED) && c.state >= CONN_ESTABLISHED) {
    if (c.closeAt == Infinity) c.closeAt = now + cfgCloseTimeout; // failed attempts gain no time
    deadlineArm(changetype<usize>(c) | 1, c.heapField, c.closeAt);
    return;
  }
  enterState(c, CONN_CLOSED);
  removeToken(c);
  reportClosed(c, reason == CLOSE_NORMAL ? CLOSE_RESET : reason);
  freeIfDone(c);
}

/** A subflow has finished its FIN exchange and lingers for 2 MSL (RFC 9293 section 3.6) on its own. */
export function enterTimeWait(c: Connection, sf: Subflow): void {
  if (!timeWaitRoom()) {
    closedNormally(c, sf);
    return;
  }
  enterTimeWaits();
  sf.state = TCP_TIME_WAIT;
  emit(EVENT_SUBFLOW_DOWN, c.handle, sf.handle, CLOSE_NORMAL, NO_REASON, 0);
  unlink(c, sf);
  leaveHalfOpen(sf);
  sf.delackAt = sf.keepaliveAt = sf.waitAt = sf.mtuUntil = Infinity;
  startTimer(sf, TIMER_END, cfgTimeWait);
  if (c.subflows == 0) afterLastSubflow(c, CLOSE_NORMAL, true);
}

/** A subflow has finished its FIN exchange on the passive side. */
export function closedNormally(c: Connection, sf: Subflow): void {
  dropSubflow(c, sf, CLOSE_NORMAL, NO_REASON, false);
  if (c.subflows == 0) afterLastSubflow(c, CLOSE_NORMAL, true);
}
