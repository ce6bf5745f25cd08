/** Slow start, the same for every algorithm and never coupled (RFC 6356 section 3). */
import { CcState } from './state';

/**
 * Grows the window by the segments acknowledged, up to ssthresh (RFC 5681 section 3.1). RFC 3465's limit per ACK
 * is left out: an ACK may cover a whole offloaded burst. Returns the segments left for congestion avoidance.
 */
export function slowStart(c: CcState, acked: u32): u32 {
  if (c.cwnd >= c.ssthresh) return acked;
  const grown = min(acked, c.ssthresh - c.cwnd);
  c.cwnd += grown;
  return acked - grown;
}
