/** New cases: drawn by fast-check, or made of old ones. */
import fc from 'fast-check';
import type { Dice } from './dice.js';
import { stepArbitrary, type Case, type Step } from './steps.js';

const LONGEST = 400;

export function drawSteps(target: string, seed: number, count: number): Step[] {
  const all = fc.array(stepArbitrary(target), { minLength: count, maxLength: count, size: 'max' });
  return fc.sample(all, { numRuns: 1, seed })[0] ?? [];
}

/** Cuts, doubles, crosses, and changes genes. */
export function mutate(one: Case, other: Case, dice: Dice): Case {
  let steps = [...one.steps];
  for (let n = 1 + dice.below(4); n > 0; n--) {
    const at = dice.below(steps.length + 1);
    const length = 1 + dice.below(20);
    switch (dice.below(6)) {
      case 0:
        steps.splice(at, length);
        break;
      case 1:
        steps.splice(at, 0, ...steps.slice(at, at + length));
        break;
      case 2: {
        const from = dice.below(other.steps.length);
        steps.splice(at, 0, ...other.steps.slice(from, from + length));
        break;
      }
      case 3:
        steps.splice(at, 0, ...drawSteps(one.target, dice.u32() | 0, 1 + dice.below(5)));
        break;
      default:
        changeGene(steps, dice);
    }
  }
  if (steps.length > LONGEST) steps = steps.slice(steps.length - LONGEST);
  return { target: one.target, seed: dice.once(4) ? dice.below(65536) : one.seed, steps };
}

function changeGene(steps: Step[], dice: Dice): void {
  if (steps.length === 0) return;
  const at = dice.below(steps.length);
  const step = [...(steps[at] as Step)];
  const gene = 1 + dice.below(step.length - 1);
  const old = step[gene] as number;
  step[gene] = dice.of([dice.u32(), dice.below(64), (old ^ (1 << dice.below(32))) >>> 0, (old + 1) >>> 0]);
  steps[at] = step;
}
