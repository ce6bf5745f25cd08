/**
 * The timers of a subflow: which one runs and when. Acting on them is mptcp/timers.ts' job.
 */
import { deadlineArm } from '../deadlines';
import { now } from '../host';
import { currentRto } from './rtt';
import { probeTimeout } from './rack';
import {
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

/** Registers the earliest of the subflow's deadlines. */
export function registerDeadline(sf: Subflow): void {
  let due = min(min(sf.timerAt, sf.delackAt), min(sf.keepaliveAt, sf.waitAt));
  if (sf.paceWaits) due = min(due, sf.paceAt);
  if (due < Infinity) deadlineArm(changetype<usize>(sf), sf.heapField, due);
}

export function startTimer(sf: Subflow, kind: u8, delay: f64): void {
  sf.timerKind = kind;
  sf.timerAt = now + delay;
  deadlineArm(changetype<usize>(sf), sf.heapField, sf.timerAt);
}

export function stopTimer(sf: Subflow): void {
  sf.timerKind = TIMER_NONE;
  sf.timerAt = Infinity;
}

/**
 * After sends and acknowledgements. `restart`: the acknowledgement number moved, so the timeout starts anew
 * (RFC 6298 section 5.3). `reorderWait`: microseconds until RACK wants to look again, 0 for never.
 */
export function scheduleRetransmission(sf: Subflow, restart: bool, reorderWait: f64): void {
  if (sf.timerKind == TIMER_HANDSHAKE || sf.timerKind == TIMER_END) return;
  if (sf.packetsOut == 0) {
    if (sf.timerKind != TIMER_PERSIST) stopTimer(sf);
    sf.rtoAt = Infinity;
    return;
  }
  // New data does not put off RACK's second look.
  if (!restart && reorderWait == 0 && sf.timerKind == TIMER_REORDER && sf.packetsOut != 0) return;
  if (sf.timerKind == TIMER_PERSIST) sf.backoff = 0; // the window is open: its probes' back-off is over
  if (restart || sf.rtoAt == Infinity) sf.rtoAt = now + currentRto(sf);
  let kind = TIMER_RTO;
  let due = sf.rtoAt;
  if (reorderWait > 0) {
    if (now + reorderWait < due) {
      kind = TIMER_REORDER;
      due = now + reorderWait;
    }
  } else if (sf.is(SF_SACK)) {
    const probe = now + probeTimeout(sf);
    if (probe < due) {
      kind = TIMER_PROBE;
      due = probe;
    }
  }
  sf.timerKind = kind;
  sf.timerAt = due;
  deadlineArm(changetype<usize>(sf), sf.heapField, due);
}
