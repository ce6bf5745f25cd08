/** Two links of a known rate: together they carry more than either. Judged by the share of both, not by time. */
import type { Case } from '../case.js';
import { box } from '../steps.js';

const family = 'simult_flows';
const SIZE = 3 << 20;

/** One link alone is half of them; headers take a twentieth. */
const EQUAL = { rates: [10, 10], share: 0.55, second: [0.2, 0.8] } as const;
/** Linux itself leaves up to half of these unused. */
const UNEQUAL = { rates: [10, 3], share: 0.4, second: [0.1, 0.5] } as const;
/** `delays` in milliseconds, of either way over a link. */
const SHAPES = [
  { shape: 'balanced bwidth', ...EQUAL, delays: [] },
  { shape: 'balanced bwidth with unbalanced delay', ...EQUAL, delays: [1, 25] },
  { shape: 'unbalanced bwidth', ...UNEQUAL, delays: [] },
  { shape: 'unbalanced bwidth with unbalanced delay', ...UNEQUAL, delays: [1, 25] },
  { shape: 'unbalanced bwidth with opposed, unbalanced delay', ...UNEQUAL, delays: [25, 1] },
] as const;
const DIRECTIONS = [
  ['', SIZE, 0],
  [' - reverse direction', 0, SIZE],
  [' - both directions', SIZE, SIZE],
] as const;

export const simultFlows: readonly Case[] = SHAPES.flatMap(({ shape, rates, share, second, delays }) =>
  DIRECTIONS.map(([direction, up, down]): Case => ({
    family,
    name: shape + direction,
    rates,
    before: delays.map((milliseconds, i) => box(i + 1, `delay ${String(milliseconds)}`)),
    client: { send: up, subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
    server: { send: down, subflows: 1 },
    expect: { joins: 1, used: 2, share, second },
  })),
);
