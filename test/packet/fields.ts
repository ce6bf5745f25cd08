/** Segments as tests write and read them: numbers relative to each side's SYN and IDSN. */
import type { AddAddr, Capable, Dss, Join, TcpRst } from './options.js';
import type { TcpOptions } from './segment.js';

/** DSS with relative numbers. */
export interface RelativeDss extends Omit<Dss, 'dack' | 'dsn'> {
  dack?: number;
  dsn?: number;
}

export interface Fields extends TcpOptions {
  flags?: string;
  seq?: number;
  ack?: number;
  window?: number;
  tos?: number;
  data?: string;
  capable?: Capable | null;
  join?: Join | null;
  dss?: RelativeDss | null;
  add?: AddAddr | null;
  remove?: number[] | null;
  prio?: boolean | null;
  /** Relative data sequence number. */
  fail?: number | null;
  fastclose?: bigint | null;
  reset?: TcpRst | null;
  raw?: string;
}

/** A packet of the stack with relative numbers. */
export interface Seen extends Required<Fields> {
  length: number;
  time: number;
  path: number;
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  packetLength: number;
  optionLength: number;
}
/** What a test wants of a packet: the fields it names, nested ones in part. */
export type Wanted = { [K in keyof Seen]?: Seen[K] | Partial<Seen[K]> | null };

/** One line about a packet, for messages. */
export function summary(seen: Seen): string {
  const set = Object.entries(seen).filter(
    ([key, value]) => value !== null && key !== 'raw' && key !== 'data',
  );
  return JSON.stringify(Object.fromEntries(set), (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString(16) : value,
  );
}
