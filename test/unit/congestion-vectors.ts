/**
 * Vectors of the coupled algorithms. The core computes in f64, in the form of the RFC, the draft or the paper; the
 * columns of Linux' integer arithmetic (linux_*, acks_per_increment_*) belong to another form and are not compared.
 */
import { expect } from 'chai';
import { CC_BALIA, CC_LIA, CC_OLIA, CC_RENO, CC_WVEGAS } from '../../assembly/cc/ids.js';
import type { Probe } from './probe.js';
import type { StepVector, Vectors } from './vectors.js';

const MSS = 1460;
const TOLERANCE = 1e-9;

function place(p: Probe, algorithm: number, windows: number[], rtts: number[]): void {
  p.x.ccPaths(windows.length, algorithm, MSS);
  windows.forEach((cwnd, i) => {
    p.x.ccPlace(i, cwnd, (rtts[i] ?? 0) * 1e6);
  });
}

function checkIncreases(p: Probe, vector: StepVector): void {
  vector.increase_per_acked_pkt.forEach((increase, i) => {
    expect(p.x.ccIncrease(i)).to.be.closeTo(increase, TOLERANCE);
  });
  // The same numbers drive the window: one acknowledged segment moves it by that much.
  vector.increase_per_acked_pkt.forEach((increase, i) => {
    const cwnd = vector.cwnd_pkts[i] ?? 0;
    p.x.ccAck(i, 1, MSS, -1, cwnd, 0);
    const moved = p.x.ccWindow(i) - cwnd;
    expect(moved).to.be.closeTo(Math.max(increase, 1 - cwnd), TOLERANCE);
    p.x.ccPlace(i, cwnd, (vector.rtt_s[i] ?? 0) * 1e6);
  });
}

export function checkLia(p: Probe, vector: Vectors['lia_steps'][number]): void {
  place(p, CC_LIA, vector.cwnd_pkts, vector.rtt_s);
  expect(p.x.ccAlpha(0)).to.be.closeTo(vector.alpha, TOLERANCE);
  checkIncreases(p, vector);
  vector.cwnd_pkts.forEach((cwnd, i) => {
    const which = p.x.ccIncrease(i) < 1 / cwnd ? 'coupled' : 'uncoupled';
    expect(which).to.equal(vector.which[i]);
  });
  vector.cwnd_pkts.forEach((_, i) => {
    p.x.ccLoss(i);
    expect(p.x.ccSsthresh(i)).to.equal(vector.after_loss[i]);
  });
}

export function checkOlia(p: Probe, vector: Vectors['olia_steps'][number]): void {
  const collected = vector.B.filter((i) => !vector.M.includes(i));
  for (const lossBetween of [false, true]) {
    place(p, CC_OLIA, vector.cwnd_pkts, vector.rtt_s);
    // l is the larger of the octets since the latest loss and those before it.
    vector.l_bytes.forEach((octets, i) => {
      p.x.ccAck(i, 0, octets, -1, 0, 0);
      if (lossBetween) {
        p.x.ccLoss(i);
        p.x.ccRecoveryExit(i);
        p.x.ccPlace(i, vector.cwnd_pkts[i] ?? 0, (vector.rtt_s[i] ?? 0) * 1e6);
      }
    });
    vector.alpha.forEach((alpha, i) => {
      expect(p.x.ccAlpha(i)).to.be.closeTo(alpha, TOLERANCE);
      if (collected.length > 0) expect(p.x.ccAlpha(i) < 0).to.equal(vector.M.includes(i));
      expect(p.x.ccAlpha(i) > 0).to.equal(collected.includes(i));
    });
    vector.increase_per_acked_pkt.forEach((increase, i) => {
      expect(p.x.ccIncrease(i)).to.be.closeTo(increase, TOLERANCE);
    });
  }
}

export function checkBalia(p: Probe, vector: Vectors['balia_steps'][number]): void {
  place(p, CC_BALIA, vector.cwnd_pkts, vector.rtt_s);
  vector.alpha.forEach((alpha, i) => {
    expect(p.x.ccAlpha(i)).to.be.closeTo(alpha, TOLERANCE);
  });
  checkIncreases(p, vector);
  vector.cwnd_pkts.forEach((cwnd, i) => {
    expect(p.x.baliaDecrease(cwnd, p.x.ccAlpha(i))).to.be.closeTo(vector.decrease_pkts[i] ?? NaN, TOLERANCE);
  });
  vector.cwnd_pkts.forEach((_, i) => {
    place(p, CC_BALIA, vector.cwnd_pkts, vector.rtt_s);
    p.x.ccLoss(i);
    // ssthresh is a whole number, and at least two segments (RFC 5681); the vector's floor is one.
    const after = Math.max(2, Math.floor((vector.cwnd_after_loss[i] ?? NaN) + TOLERANCE));
    expect(p.x.ccSsthresh(i)).to.equal(after);
  });
}

export function checkWvegas(p: Probe, vector: Vectors['wvegas_steps'][number]): void {
  const { result } = vector;
  p.x.ccPaths(1 + vector.other_instant_rates_q16.length, CC_WVEGAS, MSS);
  p.x.ccPlace(0, vector.cwnd, vector.rtt_us);
  p.x.vegasPlace(0, vector.base_rtt_us, vector.alpha_in, vector.queue_delay_in_us);
  vector.other_instant_rates_q16.forEach((rate, i) => {
    p.x.vegasSetRate(1 + i, rate / 65536);
  });
  expect(p.x.wvegasQueued(vector.cwnd, vector.base_rtt_us, vector.rtt_us)).to.equal(result.diff);
  p.x.vegasRound(0, vector.rtt_us);
  expect(p.x.ccCwnd(0)).to.equal(result.cwnd);
  expect(p.x.vegasAlpha(0)).to.equal(result.alpha);
  expect(p.x.vegasQueueDelay(0)).to.equal(result.queue_delay_us);
  expect(p.x.vegasQueueDelay(0) === 0).to.equal(result.drained);
  expect(Math.floor(p.x.vegasRate(0) * 65536)).to.equal(result.instant_rate_q16 ?? 0);
}

/**
 * Balance of increase and decrease. The windows of the vectors are fractions and cwnd is whole; all increases are
 * homogeneous of degree -1 in the windows, so the windows are taken a million times as large.
 */
const SCALE = 1e6;
const BALANCED = 1e-4;

/** Per round trip: `window` acknowledgements increase, `window * loss` losses halve (small loss rates). */
function balance(increase: number, window: number, loss: number): number {
  return (window * increase * SCALE) / ((window * loss * window) / 2);
}

function scaled(window: number): number {
  return Math.max(1, Math.round(window * SCALE));
}

export function checkEquilibrium(p: Probe, vector: Vectors['cc_equilibrium'][number]): void {
  const { loss, rtt_s: rtts } = vector;
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
  const rates = (windows: number[]): number[] => windows.map((window, i) => window / (rtts[i] ?? NaN));

  // Uncoupled: each path carries what a TCP of its own would.
  const tcpWindows = vector.tcp_rate_pkts.map((rate, i) => rate * (rtts[i] ?? NaN));
  place(p, CC_RENO, tcpWindows.map(scaled), rtts);
  tcpWindows.forEach((window, i) => {
    expect(balance(p.x.ccIncrease(i), window, loss[i] ?? NaN)).to.be.closeTo(1, BALANCED);
  });
  // Equally weighted TCP is no algorithm of ours; its column follows from the TCP rates.
  expect(sum(vector.tcp_rate_pkts) / loss.length).to.be.closeTo(vector.ewtcp_total_a_1_over_n2, 1e-6);

  place(p, CC_LIA, vector.lia_window.map(scaled), rtts);
  vector.lia_window.forEach((window, i) => {
    expect(balance(p.x.ccLinked(i), window, loss[i] ?? NaN)).to.be.closeTo(1, BALANCED);
    // The listed windows leave the cap of RFC 6356 section 3 out of account. Where they exceed what a TCP has on
    // the path, the cap lets the path shrink; everywhere else they are the equilibrium of the whole algorithm.
    const whole = balance(p.x.ccIncrease(i), window, loss[i] ?? NaN);
    expect(whole).to.be.closeTo(Math.min(1, ((tcpWindows[i] ?? NaN) / window) ** 2), BALANCED);
  });
  rates(vector.lia_window).forEach((rate, i) => {
    expect(rate).to.be.closeTo(vector.lia_rate[i] ?? NaN, 1e-6);
  });
  expect(sum(rates(vector.lia_window))).to.be.closeTo(vector.lia_total, 1e-6);
  expect(vector.lia_total).to.be.closeTo(Math.max(...vector.tcp_rate_pkts), 1e-6);

  // OLIA uses the best paths only, and shares the rate of one TCP among equals.
  const best = Math.max(...vector.tcp_rate_pkts);
  const isBest = vector.tcp_rate_pkts.map((rate) => rate > best * (1 - TOLERANCE));
  const share = isBest.filter(Boolean).length;
  const oliaWindows = tcpWindows.map((window, i) => (isBest[i] === true ? window / share : 0));
  place(p, CC_OLIA, oliaWindows.map(scaled), rtts);
  loss.forEach((rate, i) => {
    p.x.ccAck(i, 0, MSS / rate, -1, 0, 0);
  });
  oliaWindows.forEach((window, i) => {
    if (isBest[i] !== true) return;
    expect(balance(p.x.ccIncrease(i), window, loss[i] ?? NaN)).to.be.closeTo(1, BALANCED);
  });
  expect(sum(rates(oliaWindows))).to.be.closeTo(vector.olia_total, 1e-6);
}
