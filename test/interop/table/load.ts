/** How much longer things may take here than on a machine with nothing else to do. */
import { availableParallelism, loadavg } from 'node:os';

/** Tasks per processor in the last minute, at least 1. */
export function slowness(): number {
  const [load = 0] = loadavg();
  return Math.max(1, load / availableParallelism());
}
