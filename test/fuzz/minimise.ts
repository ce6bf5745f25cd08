/** Makes a failing case smaller: fewer steps first, then simpler genes. */
import type { Case, Step } from './steps.js';

/** `fails` runs a case and says whether it fails as the first one did. At most `budget` runs. */
export function minimise(one: Case, fails: (smaller: Case) => boolean, budget = 400): Case {
  let steps = [...one.steps];
  let left = budget;
  const still = (candidate: Step[]): boolean => left-- > 0 && fails({ ...one, steps: candidate });
  for (let size = Math.max(1, steps.length >> 1); size >= 1 && left > 0; size = size === 1 ? 0 : size >> 1) {
    for (let at = 0; at < steps.length && left > 0;) {
      const candidate = [...steps.slice(0, at), ...steps.slice(at + size)];
      if (still(candidate)) steps = candidate;
      else at += size;
    }
  }
  for (let at = 0; at < steps.length && left > 0; at++) {
    const step = steps[at] as Step;
    for (let gene = 1; gene < step.length && left > 0; gene++) {
      for (const value of [0, (step[gene] as number) & 63]) {
        if (steps[at]?.[gene] === value) continue;
        const simpler = [...(steps[at] as Step)];
        simpler[gene] = value;
        const candidate = [...steps];
        candidate[at] = simpler;
        if (!still(candidate)) continue;
        steps = candidate;
        break;
      }
    }
  }
  return { ...one, steps };
}
