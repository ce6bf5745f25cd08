/**
 * Round-trip estimation and the retransmission timeout (RFC 6298) as Linux does it: the variance part is at least 200
 * ms, follows larger deviations at once and smaller ones once in a round trip, and falls slowly with round trips that
 * get shorter; windowed minimum for RACK.
 */
import { now } from '../host';
import { seqDiff, seqGt } from '../seq';
import { Subflow } from './subflow';

/** Microseconds. */
export const RTO_INITIAL: f64 = 1e6;
export const RTO_MIN: f64 = 200e3;
const RTO_FALLBACK: f64 = 3e6;
export const RTO_MAX: f64 = 120e6;
const MIN_RTT_WINDOW: f64 = 300e6;

/** Takes one sample in microseconds. */
export function rttSample(sf: Subflow, sample: f64): void {
  if (sample < 1) sample = 1;
  if (sf.srtt == 0) {
    sf.srtt = sample;
    sf.rttvar = sample / 2;
    sf.rttBound = sf.rttMaxVar = max(4 * sf.rttvar, RTO_MIN);
    sf.rttRound = sf.sndNxt;
  } else {
    const error = sample - sf.srtt;
    let grown = Math.abs(error) - sf.rttvar;
    if (error < 0 && grown > 0) grown /= 8; // a round trip that got shorter is no reason to wait longer
    sf.rttvar += grown / 4;
    sf.srtt += error / 8;
    sf.rttMaxVar = max(sf.rttMaxVar, 4 * sf.rttvar);
    sf.rttBound = max(sf.rttBound, sf.rttMaxVar);
    if (seqGt(sf.sndUna, sf.rttRound)) {
      sf.rttBound -= (sf.rttBound - sf.rttMaxVar) / 4;
      sf.rttRound = sf.sndNxt;
      sf.rttMaxVar = RTO_MIN;
    }
  }
  sf.rto = min(sf.srtt + sf.rttBound, RTO_MAX);
  sf.backoff = 0;
}

/** The handshake gave no sample, for a SYN was repeated: the next timeout is a long one (RFC 6298 section 5.7). */
export function noRttSample(sf: Subflow): void {
  sf.rto = RTO_FALLBACK;
  sf.rttvar = RTO_FALLBACK / 4;
}

/** The smallest sample of the last five minutes, forgotten at once then: paths change rarely. */
export function minRttSample(sf: Subflow, sample: f64): void {
  if (sf.minRtt == 0 || sample <= sf.minRtt || now - sf.minRttAt > MIN_RTT_WINDOW) {
    sf.minRtt = max(sample, 1);
    sf.minRttAt = now;
  }
}

/**
 * Data of at least a full segment came: how long ago its sender was told what it echoes. Coarse, but a receiver that
 * sends nothing has no other measure (Linux' tcp_rcv_rtt_measure_ts). A sender that paused looks slow: one step only.
 */
export function receiverRttSample(sf: Subflow, echo: u32): void {
  if (echo == sf.rcvRttEcho) return;
  sf.rcvRttEcho = echo;
  const elapsed = seqDiff(tsNow(sf), echo);
  if (elapsed < 0 || elapsed > 60_000) return;
  const known = sf.rcvRtt != 0 ? sf.rcvRtt : sf.srtt;
  const sample = max(<f64>elapsed * 1000, 1000);
  sf.rcvRtt = known == 0 ? sample : known + (min(sample, 2 * known + 1000) - known) / 8;
}

/** The timeout with its back-off, microseconds. */
export function currentRto(sf: Subflow): f64 {
  return min(sf.rto * <f64>(1 << min<u32>(sf.backoff, 16)), RTO_MAX);
}

/** Milliseconds of the timestamp clock (RFC 7323 section 5.4). */
@inline
export function tsNow(sf: Subflow): u32 {
  return tsAt(sf, now);
}

/** The same at another time, microseconds. */
@inline
export function tsAt(sf: Subflow, time: f64): u32 {
  return <u32>(<u64>(time / 1000)) + sf.tsOffset;
}
