/** Local ports for subflows that this host opens. */
import { E_INUSE } from '../../assembly/abi.js';
import type { PlaitError } from '../errors.js';
import type { PathEntry } from './path-table.js';

/** Ports that are tried for a subflow. */
const TRIES = 64;

/**
 * Binds a port, 0: one that the device chooses, and opens a subflow from it. From a chosen one a subflow to the same peer
 * may be in TIME-WAIT: then another is tried, as on Linux, and that one is held meanwhile. `done` gets what `open`
 * returned, a negative code if it could not; then nothing is bound.
 */
export function fromFreePort(
  { path: { id }, device }: PathEntry,
  wanted: number,
  open: (port: number) => number,
  done: (error: PlaitError | null, port: number, result: number) => void,
): void {
  const useless: number[] = [];
  const attempt = (): void => {
    device.bind(id, wanted, (error, port) => {
      const result = error === null ? open(port) : 0;
      if (result < 0) useless.push(port);
      if (result === E_INUSE && wanted === 0 && useless.length < TRIES) {
        attempt();
        return;
      }
      for (const one of useless) device.unbind(id, one);
      done(error, port, result);
    });
  };
  attempt();
}
