/**
 * Large writes leave straight from the application's memory (assembly/mptcp/loan.ts): packets are sent and what has been
 * answered by then is handled within the write, so that only the rest has to be copied to the connection's ring.
 */
import { isTrap, type Core } from '../core/core.js';
import type { Device } from '../io/device.js';
import type { Connection } from './connection.js';
import type { Transmitter } from './transmitter.js';

/** What it needs of the stack. */
export interface LenderHost {
  /** No turn is under way. */
  readonly isIdle: boolean;
  /** Begins or ends what no turn may come into. */
  hold(on: boolean): void;
  now(): number;
  kick(): void;
  deviceOf(path: number): Device | null;
}

export class Lender {
  readonly #core: Core;
  readonly #transmitter: Transmitter;
  readonly #devices: ReadonlySet<Device>;
  readonly #host: LenderHost;
  /** Those who write in the next turn. */
  readonly #waiting = new Set<Connection>();
  /** In `letWrite`. */
  #letsWrite = false;
  /** Until when applications may lend in this turn; -1: none has yet. */
  #until = -1;

  constructor(core: Core, transmitter: Transmitter, devices: ReadonlySet<Device>, host: LenderHost) {
    this.#core = core;
    this.#transmitter = transmitter;
    this.#devices = devices;
    this.#host = host;
  }

  /** Whether a large write is better left to the beginning of the next turn, which calls `onWritable`. */
  putOff(connection: Connection): boolean {
    const host = this.#host;
    if (connection.trial.isPaused) return false;
    if (host.deviceOf(connection.initialPath)?.collect === undefined) return false;
    if (this.#mayLend() && (this.#until < 0 || host.now() < this.#until)) return false;
    this.#waiting.add(connection);
    host.kick();
    return true;
  }

  forget(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  /** A turn begins: those who were put off write. What their handlers throw goes to `thrown`. */
  letWrite(thrown: unknown[]): void {
    this.#until = -1;
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#letsWrite = true;
    try {
      for (const connection of waiting) {
        try {
          connection.handler?.onWritable();
        } catch (error) {
          if (isTrap(error)) throw error;
          thrown.push(error);
        }
      }
    } finally {
      this.#letsWrite = false;
    }
  }

  /** Lends `data` to a connection, as far as it takes it. Returns how many octets are written; 0: they have to be copied. */
  lend(connection: Connection, data: Uint8Array): number {
    const { trial, handle } = connection;
    if (trial.isPaused) {
      trial.passed();
      return 0;
    }
    const octets = this.#mayLend() ? this.#core.x.lend(handle, data.length) : 0;
    if (octets === 0) return 0;
    const { isIdle } = this.#host;
    if (this.#until < 0) this.#until = this.#host.now() + TURN;
    this.#transmitter.loan = data;
    this.#host.hold(true);
    let copied = 0;
    try {
      copied = this.#exchange(data);
    } finally {
      this.#transmitter.loan = undefined;
      trial.ended(octets, copied + this.#core.repay(data));
      if (isIdle) this.#host.hold(false);
    }
    return octets;
  }

  #mayLend(): boolean {
    return this.#letsWrite || this.#host.isIdle;
  }

  /**
   * Sends, and handles what is answered meanwhile. While nothing can be sent, some of what is not acknowledged is copied
   * between two looks for answers. Returns how many octets were. Events wait for the turn's end.
   */
  #exchange(data: Uint8Array): number {
    const core = this.#core;
    let copied = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const now = this.#host.now();
      if (core.rxPending > 0) core.rxInput(now);
      core.x.poll(now);
      const sends = core.x.txPending() > 0;
      this.#transmitter.transmit();
      if (core.x.eventsPending() > 0) break;
      if (!sends && round > 0) {
        const n = core.repaySome(data);
        copied += n;
        if (n < WORTH_A_LOOK) break;
      }
      core.rxRelease();
      for (const device of this.#devices) device.collect?.();
    }
    return copied;
  }
}

/** Microseconds of a turn after which applications wait with what they could lend, so that others get theirs. */
const TURN = 2000;
const ROUNDS = 64;
/** Octets whose copying takes long enough for an answer to come meanwhile. */
const WORTH_A_LOOK = 65536;
