/** Intervals beyond a hole, against a set of numbers that knows no better. */
import { expect } from 'chai';
import fc from 'fast-check';
import { onBothBuilds, type Probe } from './probe.js';

const MASK = (1n << 64n) - 1n;
/** Where the numbers begin: small ones, and ones that wrap. */
const BASES = [1000n, (1n << 32n) - 200n, (1n << 63n) - 200n, MASK - 200n];
const NOT_ADDED = 2;

const list = (probe: Probe, v: number, base: bigint): [number, number][] => {
  const count = new DataView(probe.get(v, 16).buffer).getUint32(12, true);
  return Array.from({ length: count }, (_, i) => [
    Number(BigInt.asUintN(64, probe.x.startOf(v, i) - base)),
    Number(BigInt.asUintN(64, probe.x.endOf(v, i) - base)),
  ]);
};

/** Runs of numbers in a set. */
function runs(set: ReadonlySet<number>): [number, number][] {
  const result: [number, number][] = [];
  for (const n of [...set].sort((a, b) => a - b)) {
    const last = result.at(-1);
    if (last?.[1] === n) last[1] = n + 1;
    else result.push([n, n + 1]);
  }
  return result;
}

onBothBuilds('intervals', (probe) => {
  const steps = fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.tuple(fc.constant('add' as const), fc.nat(400), fc.integer({ min: 1, max: 12 })),
      },
      { weight: 1, arbitrary: fc.tuple(fc.constant('reach' as const), fc.nat(400), fc.constant(0)) },
    ),
    { maxLength: 120, size: 'max' },
  );

  it('are what a set of numbers is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...BASES), steps, (base, all) => {
        const { x } = probe();
        const v = x.intervals();
        x.intervalsFree(v);
        const set = new Set<number>();
        let reached = 0;
        for (const [what, at, length] of all) {
          if (what === 'add') {
            if (at < reached) continue;
            for (let n = at; n < at + length; n++) set.add(n);
            expect(
              x.intervalsAdd(v, (base + BigInt(at)) & MASK, (base + BigInt(at + length)) & MASK, 1000),
            ).below(NOT_ADDED);
          } else {
            reached = Math.max(reached, at);
            const end =
              runs(set).find(([start, last]) => start <= reached && reached <= last)?.[1] ?? reached;
            const got = Number(
              BigInt.asUintN(64, x.intervalsReach(v, (base + BigInt(reached)) & MASK) - base),
            );
            expect(got).to.equal(end);
            reached = end;
            for (const n of set) if (n < end) set.delete(n);
          }
          expect(list(probe(), v, base)).to.deep.equal(runs(set));
          for (const from of [at, at + 3]) {
            const all = [0, 1, 2].every((i) => set.has(from + i));
            expect(
              x.intervalsCover(v, (base + BigInt(from)) & MASK, (base + BigInt(from + 3)) & MASK) !== 0,
            ).to.equal(all);
          }
        }
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  it('are no more than allowed, and take memory for those only', () => {
    const { x } = probe();
    const v = x.intervals();
    x.intervalsFree(v);
    for (let i = 0; i < 1000; i++) {
      // From the end to the beginning: each goes before all others.
      const start = BigInt(10_000 - 2 * i);
      expect(x.intervalsAdd(v, start, start + 1n, 256)).to.equal(i < 256 ? 0 : NOT_ADDED);
    }
    expect(list(probe(), v, 0n)).to.have.length(256);
    expect(x.intervalsBytes(v)).to.be.at.most(256 * 16 * 2);
    // One that touches those that are there is still taken.
    expect(x.intervalsAdd(v, 10_001n, 10_002n, 256)).to.equal(1);
    x.intervalsFree(v);
    expect(x.intervalsBytes(v)).to.equal(0);
  });
});
