/**
 * Cheap feedback in place of coverage: which counter moved in which state of the attacker's flow under which verb,
 * and which event came with it. A case that shows a new combination is worth keeping.
 */
import { MIB_COUNT } from '../../assembly/mib.js';
import type { Core } from '../../src/core/core.js';
import type { Arena } from './arena.js';
import type { Attacker } from './attacker.js';

const PHASES = 16;
const VERBS = 32;
/** Keys of events lie above those of counters. */
const EVENTS = MIB_COUNT;

export class Novelty {
  readonly seen = new Set<number>();
  readonly #events = new Map<string, number>();
  readonly #last = new Float64Array(MIB_COUNT);

  begin(core: Core): void {
    for (let id = 0; id < MIB_COUNT; id++) this.#last[id] = core.counter(id);
  }

  /** After a step: how many combinations are new. */
  note(arena: Arena, attacker: Attacker, verb: number): number {
    const before = this.seen.size;
    const phase = attacker.flows[attacker.flows.length - 1]?.phaseId ?? 15;
    const { core } = arena.stack;
    for (let id = 0; id < MIB_COUNT; id++) {
      const value = core.counter(id);
      if (value === this.#last[id]) continue;
      this.#last[id] = value;
      this.seen.add((id * PHASES + phase) * VERBS + verb);
    }
    for (const event of arena.news) {
      let id = this.#events.get(event);
      if (id === undefined) {
        id = EVENTS + this.#events.size;
        this.#events.set(event, id);
      }
      this.seen.add((id * PHASES + phase) * VERBS + verb);
    }
    arena.news.clear();
    return this.seen.size - before;
  }
}
