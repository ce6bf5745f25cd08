/**
 * What congestion control knows about one path. The subflow record extends it; the algorithms see this and the
 * numbers of an event, never a packet. Windows in segments, times in microseconds, volumes in octets.
 */

/** "No threshold yet": slow start until the first loss. */
export const SSTHRESH_INFINITE: u32 = 0x7fffffff;

@unmanaged
export class CcState {
  /** Next path of the same connection; the list is circular, a lone path links to itself. */
  next: CcState;

  /** Smoothed round trip, its variation, and the least one (RFC 6298, RFC 8985); 0 without a sample. */
  srtt: f64;
  rttvar: f64;
  minRtt: f64;

  cwnd: u32;
  ssthresh: u32;
  /** Part of a segment by which the window is above (below, when negative) `cwnd`, for the coupled algorithms. */
  cwndCredit: f64;
  /** Segments acknowledged in congestion avoidance that have not grown the window yet, for Reno and CUBIC. */
  cwndCount: u32;
  mss: u32;

  /** One of ids.ts. */
  algorithm: u8;
  /** Counts in the sums of the coupled algorithms: established, neither stale nor an unused backup. */
  usable: bool;
  /** Fast recovery runs: PRR owns `cwnd`. */
  inRecovery: bool;
  /** The window, not the application or the peer, held sending back in the latest round trip. */
  cwndLimited: bool;
  /** Most segments outstanding in the latest round trip, where the window did not hold sending back. */
  maxPacketsOut: u32;

  /** Segments still to be acknowledged until a round trip has passed (wVegas, HyStart++). */
  roundLeft: u32;

  // CUBIC, RFC 9438 section 4.1, see cubic.ts
  /** Start of the congestion avoidance stage; negative: none. */
  epochStart: f64;
  /** Time of the latest ACK, to take application-limited time out of the stage. */
  lastAckAt: f64;
  /** Window before the latest reduction, 0: unknown. */
  wMax: u32;
  /** The plateau of the curve, and when it is reached, in units of 1/1024 s from the start of the stage. */
  origin: u32;
  k: f64;
  /** The window that Reno would have, and segments acknowledged towards its next one. */
  renoWindow: u32;
  renoCount: u32;
  /** Segments acknowledged for one more of the window; when it was computed, and for which window. */
  perSegment: u32;
  perSegmentAt: f64;
  perSegmentFor: u32;
  /** The same before the latest reduction, for a loss that proves spurious (section 4.9). */
  undoEpochStart: f64;
  undoWMax: u32;
  undoOrigin: u32;
  undoK: f64;
  undoRenoWindow: u32;

  // HyStart++, RFC 9406 section 4.2
  roundMinRtt: f64;
  lastRoundMinRtt: f64;
  /** Least round trip when conservative slow start began; 0: ordinary slow start. */
  cssBaselineMinRtt: f64;
  roundSamples: u32;
  cssRounds: u32;

  // LIA: the window in the mean of many round trips of congestion avoidance; 0: there were none yet
  meanWindow: f64;

  // OLIA: octets acknowledged since the latest loss, and between the two before it
  oliaSinceLoss: f64;
  oliaBetweenLosses: f64;

  // wVegas
  vegasBaseRtt: f64;
  vegasRttSum: f64;
  vegasRttCount: u32;
  /** Segments that this path may keep in queues. */
  vegasAlpha: u32;
  /** Rate at the latest weight update, segments per microsecond; 0: none. */
  vegasRate: f64;
  /** Least queueing delay since the queues were drained; 0: none. */
  vegasQueueDelay: f64;
}
