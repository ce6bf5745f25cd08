/**
 * Schedulers: which subflow carries the next octets. A scheduler sees the subflows of one connection and names
 * one that can send now, or none.
 */
import { minRtt } from './minrtt';

/** The subflow to send on, 0 for none. `first` starts the list; `avoid` is a handle, 0 for none. */
@inline
export function pickSubflow(first: usize, avoid: u32): usize {
  return minRtt(first, avoid);
}
