import { CaptureReader } from '../../../src/io/capture-reader.js';
import { randomOctets } from '../octets.js';
import { captured, SCENES } from './captures.js';
import { inspectCapture, inspectTarget } from './entry.js';

describe('looking at packets', () => {
  it('survives captures in which octets changed', async () => {
    const noise = randomOctets(1 << 16, 31);
    const pick = (i: number): number => noise[i & 0xffff]!;
    for (const [at, scene] of [SCENES.checksums, SCENES['IPv6, every pair of addresses']].entries()) {
      const { file } = await captured({ ...scene, up: 20_000, down: 5000 });
      const frames = [];
      const reader = new CaptureReader();
      reader.push(file);
      for (let frame = reader.next(); frame !== null; frame = reader.next()) frames.push(frame.octets);
      for (let round = 0; round < 20; round++) {
        const target = await inspectTarget();
        frames.forEach((octets, i) => {
          const copy = octets.slice();
          const salt = i * 7 + round * 1009 + at * 5003;
          // Mostly headers and options, where every octet means something.
          for (let change = 0; change < pick(salt) % 4; change++) {
            copy[(20 + (pick(salt + change + 1) % 80)) % copy.length] = pick(salt * 3 + change);
          }
          target.frame(copy);
        });
        target.end();
      }
    }
  });

  it('survives damaged files', async () => {
    const { file } = await captured({ ...SCENES['two paths'], up: 5000, down: 100 });
    const noise = randomOctets(4096, 32);
    for (let round = 0; round < 200; round++) {
      const copy = Buffer.from(file);
      for (let change = 0; change < 8; change++) {
        const place =
          noise[(round * 16 + change * 2) & 4095]! * 256 + noise[(round * 16 + change * 2 + 1) & 4095]!;
        copy[place % copy.length] = noise[(round + change) & 4095]!;
      }
      await inspectCapture(copy);
    }
  });
});
