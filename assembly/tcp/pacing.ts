/**
 * Pacing: bursts leave at the rate at which the path takes them, not all at once when acknowledgements open the window.
 * As Linux does it without a queue of the device that paces (fq): per subflow, from the window and the round trip.
 */
import { SSTHRESH_INFINITE } from '../cc/state';
import { deadlineArm } from '../deadlines';
import { now } from '../host';
import { Subflow } from './subflow';

/** Percent of the window per round trip: room to grow, twice in slow start (Linux' tcp_pacing_ss_ratio, _ca_ratio). */
const SLOW_START: u32 = 200;
const AVOIDANCE: u32 = 120;
/** Segments that leave at once when a connection begins (RFC 6928). */
const UNPACED: u32 = 10;

/** The window that the rate goes by is that of the latest acknowledgement. */
@inline
export function pacingWindow(sf: Subflow): void {
  const slowStart = sf.ssthresh >= SSTHRESH_INFINITE || sf.cwnd < sf.ssthresh / 2;
  sf.paceWindow = max(sf.cwnd, sf.packetsOut) * (slowStart ? SLOW_START : AVOIDANCE);
}

/** Octets per second at which segments of `size` may leave; Infinity before the handshake is over. */
export function pacingRate(sf: Subflow, size: u32): f64 {
  if (sf.paceWindow == 0) return Infinity;
  // Without a round trip the rate is that of an eighth of a microsecond, as on Linux.
  return (<f64>sf.paceWindow * <f64>size * 1e4) / (sf.srtt > 0 ? sf.srtt : 0.125);
}

/** Whether the subflow has to wait for its turn. */
@inline
export function paced(sf: Subflow): bool {
  return now < sf.paceAt;
}

/**
 * `octets` left in segments of `size`: the next ones wait for as long as they take at the rate, `most` octets per
 * second at most. What left later than it might have makes half of the wait shorter, for timers are late.
 */
export function pace(sf: Subflow, octets: u32, size: u32, most: f64): void {
  if (sf.dataSegmentsOut < UNPACED) return;
  const rate = min(pacingRate(sf, size), most);
  const wait = (<f64>octets * 1e6) / rate;
  const late = sf.paceAt == 0 ? 0 : max(now - sf.paceAt, 0);
  sf.paceAt = max(sf.paceAt, now) + wait - min(wait / 2, late);
}

/** Has the subflow woken when its turn comes. */
export function paceWake(sf: Subflow): void {
  sf.paceWaits = true;
  deadlineArm(changetype<usize>(sf), sf.heapField, sf.paceAt);
}
