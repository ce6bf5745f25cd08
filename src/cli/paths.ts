/** What each path of a connection has carried. */
import type { ConnectionInfo, SubflowInfo } from '../stack/info.js';

export type Direction = 'sent' | 'received';

export interface PathBytes {
  readonly label: string;
  readonly bytes: number;
}

/**
 * Octets per local address, over all subflows from there. Without a name of its own in `names`, a path is called
 * after its interface, and its address where one interface has several.
 */
export function pathBytes(
  info: ConnectionInfo,
  direction: Direction,
  names: ReadonlyMap<string, string> = NONE,
): PathBytes[] {
  const paths = new Map<string, { name: string; bytes: number }>();
  for (const subflow of info.subflows) {
    const { address } = subflow.local;
    const path = paths.get(address) ?? { name: names.get(address) ?? subflow.pathName, bytes: 0 };
    path.bytes += carried(subflow, direction);
    paths.set(address, path);
  }
  const used = [...paths.values()].map(({ name }) => name);
  return [...paths].map(([address, { name, bytes }]) => ({
    label: used.indexOf(name) === used.lastIndexOf(name) ? name : `${name} ${address}`,
    bytes,
  }));
}

/** "eth0 66 %, wlan0 34 %" */
export function shares(paths: readonly PathBytes[]): string {
  const whole = paths.reduce((sum, { bytes }) => sum + bytes, 0);
  return paths
    .map(({ label, bytes }) => `${label} ${whole > 0 ? Math.round((100 * bytes) / whole) : 0} %`)
    .join(', ');
}

const carried = (subflow: SubflowInfo, direction: Direction): number =>
  direction === 'sent' ? subflow.bytesSent : subflow.bytesReceived;

const NONE: ReadonlyMap<string, string> = new Map();
