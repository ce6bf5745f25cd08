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
  /** Part of a segment by which the window is above (below, when negative) `cwnd`. */
  cwndCredit: f64;
  mss: u32;

  /** One of ids.ts. */
  algorithm: u8;
  /** Counts in the sums of the coupled algorithms: established, neither stale nor an unused backup. */
  usable: bool;
  /** Fast recovery runs: PRR owns `cwnd`. */
  inRecovery: bool;
  /** The window, not the application or the peer, held sending back since the last ACK. */
  cwndLimited: bool;

  /** Segments still to be acknowledged until a round trip has passed (wVegas, HyStart++). */
  roundLeft: u32;

  // CUBIC, RFC 9438 section 4.1
  /** Start of the congestion avoidance stage; negative: none. */
  epochStart: f64;
  /** Time of the latest ACK, to take application-limited time out of the stage. */
  lastAckAt: f64;
  wMax: f64;
  wEst: f64;
  k: f64;
  cwndPrior: f64;
  /** The same before the latest reduction, for a loss that proves spurious (section 4.9). */
  undoEpochStart: f64;
  undoWMax: f64;
  undoWEst: f64;
  undoK: f64;
  undoCwndPrior: f64;

  // HyStart++, RFC 9406 section 4.2
  roundMinRtt: f64;
  lastRoundMinRtt: f64;
  /** Least round trip when conservative slow start began; 0: ordinary slow start. */
  cssBaselineMinRtt: f64;
  roundSamples: u32;
  cssRounds: u32;

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
