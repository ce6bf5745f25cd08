/** Plays the steps of a case. */
import type { Arena } from './arena.js';
import { Attacker } from './attacker.js';
import { Dice } from './dice.js';
import { device, option } from './moves-device.js';
import { acks, holes, maps, signals, unmapped } from './moves-flood.js';
import { answer, dial, flood, join, open } from './moves-handshake.js';
import { blind, broken, foreign, octets, segment } from './moves-segment.js';
import { app, close, path, talk, time } from './moves-world.js';
import { VERBS, type Step, type Verb } from './steps.js';

type Move = (attacker: Attacker, genes: readonly number[]) => void;

const MOVES: Readonly<Record<Verb, Move>> = {
  ...{ segment, broken, octets, open, join, dial, answer, time, app, holes, maps, unmapped, signals, acks },
  ...{ blind, flood, close, foreign, path, talk, device, option },
};

/** A program keeps no more connections than this; the oldest half is let go then. */
const MAX_VICTIMS = 128;
/** Microseconds between two steps. */
const PACE = 50;

export class Player {
  readonly attacker: Attacker;

  constructor(
    readonly arena: Arena,
    readonly seed: number,
  ) {
    this.attacker = new Attacker(arena);
  }

  step(step: Step): void {
    const [verb = 0, ...genes] = step;
    // The same step rolls the same dice, whatever came before it: a case that is cut short stays the same otherwise.
    this.attacker.dice = new Dice(
      step.reduce((hash, gene) => Math.imul(hash ^ gene, 0x9e3779b1), this.seed + 1),
    );
    MOVES[VERBS[verb] ?? 'segment'](this.attacker, genes);
    this.#tidy();
    this.arena.work();
    this.arena.wait(PACE);
    this.arena.audit();
  }

  #tidy(): void {
    const { victims } = this.arena;
    if (victims.length <= MAX_VICTIMS) return;
    for (const victim of victims.splice(0, MAX_VICTIMS / 2)) victim.connection.release();
  }
}
