import { expect } from 'chai';
import { randomOctets } from './octets.js';
import { onBothBuilds } from './probe.js';

/** RFC 1071, word by word. */
function naiveSum(octets: Uint8Array, from: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i += 2) {
    const low = i + 1 < length ? (octets[from + i + 1] ?? 0) : 0;
    sum += ((octets[from + i] ?? 0) << 8) | low;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

onBothBuilds('checksum', (probe) => {
  const octets = randomOctets(4096, 71);

  it('equals the naive sum at every alignment and length from 0 to 200', () => {
    const p = probe();
    const at = p.put(octets);
    for (let from = 0; from < 16; from++) {
      for (let length = 0; length <= 200; length++) {
        const sum = p.x.fold(p.x.sum16(at + from, length, 0n));
        if (sum !== naiveSum(octets, from, length)) {
          expect.fail(`offset ${String(from)}, length ${String(length)}: ${sum.toString(16)}`);
        }
      }
    }
  });

  it('equals the naive sum of segments and of long mappings', () => {
    const p = probe();
    const long = randomOctets(600_001, 72);
    const at = p.put(long);
    for (const length of [
      1000, 1447, 1448, 1460, 9000, 65_535, 262_143, 262_144, 262_207, 262_208, 600_000,
    ]) {
      for (const from of [0, 1]) {
        expect(p.x.fold(p.x.sum16(at + from, length, 0n))).to.equal(naiveSum(long, from, length));
      }
    }
  });

  it('survives octets of all ones in every lane', () => {
    const p = probe();
    const at = p.put(new Uint8Array(600_000).fill(0xff));
    expect(p.x.fold(p.x.sum16(at, 600_000, 0n))).to.equal(0xffff);
    expect(p.x.checksum(p.x.sum16(at, 600_000, 0n))).to.equal(0);
    expect(p.x.fold(0n)).to.equal(0);
    expect(p.x.fold(0xffff_ffff_ffff_ffffn)).to.equal(0xffff);
  });

  it('adds parts, those at odd offsets byte-swapped', () => {
    const p = probe();
    const at = p.put(octets);
    const whole = p.x.fold(p.x.sum16(at, 500, 0n));
    for (let split = 0; split <= 500; split++) {
      const first = p.x.sum16(at, split, 0n);
      const second = p.x.sum16(at + split, 500 - split, 0n);
      const sum = first + (split % 2 === 0 ? second : p.x.swap16(second));
      expect(p.x.fold(sum), `split at ${String(split)}`).to.equal(whole);
    }
    expect(p.x.fold(p.x.sum16(at + 100, 400, p.x.sum16(at, 100, 0n)))).to.equal(whole);
  });

  it('uses one payload sum for the TCP and the DSS checksum', () => {
    const p = probe();
    const header = 32;
    const length = 1448;
    const at = p.put(octets);
    const payload = p.x.sum16(at + header, length, 0n);
    const pseudo = p.x.pseudo4(at + 2000, at + 2004, header + length);
    expect(p.x.checksum(p.x.sum16(at, header, pseudo + payload))).to.equal(
      p.x.checksum(p.x.sum16(at, header + length, pseudo)),
    );
    const dss = p.x.dssChecksum(1n, 2, length, payload);
    const naive = naiveSum(Uint8Array.of(0, 1, 0, 2, 5, 0xa8, dss >> 8, dss & 255), 0, 8);
    expect(
      naiveSum(
        Uint8Array.of(naive >> 8, naive & 255, ...octets.slice(header, header + length)),
        0,
        length + 2,
      ),
    ).to.equal(0xffff);
  });

  it('takes long IPv6 lengths into the pseudo header', () => {
    const p = probe();
    const length = 0x12345;
    const src = octets.slice(0, 16);
    const dst = octets.slice(16, 32);
    const pseudo = Uint8Array.of(...src, ...dst, 0, 1, 0x23, 0x45, 0, 0, 0, 6);
    const at = p.put(octets);
    expect(p.x.fold(p.x.pseudo6(at, at + 16, length))).to.equal(naiveSum(pseudo, 0, pseudo.length));
  });
});
