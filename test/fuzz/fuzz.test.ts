/**
 * The committed corpus, and packets drawn with fixed seeds. `npm run fuzz` goes on from here; docs/hostile-input.md
 * tells how.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { root } from '../support/root.js';
import { prepare, runCase } from './run-case.js';
import { caseArbitrary, formatCase, parseCase } from './steps.js';

const CORPUS = new URL('test/fuzz/corpus/', root);
/** Cases drawn for each target, and their steps: about 200,000 packets in all. */
const DRAWN: Readonly<Record<string, number>> = { stack: 30, handshake: 20, data: 30 };
const STEPS = 400;

describe('hostile input', () => {
  before(() => Promise.all([prepare('audit'), prepare('release')]));

  for (const name of readdirSync(CORPUS)
    .filter((file) => file.endsWith('.txt'))
    .sort()) {
    it(`corpus: ${name}`, () => {
      const one = parseCase(readFileSync(new URL(name, CORPUS), 'utf8'));
      for (const build of ['audit', 'release'] as const) {
        for (const offload of [false, true]) {
          const { failure } = runCase(one, build, null, { offload });
          expect(failure?.message, `${build}${offload ? ' with offload' : ''}`).to.equal(undefined);
        }
      }
    });
  }

  for (const [target, numRuns] of Object.entries(DRAWN)) {
    it(`drawn: ${target}`, () => {
      fc.assert(
        fc.property(caseArbitrary(target, STEPS), (one) => {
          const { failure } = runCase(one, 'audit');
          if (failure !== null) throw failure;
        }),
        { seed: 20_260_000, numRuns, endOnFailure: true },
      );
    });
  }

  it('cases survive being written down', () => {
    fc.assert(
      fc.property(caseArbitrary('stack', 50), (one) => {
        expect(parseCase(formatCase(one, 'a note'))).to.deep.equal(one);
      }),
      { seed: 1, numRuns: 20 },
    );
  });
});
