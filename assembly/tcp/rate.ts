/**
 * At what rate the path delivers (draft-cheng-iccrg-delivery-rate-estimation; what Linux shows as tcpi_delivery_rate):
 * segments delivered between the sending of a record and its acknowledgement, over the longer of the times in which
 * they were sent and acknowledged. Records remember where both began. Times are the low halves of microseconds.
 */
import { now } from '../host';
import { seqGt } from '../seq';
import { Rec, REC_APP_LIMITED } from './records';
import { Subflow } from './subflow';

/** What the acknowledgement in hand says: of the record sent last among those that it covers. */
let sampled: bool = false;
let limited: bool = false;
let priorDelivered: u32 = 0;
let priorAt: u32 = 0;
let sendTime: u32 = 0;
let lastEnd: u32 = 0;

@inline
function clock(time: f64): u32 {
  return <u32>(<u64>time);
}

/** A record leaves; it does not count as out yet. */
@inline
export function rateSent(sf: Subflow, r: Rec): void {
  if (sf.packetsOut == 0) sf.rateSentAt = sf.rateAckedAt = clock(now);
  r.rateSentAt = sf.rateSentAt;
  r.rateAckedAt = sf.rateAckedAt;
  r.delivered = sf.delivered;
  if (sf.appLimited != 0) r.flags |= REC_APP_LIMITED;
  else r.flags &= ~REC_APP_LIMITED;
}

/** The program writes: what is out by now is all that there was to send. */
export function rateLimited(sf: Subflow): void {
  if (sf.inFlight >= sf.cwnd || sf.lostOut > sf.retransOut) return;
  sf.appLimited = max(sf.delivered + sf.inFlight, 1);
}

@inline
export function rateBegin(): void {
  sampled = false;
}

/** A record, or its first segments up to `end`, has been delivered for the first time. */
@inline
export function rateDelivered(sf: Subflow, r: Rec, end: u32): void {
  const xmit = clock(r.xmit);
  if (sampled && !seqGt(xmit, sf.rateSentAt) && (xmit != sf.rateSentAt || !seqGt(end, lastEnd))) return;
  sampled = true;
  priorDelivered = r.delivered;
  priorAt = r.rateAckedAt;
  limited = (r.flags & REC_APP_LIMITED) != 0;
  sendTime = xmit - r.rateSentAt;
  lastEnd = end;
  sf.rateSentAt = xmit;
}

/** The acknowledgement is taken; it delivered `newly` segments. */
export function rateTake(sf: Subflow, newly: u32): void {
  if (sf.appLimited != 0 && seqGt(sf.delivered, sf.appLimited)) sf.appLimited = 0;
  const time = clock(now);
  if (newly != 0) sf.rateAckedAt = time;
  if (!sampled) return;
  const delivered = sf.delivered - priorDelivered;
  const interval = max(sendTime, time - priorAt);
  // Faster than the path ever was: what was acknowledged had been lost or compressed.
  if (<f64>interval < sf.minRtt) return;
  // A program that sends little shows no less than what was seen before.
  if (limited && <u64>delivered * sf.rateInterval < <u64>sf.rateSegments * interval) return;
  sf.rateSegments = delivered;
  sf.rateInterval = interval;
  sf.rateAppLimited = limited;
}

/** Octets per second, 0: not known yet. */
export function deliveryRate(sf: Subflow): f64 {
  if (sf.rateInterval == 0) return 0;
  return (<f64>sf.rateSegments * <f64>sf.mss * 1e6) / <f64>sf.rateInterval;
}
