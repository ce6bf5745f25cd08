/** How fast a connection sends and how much it holds: options of host, connection and server, as the core takes them. */
import * as abi from '../../assembly/abi.js';
import type { Settings } from '../core/core.js';
import { PlaitError } from '../errors.js';
import type { FlowOptions } from './types.js';

/** Octets of the smallest and the largest ring (assembly/config.ts). */
const LEAST_BUFFER = 4096;
const MOST_BUFFER = 2 ** 28;
/** Octets per second: as fast as the path takes it, evenly. */
const MOST_RATE = 2 ** 31 - 1;

/** Settings of a connection (OPT_*), for what is given. Throws EINVAL. */
export function flowSettings(options: FlowOptions): Settings {
  const { pacing, sendBuffer, receiveBuffer } = options;
  return [
    ...(pacing === undefined ? [] : [[abi.OPT_MAX_PACING_RATE, pacingRate(pacing)] as const]),
    ...(sendBuffer === undefined ? [] : [[abi.OPT_SNDBUF_MAX, ringSize('sendBuffer', sendBuffer)] as const]),
    ...(receiveBuffer === undefined
      ? []
      : [[abi.OPT_RCVBUF_MAX, ringSize('receiveBuffer', receiveBuffer)] as const]),
  ];
}

/** The same for every connection of a host (CFG_*). Throws EINVAL. */
export function flowConfig(options: FlowOptions): [number, number][] {
  return flowSettings(options).map(([option, value]) => [CONFIG[option] as number, value]);
}

function pacingRate(pacing: boolean | number): number {
  if (typeof pacing === 'boolean') return pacing ? MOST_RATE : 0;
  if (Number.isInteger(pacing) && pacing >= 1 && pacing <= MOST_RATE) return pacing;
  throw new PlaitError(
    'EINVAL',
    `pacing is ${pacing}; give true, false, or octets per second from 1 to ${MOST_RATE}`,
  );
}

/** Rings are powers of two: at least what was asked for. */
function ringSize(name: string, octets: number): number {
  if (Number.isInteger(octets) && octets >= 1 && octets <= MOST_BUFFER) {
    return Math.max(LEAST_BUFFER, 2 ** Math.ceil(Math.log2(octets)));
  }
  throw new PlaitError('EINVAL', `${name} is ${octets}; give octets from 1 to ${MOST_BUFFER}`);
}

const CONFIG: Readonly<Record<number, number>> = {
  [abi.OPT_MAX_PACING_RATE]: abi.CFG_MAX_PACING_RATE,
  [abi.OPT_SNDBUF_MAX]: abi.CFG_SNDBUF_MAX,
  [abi.OPT_RCVBUF_MAX]: abi.CFG_RCVBUF_MAX,
};
