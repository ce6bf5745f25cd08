import { PlaitError } from '../errors.js';

/** Throws EINVAL for what is no port number from `least` on. */
export function checkPort(port: number, least: 0 | 1): void {
  if (Number.isInteger(port) && port >= least && port <= 65535) return;
  throw new PlaitError('EINVAL', `port ${port} is not between ${least} and 65535`);
}
