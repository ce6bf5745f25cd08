/** Counters under the kernel's MIB names, straight from the names in assembly/mib.ts. */
import * as mib from '../../assembly/mib.js';
import type { Core } from './core.js';

const PREFIX = 'MIB_';
const NAMES: readonly (readonly [string, number])[] = Object.entries(mib)
  .filter(([name]) => name.startsWith(PREFIX) && name !== 'MIB_COUNT')
  .map(([name, id]) => [name.slice(PREFIX.length), id] as const);

export function readCounters(core: Core): Record<string, number> {
  const result: Record<string, number> = {};
  for (const [name, id] of NAMES) result[name] = core.counter(id);
  return result;
}
