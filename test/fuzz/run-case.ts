/** One case from an empty stack to an empty stack. */
import type { CoreModule } from '../../src/core/load.js';
import { Arena, type ArenaOptions } from './arena.js';
import { loadBuild, type Build } from './builds.js';
import { Failure } from './failure.js';
import type { Novelty } from './novelty.js';
import { Player } from './play.js';
import type { Case } from './steps.js';

export interface Outcome {
  readonly failure: Failure | null;
  readonly packets: number;
  readonly peakMemory: number;
  /** What no case before it has reached. */
  readonly fresh: number;
}

const modules = new Map<Build, CoreModule>();

export async function prepare(build: Build): Promise<void> {
  modules.set(build, await loadBuild(build));
}

/** `prepare` was called for the build. Never throws: what goes wrong is the outcome. */
export function runCase(
  one: Case,
  build: Build,
  novelty: Novelty | null = null,
  options: Partial<ArenaOptions> = {},
): Outcome {
  const module = modules.get(build);
  if (module === undefined) throw new Error(`the ${build} build is not loaded`);
  let arena: Arena | null = null;
  let failure: Failure | null = null;
  let fresh = 0;
  try {
    arena = new Arena({ ...options, module, seed: one.seed });
    const player = new Player(arena, one.seed);
    novelty?.begin(arena.stack.core);
    for (const step of one.steps) {
      player.step(step);
      if (novelty !== null) fresh += novelty.note(arena, player.attacker, step[0] ?? 0);
    }
    arena.finish();
  } catch (error) {
    failure = asFailure(error);
  }
  return { failure, packets: arena?.packets ?? 0, peakMemory: arena?.peakMemory ?? 0, fresh };
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const { name = 'error', message = String(error), stack = '' } = error as Partial<Error>;
  const where = stack.split('\n')[1]?.trim() ?? '';
  return new Failure('throw', `${name}: ${message} ${where}`);
}
