/** What a simulated link does to packets, and the check of the numbers. */
import { PlaitError } from '../errors.js';

export interface LinkOptions {
  /** Bits per second; 0 (the default) and Infinity mean unlimited. */
  readonly rate?: number;
  /** Propagation delay in microseconds. */
  readonly delay?: number;
  /** Extra delay, uniform in [0, jitter) microseconds. Packets keep their order unless `jitterReorders`. */
  readonly jitter?: number;
  readonly jitterReorders?: boolean;
  /** Octets that may wait behind the packet being transmitted; more are dropped. Default 256 KiB. */
  readonly queue?: number;
  /** Probability that a packet is lost. */
  readonly loss?: number;
  /** Loss in bursts, besides `loss`; null turns it off. */
  readonly burst?: BurstLoss | null;
  /** Probability that a packet is held back by `reorderDelay`, so that later ones overtake it. */
  readonly reorder?: number;
  /** Microseconds; default 10,000. */
  readonly reorderDelay?: number;
  /** Probability that a packet arrives twice. */
  readonly duplicate?: number;
  /** Probability that one bit of a packet, anywhere in it, is flipped. */
  readonly corrupt?: number;
}

/** Gilbert-Elliott model: the link moves between a good and a bad state once per packet. */
export interface BurstLoss {
  /** Probability, per packet, of leaving the good state: 1 / mean length of a good period in packets. */
  readonly toBad: number;
  /** Probability, per packet, of leaving the bad state: 1 / mean length of a bad period in packets. */
  readonly toGood: number;
  /** Probability of losing a packet in the bad state (`LinkOptions.loss` applies in the good one). */
  readonly loss: number;
}

/** Returns its argument. Throws EINVAL for an option out of its range. */
export function checked(options: Required<LinkOptions>): Required<LinkOptions> {
  const { rate, delay, jitter, queue, loss, burst, reorder, reorderDelay, duplicate, corrupt } = options;
  const probabilities = { loss, reorder, duplicate, corrupt };
  const burstProbabilities =
    burst === null ? {} : { toBad: burst.toBad, toGood: burst.toGood, burst: burst.loss };
  for (const [name, value] of Object.entries({ ...probabilities, ...burstProbabilities })) {
    if (!(value >= 0 && value <= 1)) throw invalid(name, value, 'a probability between 0 and 1');
  }
  for (const [name, value] of Object.entries({ delay, jitter, reorderDelay })) {
    if (!(value >= 0 && value < Infinity)) throw invalid(name, value, 'microseconds, not negative');
  }
  if (!(rate >= 0)) throw invalid('rate', rate, 'bits per second, not negative');
  if (!(queue >= 0)) throw invalid('queue', queue, 'octets, not negative');
  return options;
}

function invalid(name: string, value: number, wanted: string): PlaitError {
  return new PlaitError('EINVAL', `link option ${name} is ${String(value)}; it must be ${wanted}`);
}

/** A perfect link without limits. */
export const DEFAULTS: Required<LinkOptions> = {
  rate: 0,
  delay: 0,
  jitter: 0,
  jitterReorders: false,
  queue: 256 * 1024,
  loss: 0,
  burst: null,
  reorder: 0,
  reorderDelay: 10_000,
  duplicate: 0,
  corrupt: 0,
};
