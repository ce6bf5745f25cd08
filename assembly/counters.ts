/** Counters under the kernel's MIB names (abi.ts); TypeScript reads the array where it lies. */
import { MIB_COUNT } from './mib';

export const counters = memory.data(8 * MIB_COUNT, 8);

@inline
export function count(id: i32): void {
  const at = counters + (<usize>id << 3);
  store<u64>(at, load<u64>(at) + 1);
}

@inline
export function countBy(id: i32, n: u64): void {
  const at = counters + (<usize>id << 3);
  store<u64>(at, load<u64>(at) + n);
}

/** For gauges such as MPCurrEstab. */
@inline
export function uncount(id: i32): void {
  const at = counters + (<usize>id << 3);
  store<u64>(at, load<u64>(at) - 1);
}

export function clearCounters(): void {
  memory.fill(counters, 0, MIB_COUNT * 8);
}
