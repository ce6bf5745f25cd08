/**
 * The loop of virtual time. It moves a clock from one event to the next: scheduled actions, packets that reach
 * the end of a link, hosts with something due. Nothing else moves the clock, so a run depends on its inputs only.
 *
 * Events of the same instant happen in this order: actions in the order in which they were scheduled, networks
 * and then hosts in the order in which they were added. A host that is woken during the instant runs again
 * within it.
 */
import { ManualClock } from '../core/clock.js';
import type { Cancel, Timers } from '../io/timers.js';
import { Heap } from './heap.js';

export interface VirtualHost {
  readonly name: string;
  /** Handles everything due at `now`. Returns the next deadline in microseconds, or Infinity. */
  run(now: number): number;
}

/** Something that carries packets between hosts: `MemoryNetwork`, `MemoryPipe`. */
export interface VirtualNetwork {
  /** Time of the next delivery in microseconds; Infinity when nothing is under way. */
  nextDelivery(): number;
  /** Delivers packets due at `now`; may leave some for the next call. Returns how many it delivered. */
  deliver(now: number): number;
}

export interface RunLimits {
  /** Steps (one action, delivery round or host run each). Default 5 million. */
  readonly maxSteps?: number;
  /** Microseconds of virtual time from the call on within which a condition has to come true. Default one hour. */
  readonly maxTime?: number;
}

/** Why a run could not reach its goal. */
export type SimulationErrorCode =
  | 'ERR_SIM_STEPS' // too many steps: a livelock, or the limit is too low
  | 'ERR_SIM_TIME' // the condition did not come true in time
  | 'ERR_SIM_IDLE' // nothing is left to happen and the condition is false
  | 'ERR_SIM_DEADLINE'; // a host returned a deadline that is not a number

export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  constructor(
    readonly code: SimulationErrorCode,
    message: string,
    /** Virtual time in microseconds. */
    readonly time: number,
    /** Steps that this run took. */
    readonly steps: number,
  ) {
    super(message);
  }
}

/** Implements `Timers`, so that whatever needs real timers can be run in virtual time. */
export class World implements Timers {
  /** To be given to everything that asks for the time. Only the world moves it. */
  readonly clock: ManualClock;
  readonly #hosts: HostEntry[] = [];
  readonly #networks: VirtualNetwork[] = [];
  readonly #actions = new Heap<Action>(actsBefore);
  #scheduled = 0;
  #run: Run = { steps: 0, maxSteps: 0, limit: 0 };

  /** `start` in microseconds. */
  constructor(start = 0) {
    this.clock = new ManualClock(start);
  }

  /** Virtual time in microseconds. */
  now(): number {
    return this.clock.now();
  }

  /** Adds a host, which runs first at the present time. */
  addHost(host: VirtualHost): void {
    this.#hosts.push({ host, deadline: -Infinity });
  }

  removeHost(host: VirtualHost): void {
    const index = this.#hosts.findIndex((entry) => entry.host === host);
    if (index >= 0) this.#hosts.splice(index, 1);
  }

  addNetwork(network: VirtualNetwork): void {
    this.#networks.push(network);
  }

  /** Lets a host run at the present instant. Unknown hosts are ignored: one may be woken after its removal. */
  wake(host: VirtualHost): void {
    for (const entry of this.#hosts) {
      if (entry.host === host) entry.deadline = -Infinity;
    }
  }

  /** Schedules an action at `time` (microseconds), or at the present instant if that has passed. */
  at(time: number, fn: () => void): Cancel {
    const action: Action = {
      time: Math.max(time, this.now()),
      order: this.#scheduled++,
      fn,
      cancelled: false,
    };
    this.#actions.push(action);
    return () => {
      action.cancelled = true;
    };
  }

  /**
   * Runs until virtual time reaches `goal` (microseconds; Infinity: until nothing is left to happen), events of
   * that instant included, or until the condition `goal` is true, which is asked after every step. Returns the
   * time at the end. Throws a `SimulationError` when a limit is reached first or, with a condition, when nothing
   * is left to happen.
   */
  runUntil(goal: number | (() => boolean), limits: RunLimits = {}): number {
    const run: Run = {
      steps: 0,
      maxSteps: limits.maxSteps ?? DEFAULT_MAX_STEPS,
      limit: typeof goal === 'number' ? Infinity : this.now() + (limits.maxTime ?? DEFAULT_MAX_TIME),
    };
    this.#run = run;
    const done = typeof goal === 'number' ? () => false : goal;
    while (!done()) {
      const next = this.nextEvent();
      if (typeof goal === 'number' && (next > goal || next === Infinity)) break;
      if (next === Infinity) throw this.#error('ERR_SIM_IDLE', 'nothing is left to happen');
      if (next > run.limit) throw this.#error('ERR_SIM_TIME', 'the condition did not come true in time');
      this.clock.advanceTo(next);
      if (this.#instant(done)) break;
    }
    if (typeof goal === 'number' && goal < Infinity) this.clock.advanceTo(goal);
    return this.now();
  }

  /** Time of the next event in microseconds, not before now; Infinity if there is none. */
  nextEvent(): number {
    let next = Infinity;
    for (const entry of this.#hosts) if (entry.deadline < next) next = entry.deadline;
    for (const network of this.#networks) next = Math.min(next, network.nextDelivery());
    const action = this.#nextAction();
    if (action !== null) next = Math.min(next, action.time);
    return Math.max(next, this.now());
  }

  /** One round over everything that is due now. True when the condition became true. */
  #instant(done: () => boolean): boolean {
    const now = this.now();
    for (let action = this.#nextAction(); action && action.time <= now; action = this.#nextAction()) {
      this.#actions.pop();
      action.cancelled = true;
      this.#step();
      action.fn();
      if (done()) return true;
    }
    for (const network of this.#networks) {
      if (network.nextDelivery() > now) continue;
      this.#step();
      network.deliver(now);
      if (done()) return true;
    }
    // By index: a host may add or remove hosts.
    for (let index = 0; index < this.#hosts.length; index++) {
      const entry = this.#hosts[index] as HostEntry;
      if (entry.deadline > now) continue;
      this.#step();
      // Before the run, so that a wake from within it is kept.
      entry.deadline = Infinity;
      const deadline = entry.host.run(now);
      if (Number.isNaN(deadline)) throw this.#error('ERR_SIM_DEADLINE', `${entry.host.name} returned NaN`);
      entry.deadline = Math.min(entry.deadline, deadline);
      if (done()) return true;
    }
    return false;
  }

  /** The first action that was not cancelled. */
  #nextAction(): Action | null {
    for (let action = this.#actions.peek(); action; action = this.#actions.peek()) {
      if (!action.cancelled) return action;
      this.#actions.pop();
    }
    return null;
  }

  #step(): void {
    if (this.#run.steps >= this.#run.maxSteps)
      throw this.#error('ERR_SIM_STEPS', 'no end in sight: a livelock?');
    this.#run.steps++;
  }

  #error(code: SimulationErrorCode, what: string): SimulationError {
    const time = this.now();
    const { steps } = this.#run;
    const hosts = this.#hosts.map(({ host, deadline }) => {
      return `${host.name} ${deadline <= time ? 'due now' : deadline === Infinity ? 'idle' : `due at ${String(deadline)}`}`;
    });
    const message = `${what} (at ${String(time)} us after ${String(steps)} steps; ${hosts.join(', ') || 'no hosts'})`;
    return new SimulationError(code, message, time, steps);
  }
}

interface HostEntry {
  readonly host: VirtualHost;
  /** -Infinity: woken. */
  deadline: number;
}

interface Action {
  readonly time: number;
  readonly order: number;
  readonly fn: () => void;
  cancelled: boolean;
}

interface Run {
  steps: number;
  maxSteps: number;
  /** Virtual time not to be passed. */
  limit: number;
}

function actsBefore(a: Action, b: Action): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

const DEFAULT_MAX_STEPS = 5_000_000;
const DEFAULT_MAX_TIME = 3600e6;
