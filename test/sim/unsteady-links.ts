/** Links with every fault that links have. */
import type { DuplexOptions } from '../../src/io/memory.js';

export const UNSTEADY_LINKS: readonly DuplexOptions[] = [
  { rate: 20e6, delay: 10_000, jitter: 3000, loss: 0.02, reorder: 0.02, duplicate: 0.01, queue: 100_000 },
  { rate: 8e6, delay: 40_000, loss: 0.01, corrupt: 0.01, queue: 100_000 },
];
