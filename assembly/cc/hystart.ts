/**
 * HyStart++ (RFC 9406): leaves the first slow start when the round trip grows, before the queue overflows. A round
 * is what was in flight at its start. Increases have no limit per ACK (the RFC's L): devices hand up ACKs that
 * cover whole offloaded bursts. Everything but Reno begins with it (wVegas has its own): a coupled path that loses half
 * a window at its start needs minutes to have it back.
 */
import { CcState, SSTHRESH_INFINITE } from './state';
import { addCredit } from './window';

const MIN_RTT_THRESH: f64 = 4000;
const MAX_RTT_THRESH: f64 = 16000;
const MIN_RTT_DIVISOR: f64 = 8;
const N_RTT_SAMPLE: u32 = 8;
const CSS_GROWTH_DIVISOR: f64 = 4;
const CSS_ROUNDS: u32 = 5;

export function hystartInit(c: CcState): void {
  c.roundLeft = 0;
  c.roundMinRtt = Infinity;
  c.lastRoundMinRtt = Infinity;
  c.cssBaselineMinRtt = 0;
  c.roundSamples = 0;
  c.cssRounds = 0;
}

/** Section 4.2 applies to the first slow start only. */
export function hystartApplies(c: CcState): bool {
  return c.ssthresh == SSTHRESH_INFINITE;
}

/** Grows the window for `acked` segments; `flightAfter` segments stay in flight. May set ssthresh. */
export function hystartOnAck(c: CcState, acked: u32, rtt: f64, flightAfter: u32): void {
  if (rtt >= 0) {
    c.roundMinRtt = min(c.roundMinRtt, rtt);
    c.roundSamples++;
  }
  if (c.cssBaselineMinRtt == 0) {
    if (c.cwndLimited) c.cwnd += acked;
    enterConservative(c);
  } else {
    if (c.cwndLimited) addCredit(c, <f64>acked / CSS_GROWTH_DIVISOR);
    // The growth was jitter: back to ordinary slow start.
    if (c.roundSamples >= N_RTT_SAMPLE && c.roundMinRtt < c.cssBaselineMinRtt) c.cssBaselineMinRtt = 0;
  }
  if (c.roundLeft > acked) c.roundLeft -= acked;
  else nextRound(c, flightAfter);
}

function enterConservative(c: CcState): void {
  if (c.roundSamples < N_RTT_SAMPLE || c.lastRoundMinRtt == Infinity) return;
  const threshold = max(MIN_RTT_THRESH, min(c.lastRoundMinRtt / MIN_RTT_DIVISOR, MAX_RTT_THRESH));
  if (c.roundMinRtt < c.lastRoundMinRtt + threshold) return;
  c.cssBaselineMinRtt = c.roundMinRtt;
  c.cssRounds = 0;
}

function nextRound(c: CcState, flightAfter: u32): void {
  c.roundLeft = flightAfter;
  c.lastRoundMinRtt = c.roundMinRtt;
  c.roundMinRtt = Infinity;
  c.roundSamples = 0;
  if (c.cssBaselineMinRtt == 0) return;
  c.cssRounds++;
  if (c.cssRounds >= CSS_ROUNDS) c.ssthresh = c.cwnd;
}
