/** What peers may make a host hold: limits by name, their numbers in the core, and what they can be. */
import * as abi from '../../assembly/abi.js';
import { PlaitError } from '../errors.js';
import type { ResourceLimits } from './types.js';

type Row = readonly [key: number, least: number, most: number];

const LIMITS: Readonly<Record<keyof ResourceLimits, Row>> = {
  memory: [abi.CFG_MEMORY_MAX, 2 ** 23, 2 ** 31],
  heldPerConnection: [abi.CFG_HELD_MAX, 0x800, 2 ** 28],
  held: [abi.CFG_HELD_STACK_MAX, 0x800, 2 ** 30],
  ranges: [abi.CFG_RANGES_MAX, 1, 65536],
  mappings: [abi.CFG_MAPPINGS_MAX, 1, 65536],
  signals: [abi.CFG_SIGNALS_MAX, 1, 65536],
  reinjections: [abi.CFG_REINJECTIONS_MAX, 1, 2 ** 20],
  segments: [abi.CFG_RECORDS_MAX, 2, 2 ** 20],
  privateCopies: [abi.CFG_PRIVATE_MAX, 65536, 2 ** 30],
  timeWait: [abi.CFG_TIME_WAIT_MAX, 1, 2 ** 18],
  halfOpen: [abi.CFG_HALF_OPEN_MAX, 1, 65536],
  pendingJoins: [abi.CFG_PENDING_JOINS_MAX, 1, 65536],
  resetsPerSecond: [abi.CFG_RST_RATE, 0, 1e6],
};

/** The core's settings for these limits. Throws EINVAL for a name or value that there is not. */
export function resourceConfig(limits: Partial<ResourceLimits>): [number, number][] {
  return Object.entries(limits).map(([name, value]) => {
    const row = Object.hasOwn(LIMITS, name) ? LIMITS[name as keyof ResourceLimits] : undefined;
    if (row === undefined) {
      throw new PlaitError('EINVAL', `no limit "${name}"; there are ${Object.keys(LIMITS).join(', ')}`);
    }
    const [key, least, most] = row;
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new PlaitError('EINVAL', `limit ${name} is ${value}; give an integer from ${least} to ${most}`);
    }
    return [key, value];
  });
}
