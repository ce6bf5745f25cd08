/**
 * When data is acknowledged: at once while the peer starts up, later with every second segment, with the program's
 * answer, or after a delay that follows the pace of arrivals (RFC 9293 section 3.8.6.3; Linux' quick and "ping-pong"
 * modes).
 */
import { deadlineArm } from '../deadlines';
import { now } from '../host';
import { seqDiff } from '../seq';
import { SF_ACK_NOW, Subflow } from './subflow';

/** Linux' TCP_ATO_MIN and TCP_DELACK_MAX, microseconds. */
const ATO_MIN: f64 = 40e3;
const DELAY_MAX: f64 = 200e3;
/** Segments that are acknowledged at once. */
const QUICK_ACKS: u32 = 16;

/** In-order data arrived. */
export function noteArrival(sf: Subflow): void {
  const since = now - sf.dataAt;
  sf.dataAt = now;
  if (sf.ato == 0) {
    quickAcks(sf, QUICK_ACKS);
    sf.ato = ATO_MIN;
  } else if (since <= ATO_MIN / 2) sf.ato = sf.ato / 2 + ATO_MIN / 2;
  else if (since < sf.ato) sf.ato = min(sf.ato / 2 + since, sf.rto);
  else if (since > sf.rto) quickAcks(sf, QUICK_ACKS); // the sender starts anew after a pause
}

/** Acknowledges the next `most` segments at once. */
export function quickAcks(sf: Subflow, most: u32): void {
  const segments = sf.rcvWnd / max<u32>(2 * sf.rcvMss, 1); // of half the window
  sf.quickAcks = max(sf.quickAcks, min(segments == 0 ? 2 : segments, most));
}

/** The sender is in trouble: it has to hear of everything. */
export function enterQuickAcks(sf: Subflow, most: u32): void {
  quickAcks(sf, most);
  sf.pingPong = false;
  sf.ato = ATO_MIN;
}

@inline
export function isQuick(sf: Subflow): bool {
  return sf.quickAcks != 0 && !sf.pingPong;
}

/** Our data leaves: an answer if it comes soon after the peer's. */
@inline
export function noteAnswer(sf: Subflow): void {
  if (now - sf.dataAt < sf.ato) sf.pingPong = true;
}

/** An acknowledgement leaves; `owed`: something waited for it. */
@inline
export function noteAck(sf: Subflow, owed: bool): void {
  sf.pushed = 0;
  if (!owed || sf.quickAcks == 0) return;
  if (--sf.quickAcks == 0) sf.ato = ATO_MIN;
}

export function startDelack(sf: Subflow): void {
  let delay = sf.ato;
  if (delay == 0) {
    sf.set(SF_ACK_NOW);
    return;
  }
  if (delay > ATO_MIN) {
    let most: f64 = sf.pingPong || sf.pushed != 0 ? DELAY_MAX : 500e3;
    if (sf.srtt != 0) most = min(most, max(sf.srtt, ATO_MIN));
    delay = min(min(delay, most), DELAY_MAX);
  }
  let due = now + delay;
  if (sf.delackAt != Infinity) {
    if (sf.delackAt <= now + sf.ato / 4) {
      sf.set(SF_ACK_NOW);
      return;
    }
    due = min(due, sf.delackAt);
  }
  sf.delackAt = due;
  deadlineArm(changetype<usize>(sf), sf.heapField, due);
}

/** The third packet of a handshake may wait for the program's first data (Linux' TCP_DEFER_ACCEPT of an opener). */
export function deferThirdAck(sf: Subflow): void {
  enterQuickAcks(sf, QUICK_ACKS);
  sf.delackAt = now + DELAY_MAX;
  deadlineArm(changetype<usize>(sf), sf.heapField, sf.delackAt);
}

/**
 * The program has read; `drained`: everything there was. Whether the acknowledgement need not wait any longer: the
 * sender has filled a segment, or seems to have nothing more to send.
 */
export function dueAfterRead(sf: Subflow, drained: bool): bool {
  if (<u32>seqDiff(sf.rcvNxt, sf.lastAck) > sf.rcvMss) return true;
  return drained && (sf.pushed == 2 || (sf.pushed == 1 && !sf.pingPong));
}

/**
 * The program's wish (Linux' TCP_QUICKACK): 0 for delayed acknowledgements; with others what waits goes at once, unless
 * it waits for the program to read; an even number leaves the mode as it was. Whether something has to go.
 */
export function wantQuickAck(sf: Subflow, value: i32, drained: bool): bool {
  sf.pingPong = value == 0;
  if (value == 0 || sf.delackAt == Infinity) return false;
  if (sf.pushed == 0) sf.pushed = 1;
  const due = dueAfterRead(sf, drained);
  if (due) sf.set(SF_ACK_NOW);
  if ((value & 1) == 0) sf.pingPong = true;
  return due;
}

/** The delay is over: without an answer of the program the next one may be longer. */
export function delackDue(sf: Subflow): void {
  sf.delackAt = Infinity;
  sf.set(SF_ACK_NOW);
  if (sf.pingPong) {
    sf.pingPong = false;
    sf.ato = ATO_MIN;
  } else {
    sf.ato = min(sf.ato * 2, sf.rto);
  }
}
