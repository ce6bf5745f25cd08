import { expect } from 'chai';
import { octetsIn, Ranges } from '../../../src/inspect/ranges.js';
import { unwrap32, unwrapDsn } from '../../../src/inspect/sequence.js';
import { randomOctets } from '../octets.js';

describe('ranges', () => {
  it('agree with a plain array of owners', () => {
    const noise = randomOctets(3000, 7);
    const ranges = new Ranges<number>();
    const model = new Array<number | undefined>(300);
    for (let i = 0; i < 900; i += 3) {
      const start = noise[i]! % 200;
      const end = start + 1 + (noise[i + 1]! % 40);
      const owner = noise[i + 2]! % 3;
      const present = ranges.add(start, end, owner);
      const expected = Array.from({ length: end - start }, (_, k) => model[start + k]);
      const actual = new Array<number | undefined>(end - start).fill(undefined);
      for (const one of present) actual.fill(one.owner, one.start - start, one.end - start);
      expect(actual).to.deep.equal(expected);
      for (let k = start; k < end; k++) model[k] ??= owner;
      let complete = 0;
      while (model[complete] !== undefined) complete++;
      expect(ranges.contiguousFrom(0)).to.equal(complete);
    }
    expect(ranges.size).to.be.below(200);
  });

  it('join neighbours of one owner and forget what lies below', () => {
    const ranges = new Ranges<string>();
    for (let i = 0; i < 1000; i++) ranges.add(i * 10, i * 10 + 10, 'a');
    expect(ranges.size).to.equal(1);
    ranges.dropBelow(5005);
    expect(octetsIn(ranges.add(0, 10000, 'b'))).to.equal(4995);
  });
});

describe('numbers relative to their origin', () => {
  it('go on beyond 2^32', () => {
    expect(unwrap32(5, 0xfffffff0, 0)).to.equal(21);
    expect(unwrap32(0, 0, 2 ** 32 - 1)).to.equal(2 ** 32);
    expect(unwrap32(0xffffffff, 0, 2 ** 32 + 1)).to.equal(2 ** 32 - 1);
    expect(unwrap32(100, 0, 5 * 2 ** 32 + 50)).to.equal(5 * 2 ** 32 + 100);
    expect(unwrap32(0xffffffff, 0, 0)).to.equal(-1);
  });

  it('are the same for both forms of a data sequence number', () => {
    const origin = 0xffffffff_fffffff0n;
    for (const offset of [0, 1, 15, 16, 17, 2 ** 31, 2 ** 32 + 5]) {
      const value = BigInt.asUintN(64, origin + BigInt(offset));
      expect(unwrapDsn(value, true, origin, 0)).to.equal(offset);
      expect(unwrapDsn(value & 0xffffffffn, false, origin, Math.max(0, offset - 1000))).to.equal(offset);
    }
  });
});
