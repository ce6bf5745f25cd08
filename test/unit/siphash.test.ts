import { expect } from 'chai';
import { toHex } from './octets.js';
import { onBothBuilds } from './probe.js';

/** SipHash-2-4 of the octets 00 01 02 ... under the key 00 01 ... 0f, as published with the algorithm. */
const PUBLISHED: Readonly<Record<number, bigint>> = {
  0: 0x726fdb47dd0e0e31n,
  1: 0x74f839c593dc67fdn,
  7: 0xab0200f58b01d137n,
  8: 0x93f5f5799a932462n,
  15: 0xa129ca6149be45e5n,
  63: 0x958a324ceb064572n,
};

onBothBuilds('siphash', (probe) => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);

  it('hashes as published', () => {
    const p = probe();
    for (const [length, hash] of Object.entries(PUBLISHED)) {
      const message = Uint8Array.from({ length: Number(length) }, (_, i) => i);
      const result = p.x.siphash(p.put(key, 2048), p.put(message), message.length);
      expect(BigInt.asUintN(64, result), `length ${length}`).to.equal(hash);
    }
  });

  it('makes the Fast Open cookie of Linux 6.18: key 11111111-22222222-33333333-44444444, 10.0.0.2 to 10.0.0.1', () => {
    const p = probe();
    const linuxKey = Uint8Array.from({ length: 16 }, (_, i) => ((i >> 2) + 1) * 0x11);
    const addresses = Uint8Array.of(10, 0, 0, 2, 10, 0, 0, 1);
    const result = p.x.siphash(p.put(linuxKey, 2048), p.put(addresses), 8);
    const octets = new Uint8Array(8);
    new DataView(octets.buffer).setBigUint64(0, BigInt.asUintN(64, result), true);
    expect(toHex(octets)).to.equal('860c98b41525365b');
  });
});
