/** Values of socket options, and what of them the core has to know. */
import * as abi from '../../../assembly/abi.js';
import * as cc from '../../../assembly/cc/ids.js';

export interface TimeValue {
  readonly seconds: bigint;
  readonly microseconds: bigint;
}

/** Linux' overhead of one queued segment: `sk_buff`, its shared information, room for headers. */
const SEGMENT_OVERHEAD = 1280;
const UNLIMITED = 0xffffffff;

const DEFER_ACCEPT = '6:9';
const FAST_OPEN = '6:23';
const QUICKACK = '6:12';
const PRIORITY = '1:12';
/** What accepted sockets do not have from their listener. */
const OF_LISTENER: ReadonlySet<string> = new Set([DEFER_ACCEPT, FAST_OPEN, PRIORITY]);

/** Options that the core has, by level and name as numbers, with their number there. */
const CORE: Readonly<Record<string, number>> = {
  '1:9': abi.OPT_KEEPALIVE,
  '1:47': abi.OPT_MAX_PACING_RATE,
  '6:1': abi.OPT_NODELAY,
  '6:2': abi.OPT_MAX_SEGMENT,
  '6:3': abi.OPT_CORK,
  '6:4': abi.OPT_KEEPALIVE_IDLE,
  '6:5': abi.OPT_KEEPALIVE_INTERVAL,
  '6:6': abi.OPT_KEEPALIVE_COUNT,
  '6:7': abi.OPT_SYN_RETRIES,
  '6:8': abi.OPT_FIN_TIMEOUT,
  [DEFER_ACCEPT]: abi.OPT_DEFER_ACCEPT,
  '6:10': abi.OPT_WINDOW_CLAMP,
  [QUICKACK]: abi.OPT_QUICKACK,
  '6:18': abi.OPT_USER_TIMEOUT,
  [FAST_OPEN]: abi.OPT_FAST_OPEN,
  '6:27': abi.OPT_SAVE_SYN,
  '6:30': abi.OPT_FAST_OPEN,
  '6:34': abi.OPT_FAST_OPEN_NO_COOKIE,
};

/** Those of which one counts on the wire, that of IPv4 or that of IPv6. */
const IPV4: Readonly<Record<string, number>> = {
  '0:1': abi.OPT_TOS,
  '0:2': abi.OPT_TTL,
  '0:21': abi.OPT_MIN_TTL,
};
const IPV6: Readonly<Record<string, number>> = {
  '41:16': abi.OPT_TTL,
  '41:67': abi.OPT_TOS,
  '41:73': abi.OPT_MIN_TTL,
};

/** CC_* of assembly/cc/ids.ts. */
const congestionId = (name: string): number | undefined =>
  (cc as Readonly<Record<string, number | undefined>>)[`CC_${name.toUpperCase()}`];

export class SocketOptions {
  /** Integers by "level:name"; those that were never set are absent. */
  readonly #numbers = new Map<string, bigint>();
  sendTimeout: TimeValue = { seconds: 0n, microseconds: 0n };
  receiveTimeout: TimeValue = { seconds: 0n, microseconds: 0n };
  linger: { on: boolean; seconds: number } = { on: false, seconds: 0 };
  /** Doubled, as Linux shows it; null: tuned. */
  sendBuffer: number | null = null;
  receiveBuffer: number | null = null;
  /** null: the host's own. */
  congestion: string | null = null;
  device = '';

  get(level: number, name: number): bigint | undefined {
    return this.#numbers.get(`${level}:${name}`);
  }

  set(level: number, name: number, value: bigint): void {
    this.#numbers.set(`${level}:${name}`, value);
  }

  /** The socket listens from now on: how it acknowledges begins anew. */
  listens(): void {
    this.#numbers.delete(QUICKACK);
  }

  /** Those of a connection that a listener with these accepts. */
  ofAccepted(): SocketOptions {
    const copy = new SocketOptions();
    for (const [key, value] of this.#numbers) if (!OF_LISTENER.has(key)) copy.#numbers.set(key, value);
    const { sendTimeout, receiveTimeout, linger, sendBuffer, receiveBuffer, congestion, device } = this;
    return Object.assign(copy, {
      sendTimeout,
      receiveTimeout,
      linger,
      sendBuffer,
      receiveBuffer,
      congestion,
      device,
    });
  }

  /** For the core, before the first packet. */
  settings(multipath: boolean, v6: boolean): (readonly [number, number])[] {
    const result: [number, number][] = [[abi.OPT_MULTIPATH, multipath ? 1 : 0]];
    for (const [key, value] of this.#numbers) {
      const option = SocketOptions.coreOf(key, v6);
      if (option !== undefined) result.push([option, SocketOptions.coreValue(key, value)]);
    }
    const congestion = this.congestionId;
    if (congestion !== undefined) result.push([abi.OPT_CONGESTION, congestion]);
    if (this.receiveBuffer !== null) result.push([abi.OPT_RCVBUF, this.receiveBuffer]);
    if (!multipath) result.push([abi.OPT_URGENT_APART, this.get(1, 10) === 1n ? 0 : 1]);
    return result;
  }

  /** The core's number of the congestion control that was asked for, if the core has it. */
  get congestionId(): number | undefined {
    return this.congestion === null ? undefined : congestionId(this.congestion);
  }

  /** The core's number of an option; undefined where the core has none. */
  static core(level: number, name: number, v6: boolean): number | undefined {
    return SocketOptions.coreOf(`${level}:${name}`, v6);
  }

  /** A value as the core wants it: it counts SYN/ACKs where Linux shows the seconds that they take. */
  static coreValue(key: string, value: bigint): number {
    return key === DEFER_ACCEPT ? synAckTimeouts(Number(value)).count : Number(value);
  }

  /** `v6`: on the wire. */
  private static coreOf(key: string, v6: boolean): number | undefined {
    return (v6 ? IPV6 : IPV4)[key] ?? CORE[key];
  }

  get lingerZero(): boolean {
    return this.linger.on && this.linger.seconds === 0;
  }

  /** SOF_TIMESTAMPING_* */
  get timestamping(): number {
    return Number(this.get(1, 37) ?? this.get(1, 65) ?? 0n);
  }

  get rcvLowat(): number {
    return Number(this.get(1, 18) ?? 1n);
  }

  get notSentLowat(): number {
    const value = Number(this.get(6, 25) ?? 0n) >>> 0;
    return value === 0 ? UNLIMITED : value;
  }

  /** Memory that queued octets take by Linux' account, in buffers of `goal` octets. */
  #memory(octets: number, goal: number): number {
    return octets + Math.ceil(octets / goal) * SEGMENT_OVERHEAD;
  }

  /**
   * Octets that may be added to a queue of `unacked`, of which `unsent` were not sent: a buffer is filled once it is
   * begun. `goal`: octets of a full one.
   */
  sendRoom({ unacked, unsent }: { unacked: number; unsent: number }, goal: number): number {
    if (this.sendBuffer === null) return UNLIMITED;
    if (unsent % goal !== 0) return goal - (unsent % goal);
    return this.#memory(unacked, goal) < this.sendBuffer ? goal : 0;
  }

  /** Whether a third of the buffer is free and little waits unsent: what poll calls writable. */
  wakesWriter(unacked: number, unsent: number, goal: number): boolean {
    if (unsent * 2 >= this.notSentLowat) return false;
    if (this.sendBuffer === null) return true;
    const queued = this.#memory(unacked, goal);
    return this.sendBuffer - queued >= queued / 2;
  }
}

/** SYN/ACK timeouts until so many seconds are over, and the seconds that these take. */
export function synAckTimeouts(seconds: number): { readonly count: number; readonly seconds: number } {
  if (seconds <= 0) return { count: 0, seconds: 0 };
  let [count, timeout, period] = [1, 1, 1];
  for (; seconds > period && count < 255; count++) {
    timeout = Math.min(timeout * 2, 120);
    period += timeout;
  }
  return { count, seconds: period };
}

/** Microseconds; a timeout of zero is none. */
export const timeoutOf = ({ seconds, microseconds }: TimeValue): number => {
  const total = Number(seconds) * 1e6 + Number(microseconds);
  return total === 0 ? Infinity : total;
};
