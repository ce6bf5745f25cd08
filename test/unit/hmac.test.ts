import { expect } from 'chai';
import { createHash, createHmac } from 'node:crypto';
import { randomOctets, toHex } from './octets.js';
import { onBothBuilds } from './probe.js';

const OUT = 8192;

onBothBuilds('sha256 and hmac', (probe) => {
  const octets = randomOctets(4096, 2);

  it('hashes every length from 0 to 300, and long messages, as node:crypto', () => {
    const p = probe();
    for (const length of [...Array(301).keys(), 1000, 4095, 4096]) {
      const message = octets.slice(0, length);
      const at = p.put(message, length % 8);
      p.x.sha256(at, length, p.base + OUT);
      const expected = createHash('sha256').update(message).digest('hex');
      expect(toHex(p.get(p.base + OUT, 32)), `length ${String(length)}`).to.equal(expected);
    }
  });

  it('lets the digest overlap the message', () => {
    const p = probe();
    const message = octets.slice(0, 100);
    const at = p.put(message);
    p.x.sha256(at, 100, at);
    expect(toHex(p.get(at, 32))).to.equal(createHash('sha256').update(message).digest('hex'));
  });

  it('authenticates messages of 0 to 300 octets under keys of 0 to 300 octets as node:crypto', () => {
    const p = probe();
    for (let length = 0; length <= 300; length++) {
      for (const keyLength of new Set([16, length, 300 - length])) {
        const key = octets.slice(1000, 1000 + keyLength);
        const message = octets.slice(0, length);
        p.x.hmac(p.put(key, 2048), keyLength, p.put(message), length, p.base + OUT);
        const expected = createHmac('sha256', key).update(message).digest('hex');
        expect(toHex(p.get(p.base + OUT, 32)), `${String(keyLength)}, ${String(length)}`).to.equal(expected);
      }
    }
  });

  it('compares octets', () => {
    const p = probe();
    const a = p.put(octets.slice(0, 32));
    const b = p.put(octets.slice(0, 32), 64);
    expect(p.x.equal(a, b, 32)).to.equal(1);
    expect(p.x.equal(a, b, 0)).to.equal(1);
    for (let i = 0; i < 32; i++) {
      const changed = octets.slice(0, 32);
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      p.put(changed, 64);
      expect(p.x.equal(a, b, 32), `octet ${String(i)}`).to.equal(0);
    }
  });
});
