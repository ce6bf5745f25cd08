/** Paths in virtual time under the core's congestion control: round trips and losses, no packets. */
import type { Probe } from './probe.js';

export const MSS = 1460;
export const INFINITE = 0x7fffffff;
export const SECOND = 1e6;
export const RTT = 50_000;

/** One path alone, in congestion avoidance at `cwnd`. */
export function lonePath(p: Probe, algorithm: number, cwnd: number, srtt = RTT): void {
  p.x.ccPaths(1, algorithm, MSS);
  p.x.ccPlace(0, cwnd, srtt);
}

/** Acknowledges the path's whole window, segment by segment, spread over a round trip that begins at `now`. */
export function round(p: Probe, now: number, rtt = RTT): void {
  const window = p.x.ccCwnd(0);
  for (let i = 0; i < window; i++) p.x.ccAck(0, 1, MSS, rtt, window, now + ((i + 1) * rtt) / window);
}

/** A loss with a full window in flight, recovered at once. */
export function loseAndRecover(p: Probe): void {
  p.x.ccLoss(0);
  p.x.ccSetCwnd(0, p.x.ccSsthresh(0));
  p.x.ccRecoveryExit(0);
}

export interface PathModel {
  /** Round trip without queues, microseconds. */
  rtt: number;
  /** Probability that a segment is lost. */
  loss?: number;
  /** Bottleneck in segments per second; the excess of the window over its bandwidth-delay product is queued. */
  rate?: number;
}

interface RunningPath extends PathModel {
  nextRound: number;
  recovering: boolean;
  delivered: number;
  /** Segments times seconds in the queue. */
  queued: number;
}

export class SimulatedPaths {
  readonly #probe: Probe;
  readonly #paths: RunningPath[];
  readonly #first: number;
  #random = 0x2545f491;
  #now = 0;

  /** Runs the probe's paths from index `first` on. */
  constructor(probe: Probe, models: PathModel[], first = 0) {
    this.#probe = probe;
    this.#first = first;
    this.#paths = models.map((model) => ({
      ...model,
      nextRound: model.rtt,
      recovering: false,
      delivered: 0,
      queued: 0,
    }));
    models.forEach((model, i) => {
      probe.x.ccSetSrtt(first + i, model.rtt);
    });
  }

  /** Runs until `end` microseconds. */
  run(end: number): void {
    for (;;) {
      const i = this.#paths.reduce(
        (best, path, k) => (path.nextRound < (this.#paths[best]?.nextRound ?? Infinity) ? k : best),
        0,
      );
      const path = this.#paths[i];
      if (path === undefined || path.nextRound > end) return;
      this.#now = path.nextRound;
      path.nextRound += this.#round(this.#first + i, path);
    }
  }

  /** Forgets what was delivered so far: the start is over. */
  reset(): void {
    for (const path of this.#paths) {
      path.delivered = 0;
      path.queued = 0;
    }
  }

  /** Segments delivered, by path. */
  get delivered(): number[] {
    return this.#paths.map((path) => path.delivered);
  }

  /** Mean queue over `time` microseconds, by path. */
  meanQueue(time: number): number[] {
    return this.#paths.map((path) => path.queued / time);
  }

  /** One window goes out and is acknowledged, segment by segment; returns the round trip it took. */
  #round(i: number, path: RunningPath): number {
    const { x } = this.#probe;
    if (path.recovering) {
      path.recovering = false;
      x.ccRecoveryExit(i);
    }
    const window = x.ccCwnd(i);
    const queue = path.rate === undefined ? 0 : Math.max(0, window - (path.rate * path.rtt) / 1e6);
    const rtt = path.rtt + (path.rate === undefined ? 0 : (queue / path.rate) * 1e6);
    x.ccSetSrtt(i, rtt);
    let lost = false;
    for (let segment = 0; segment < window; segment++) {
      if (this.#uniform() < (path.loss ?? 0)) lost = true;
      else x.ccAck(i, 1, MSS, rtt, window, this.#now + (rtt * segment) / window);
    }
    path.delivered += window;
    path.queued += queue * rtt;
    if (lost) {
      x.ccLoss(i);
      x.ccSetCwnd(i, x.ccSsthresh(i));
      path.recovering = true;
    }
    return rtt;
  }

  /** xorshift32. */
  #uniform(): number {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    return (this.#random >>> 0) / 2 ** 32;
  }
}
