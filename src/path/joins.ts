/**
 * The joins of one connection: what was tried, how it ended, and when it may be tried again (RFC 8684 section 3.6).
 *
 * No answer, or a reset without a reason: after 1 s, doubled up to 60 s. A refusal without MP_TCPRST: after 30 s. A
 * reason that is called transient: after 1 s, after 10 s where it is about resources or load. Both double up to 10
 * minutes. A permanent reason: not again, and what the peer closed in order stays closed. A connection without subflows
 * tries everything at once. While one direction has ended, the other gets four round trips to follow before it is worth a join.
 */
import * as abi from '../../assembly/abi.js';
import type { Path } from '../io/device.js';
import type { Cancel } from '../io/timers.js';
import type { Connection } from '../stack/connection.js';
import type { Stack, SubflowDown } from '../stack/stack.js';

const FIRST = 1e6;
const LAST = 60e6;
const BUSY = 10e6;
const REFUSED = 30e6;
/** For the second direction of the stream to end: round trips, and microseconds at least. */
const ENDING_TRIPS = 4;
const ENDING = 50e3;
const LAST_REFUSED = 600e6;

/** MP_TCPRST reasons that are about the load of the moment. */
const BUSY_REASONS: ReadonlySet<number> = new Set([2, 4, 5]);
const NO_REASON = 255;

export interface Target {
  readonly path: Path;
  readonly localId: number;
  readonly remoteId: number;
  readonly address: string;
  readonly port: number;
  readonly backup: boolean;
  /** Tells subflows of one pair of addresses apart. */
  readonly slot?: number;
}

interface Attempt {
  target: Target;
  wait: number;
  /** Not before this time. */
  notBefore: number;
  /** The peer called its refusal transient, or this side put it off. */
  invited: boolean;
  /** Handle of the subflow in handshake or established; 0: none. */
  subflow: number;
  binding: boolean;
  /** It was put off because the connection might be about to end. */
  deferred: boolean;
}

export class Joins {
  readonly #stack: Stack;
  readonly #connection: Connection;
  readonly #again: () => void;
  readonly #attempts = new Map<string, Attempt>();
  #timer: Cancel | null = null;
  #timerAt = Infinity;

  /** `again` is called when something may be tried again. */
  constructor(stack: Stack, connection: Connection, again: () => void) {
    this.#stack = stack;
    this.#connection = connection;
    this.#again = again;
  }

  /** Joins whose port is not bound yet: they are no subflows so far. */
  get opening(): number {
    return [...this.#attempts.values()].filter(({ binding }) => binding).length;
  }

  /** Targets whose end the peer called transient, or that were put off, and that may be tried now. */
  invited(): Target[] {
    const now = this.#stack.now();
    return [...this.#attempts.values()]
      .filter((one) => isFree(one) && one.invited && one.notBefore <= now)
      .map(({ target }) => target);
  }

  /** Joins, unless that is under way or was tried too recently. True: a join has begun. */
  open(target: Target): boolean {
    const key = keyOf(target);
    let attempt = this.#attempts.get(key);
    if (attempt === undefined) {
      attempt = {
        target,
        wait: 0,
        notBefore: 0,
        invited: false,
        deferred: false,
        subflow: 0,
        binding: false,
      };
      this.#attempts.set(key, attempt);
    }
    attempt.target = target;
    if (!isFree(attempt)) return false;
    if (attempt.notBefore > this.#stack.now()) {
      this.#wake(attempt.notBefore);
      return false;
    }
    const [first] = this.#connection.liveSubflows();
    if (!attempt.deferred && !this.#connection.isOpen && first !== undefined) {
      attempt.deferred = attempt.invited = true;
      attempt.notBefore = this.#stack.now() + Math.max(ENDING, ENDING_TRIPS * first.srtt);
      this.#wake(attempt.notBefore);
      return false;
    }
    this.#join(attempt);
    return true;
  }

  #join(attempt: Attempt): void {
    const { target } = attempt;
    const ids = { local: target.localId, remote: target.remoteId, backup: target.backup };
    attempt.binding = true;
    this.#stack.join(this.#connection, target.path.id, target.address, target.port, ids, (error, subflow) => {
      attempt.binding = false;
      attempt.subflow = subflow;
      if (error !== null && this.#connection.handle !== 0) this.#failed(attempt, FIRST, LAST);
    });
  }

  up(subflow: number): void {
    const attempt = this.#of(subflow);
    if (attempt !== undefined) attempt.wait = 0;
  }

  /** A subflow ended. Says whether it was joined from here, and whether it is tried again. */
  down({ subflow, reason, resetReason, transient }: SubflowDown): 'foreign' | 'again' | 'over' {
    const attempt = this.#of(subflow);
    if (attempt === undefined) return 'foreign';
    attempt.subflow = 0;
    attempt.invited = resetReason !== NO_REASON && transient;
    if (ENDED.has(reason)) {
      attempt.notBefore = Infinity;
      return 'over';
    }
    if (resetReason !== NO_REASON && !transient) {
      attempt.notBefore = Infinity; // RFC 8684 section 3.6
      return 'over';
    }
    if (resetReason !== NO_REASON) {
      this.#failed(attempt, BUSY_REASONS.has(resetReason) ? BUSY : FIRST, LAST_REFUSED);
    } else if (reason === abi.CLOSE_REFUSED) this.#failed(attempt, REFUSED, LAST_REFUSED);
    else this.#failed(attempt, FIRST, LAST);
    return 'again';
  }

  #failed(attempt: Attempt, first: number, last: number): void {
    attempt.wait = attempt.wait === 0 ? first : Math.min(Math.max(attempt.wait * 2, first), last);
    attempt.notBefore = this.#stack.now() + attempt.wait;
    this.#wake(attempt.notBefore);
  }

  #of(subflow: number): Attempt | undefined {
    return [...this.#attempts.values()].find((one) => one.subflow === subflow);
  }

  /** Forgets the waits of these targets, of all by default: something has changed for the better, or nothing is left. */
  hurry(which: (target: Target) => boolean = () => true): void {
    for (const attempt of this.#attempts.values()) if (which(attempt.target)) attempt.notBefore = 0;
  }

  /** Forgets these targets and how they ended: they are new ones from now on. */
  forget(which: (target: Target) => boolean): void {
    for (const [key, { target, binding }] of this.#attempts) {
      if (which(target) && !binding) this.#attempts.delete(key);
    }
  }

  close(): void {
    this.#timer?.();
    this.#timer = null;
  }

  #wake(at: number): void {
    if (at === Infinity || (this.#timer !== null && this.#timerAt <= at)) return;
    this.#timer?.();
    this.#timerAt = at;
    this.#timer = this.#stack.timers.at(at, () => {
      this.#timer = null;
      this.#again();
    });
  }
}

const keyOf = ({ path, address, port, slot = 0 }: Target): string => `${path.id}>${address}:${port}/${slot}`;
const isFree = ({ subflow, binding }: Attempt): boolean => subflow === 0 && !binding;

/** Ends that somebody wanted. */
const ENDED: ReadonlySet<number> = new Set([abi.CLOSE_NORMAL, abi.CLOSE_REMOVED]);
