/** Goodput of one connection over the paths given, in virtual time: what tests of schedulers and of congestion control measure. */
import { expect } from 'chai';
import type { SeededRandom } from '../../src/core/random.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { Pair, start } from './pair.js';

const SECOND = 1e6;
const ENDLESS = 1e12;

export interface Load {
  readonly seed: number;
  readonly links: readonly DuplexOptions[];
  /** As much to send the other way. Default false. */
  readonly both?: boolean;
  /** Configuration of both sides. */
  readonly config?: readonly (readonly [number, number])[];
  /** Seconds of virtual time before the measurement and until its end. */
  readonly from: number;
  readonly to: number;
}

/** Bit/s that arrived in the time measured. */
export interface Goodput {
  readonly up: number;
  readonly down: number;
}

export async function goodput({ seed, links, both = false, config = [], from, to }: Load): Promise<Goodput> {
  const pair = await Pair.create({ seed, build: 'release', links, client: config, server: config });
  const { client, server } = start(pair, ENDLESS, both ? ENDLESS : 0);
  const { world } = pair;
  const begin = world.now();
  world.runUntil(begin + from * SECOND, { maxSteps: 50e6 });
  const before = [server.received, client.received] as const;
  world.runUntil(begin + to * SECOND, { maxSteps: 50e6 });
  expect(Math.max(server.mismatch, client.mismatch), 'wrong octets').to.equal(-1);
  const rate = (octets: number): number => (octets * 8) / (to - from);
  return { up: rate(server.received - before[0]), down: rate(client.received - before[1]) };
}

/** The best of the paths alone. */
export async function bestAlone(load: Load): Promise<number> {
  const alone: number[] = [];
  for (const link of load.links) alone.push((await goodput({ ...load, links: [link] })).up);
  return Math.max(...alone);
}

/** Two paths: rates up to 60 Mbit/s, delays from 1 to 150 ms, queues of 0.3 to 3 round trips, half of them lose up to 1 %. */
export function twoPaths(random: SeededRandom): DuplexOptions[] {
  const between = (from: number, to: number): number => from * (to / from) ** random.unit();
  return Array.from({ length: 2 }, () => {
    const rate = between(1e6, 60e6);
    const delay = between(1000, 150_000);
    const product = (rate / 8e6) * 2 * delay;
    const loss = random.unit() < 0.5 ? 0 : random.unit() * 0.01;
    return { rate, delay, queue: Math.max(3100, product * between(0.3, 3)), loss };
  });
}
