/** Two links of a known rate: together they carry more than either. Judged by the share of both, not by time. */
import type { Case } from '../case.js';

const family = 'simult_flows';
const SIZE = 3 << 20;

const SHAPES = [
  // One link alone is half of them; headers take a twentieth.
  ['balanced bwidth', [10, 10], 0.55, [0.3, 0.7]],
  // Linux itself leaves up to half of these unused.
  ['unbalanced bwidth', [10, 3], 0.4, [0.1, 0.5]],
] as const;
const DIRECTIONS = [
  ['', SIZE, 0],
  [' - reverse direction', 0, SIZE],
  [' - both directions', SIZE, SIZE],
] as const;

export const simultFlows: readonly Case[] = SHAPES.flatMap(([shape, rates, share, second]) =>
  DIRECTIONS.map(([direction, up, down]): Case => ({
    family,
    name: shape + direction,
    rates,
    client: { send: up, subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
    server: { send: down, subflows: 1 },
    expect: { joins: 1, used: 2, share, second },
  })),
);
