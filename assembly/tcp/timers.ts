/**
 * The timers of a subflow: which one runs and when. Acting on them is mptcp/timers.ts' job.
 */
import { deadlineArm } from '../deadlines';
import { now } from '../host';
import { tcpEarlyRetrans } from '../sysctl';
import { recAt } from './records';
import { currentRto, RTO_INITIAL, RTO_MIN } from './rtt';
import {
  CA_CWR,
  CA_OPEN,
  SF_FAST_OPEN,
  SF_SACK,
  Subflow,
  TIMER_END,
  TIMER_HANDSHAKE,
  TIMER_NONE,
  TIMER_PERSIST,
  TIMER_PROBE,
  TIMER_REORDER,
  TIMER_RTO,
} from './subflow';

/** Two of Linux' ticks at 250 Hz: what probes and RACK add, for timers are not exact. Microseconds. */
const TIMER_MIN: f64 = 8000;

/** Registers the earliest of the subflow's deadlines. */
export function registerDeadline(sf: Subflow): void {
  let due = min(min(sf.timerAt, sf.delackAt), min(sf.keepaliveAt, sf.waitAt));
  due = min(due, sf.mtuUntil);
  if (sf.paceWaits) due = min(due, sf.paceAt);
  if (due < Infinity) deadlineArm(changetype<usize>(sf), sf.heapField, due);
}

export function startTimer(sf: Subflow, kind: u8, delay: f64): void {
  sf.timerKind = kind;
  sf.timerAt = now + delay;
  // What is paced has not left yet (Linux' tcp_pacing_delay).
  if (sf.paceAt > now && (kind == TIMER_RTO || kind == TIMER_PROBE)) sf.timerAt += sf.paceAt - now;
  deadlineArm(changetype<usize>(sf), sf.heapField, sf.timerAt);
}

/** How long the SYN or SYN/ACK that went last has for its answer, microseconds. */
export function handshakeTimeout(sf: Subflow): f64 {
  return RTO_INITIAL * <f64>(1 << min<u32>(sf.backoff, 6));
}

export function stopTimer(sf: Subflow): void {
  sf.timerKind = TIMER_NONE;
  sf.timerAt = Infinity;
}

/** Whether the timer stands for something that only the end of the handshake, or of the subflow, changes. */
@inline
function taken(sf: Subflow): bool {
  return sf.timerKind == TIMER_HANDSHAKE || sf.timerKind == TIMER_END;
}

/** The retransmission timeout begins now (RFC 6298 section 5). */
export function startRto(sf: Subflow): void {
  if (taken(sf)) return;
  startTimer(sf, TIMER_RTO, currentRto(sf));
}

/** Microseconds until the oldest segment has had its timeout. */
function rtoLeft(sf: Subflow): f64 {
  return recAt(sf, sf.recHead).xmit + currentRto(sf) - now;
}

/** The timeout instead of a probe or RACK's timer counts from the oldest segment's transmission; else it begins now. */
export function rearmRto(sf: Subflow, fromOldest: bool): void {
  if (taken(sf)) return;
  if (sf.packetsOut == 0) {
    if (sf.timerKind != TIMER_PERSIST) stopTimer(sf);
    return;
  }
  startTimer(sf, TIMER_RTO, fromOldest ? max(rtoLeft(sf), 1) : currentRto(sf));
}

/** Tail loss probe (RFC 8985 section 7.2). `anew`: an acknowledgement moved the timeout. False: none is due. */
function scheduleProbe(sf: Subflow, anew: bool): bool {
  if (!tcpEarlyRetrans || sf.packetsOut == 0 || !sf.is(SF_SACK) || sf.is(SF_FAST_OPEN)) return false;
  if (sf.caState != CA_OPEN && sf.caState != CA_CWR) return false;
  let wait: f64 = RTO_INITIAL;
  // The peer may delay the ACK of a lone segment.
  if (sf.srtt > 0) wait = 2 * sf.srtt + (sf.packetsOut == 1 ? RTO_MIN : TIMER_MIN);
  const rto = anew ? currentRto(sf) : rtoLeft(sf);
  if (rto > 0) wait = min(wait, rto);
  startTimer(sf, TIMER_PROBE, wait);
  return true;
}

/** An acknowledgement was taken: the timeout, or the probe before it, starts anew (RFC 6298 section 5.3). */
export function restartTimer(sf: Subflow): void {
  if (taken(sf)) return;
  if (!scheduleProbe(sf, true)) rearmRto(sf, sf.timerKind == TIMER_PROBE || sf.timerKind == TIMER_REORDER);
}

/** New data was sent; before it, `outstanding` segments were out. */
export function dataLeft(sf: Subflow, outstanding: u32): void {
  if (taken(sf)) return;
  if (outstanding == 0 || sf.timerKind == TIMER_PROBE) {
    if (sf.timerKind == TIMER_PERSIST) sf.backoff = 0; // the window is open: its probes' back-off is over
    rearmRto(sf, sf.timerKind == TIMER_PROBE);
  }
  scheduleProbe(sf, false);
}

/** RACK looks again after `wait` microseconds (RFC 8985 section 6.2 step 5). */
export function reorderTimer(sf: Subflow, wait: f64): void {
  if (!taken(sf)) startTimer(sf, TIMER_REORDER, wait + TIMER_MIN);
}

/** The peer has dropped what it had SACKed: a timeout soon, unless it says otherwise. */
export function renegedSoon(sf: Subflow): void {
  if (!taken(sf)) startTimer(sf, TIMER_RTO, max(sf.srtt / 2, 10e3));
}
