/**
 * Makes ADD_ADDR of one connection reliable (RFC 8684 section 3.4.1): repeats an announcement until its echo comes.
 * The first wait is about a retransmission timeout, then it doubles (as Linux).
 */
import type { Cancel, Timers } from '../io/timers.js';

/** Repetitions after the first ADD_ADDR. */
const REPETITIONS = 3;

/** What it needs of a connection. */
export interface AnnouncerHost {
  readonly timers: Timers;
  /** Microseconds at most before the first repetition; 0: none is made. */
  readonly addAddrTimeout: number;
  now(): number;
  sendAddAddr(id: number, address: string, port: number): boolean;
  /** Longest retransmission timeout of the subflows, microseconds; 0 when there is none. */
  longestRto(): number;
}

interface Announcement {
  readonly address: string;
  readonly port: number;
  readonly settled: () => void;
  repetitions: number;
  /** Null once it is settled. */
  cancel: Cancel | null;
}

export class Announcer {
  readonly #host: AnnouncerHost;
  /** By address ID. */
  readonly #announcements = new Map<number, Announcement>();

  constructor(host: AnnouncerHost) {
    this.#host = host;
  }

  /**
   * Announces an address; port 0 is that of the connection. `settled` is called once: when the echo has come, or no
   * repetition is left. An announcement of the same ID under way is replaced. False: not possible now.
   */
  announce(id: number, address: string, port: number, settled: () => void): boolean {
    this.#announcements.get(id)?.cancel?.();
    this.#announcements.delete(id);
    if (!this.#host.sendAddAddr(id, address, port)) return false;
    const announcement: Announcement = { address, port, settled, repetitions: 0, cancel: null };
    this.#announcements.set(id, announcement);
    this.#wait(id, announcement);
    return true;
  }

  /** The peer has it, whether it said so or not. */
  has(id: number): boolean {
    return this.#announcements.has(id);
  }

  /** An echo ends the repetitions when ID, address and port are those announced. */
  echoed(id: number, address: string, port: number): void {
    const announcement = this.#announcements.get(id);
    if (announcement === undefined || announcement.cancel === null) return;
    if (announcement.address !== address || announcement.port !== port) return;
    announcement.cancel();
    announcement.cancel = null;
    announcement.settled();
  }

  /** Forgets an announcement. False: there was none. */
  forget(id: number): boolean {
    this.#announcements.get(id)?.cancel?.();
    return this.#announcements.delete(id);
  }

  close(): void {
    for (const { cancel } of this.#announcements.values()) cancel?.();
    this.#announcements.clear();
  }

  #wait(id: number, announcement: Announcement): void {
    const { addAddrTimeout, timers } = this.#host;
    const rto = this.#host.longestRto();
    const first = rto > 0 && rto < addAddrTimeout ? rto : addAddrTimeout;
    if (first === 0) return;
    const at = this.#host.now() + first * 2 ** announcement.repetitions;
    announcement.cancel = timers.at(at, () => {
      announcement.cancel = null;
      if (!this.#host.sendAddAddr(id, announcement.address, announcement.port)) return;
      if (++announcement.repetitions < REPETITIONS) this.#wait(id, announcement);
      else announcement.settled();
    });
  }
}
