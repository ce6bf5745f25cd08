import { expect } from 'chai';
import { CaptureReader, readCapture, type CapturedFrame } from '../../../src/io/capture-reader.js';
import { Direction, PcapngWriter } from '../../../src/io/pcapng.js';
import { randomOctets } from '../octets.js';
import { ipPacket } from './packets.js';

const PACKETS = [ipPacket({ seq: 1 }), ipPacket({ seq: 2, payload: new Uint8Array(5) })];

describe('reading captures', () => {
  it('gives back what the writer wrote', () => {
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((chunk) => void chunks.push(chunk.slice()));
    const name = writer.addInterface({ name: 'wlan0' });
    writer.packet(name, 1_700_000_000_123_456, Direction.Outbound, PACKETS[0]!, 'a comment');
    writer.packet(name, 1_700_000_000_123_457, Direction.Inbound, PACKETS[1]!);
    const frames = all(Buffer.concat(chunks));
    expect(frames.map(({ octets, ...rest }) => ({ ...rest, octets: [...octets] }))).to.deep.equal([
      {
        time: 1_700_000_000_123_456,
        linkType: 101,
        octets: [...PACKETS[0]!],
        length: PACKETS[0]!.length,
        direction: Direction.Outbound,
        interfaceName: 'wlan0',
        comment: 'a comment',
      },
      {
        time: 1_700_000_000_123_457,
        linkType: 101,
        octets: [...PACKETS[1]!],
        length: PACKETS[1]!.length,
        direction: Direction.Inbound,
        interfaceName: 'wlan0',
        comment: null,
      },
    ]);
  });

  for (const little of [true, false]) {
    const order = little ? 'little' : 'big';

    it(`reads every kind of block (${order}-endian)`, () => {
      const file = new Blocks(little)
        .section()
        .block(0x80000001, [1, 2, 3, 4]) // a block type of somebody's own
        .interface(1, 64, { 9: [9], 2: [...Buffer.from('eth0')] })
        .block(4, [0, 0, 0, 0]) // name resolution
        .interface(101, 0, {
          9: [0x80 | 10],
          14: little ? [1, 0, 0, 0, 0, 0, 0, 0] : [0, 0, 0, 0, 0, 0, 0, 1],
        })
        .enhanced(0, 0x00000001, 0x00000002, [9, 9, 9], 60)
        .enhanced(1, 0, 1536, [8, 8], 2)
        .enhanced(7, 0, 0, [7], 1) // of an interface that nobody described
        .block(5, new Array(12).fill(0)) // statistics
        .simple([1, 2, 3, 4, 5], 5);
      const frames = all(file.octets);
      expect(frames.map(({ octets }) => [...octets])).to.deep.equal([
        [9, 9, 9],
        [8, 8],
        [1, 2, 3, 4, 5],
      ]);
      expect(frames.map(({ linkType, length }) => [linkType, length])).to.deep.equal([
        [1, 60],
        [101, 2],
        [1, 5],
      ]);
      expect(frames[0]?.time).to.equal((2 ** 32 + 2) / 1000);
      expect(frames[1]?.time).to.equal(1.5e6 + 1e6);
      expect(frames[0]?.interfaceName).to.equal('eth0');
    });

    it(`reads pcap (${order}-endian)`, () => {
      for (const [magic, unit] of [
        [0xa1b2c3d4, 1],
        [0xa1b23c4d, 1000],
      ] as const) {
        const file = new Blocks(little).u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(113);
        file
          .u32(10)
          .u32(5 * unit)
          .u32(3)
          .u32(100)
          .raw([1, 2, 3]);
        const [frame] = all(file.octets);
        expect(frame).to.include({ time: 10_000_005, linkType: 113, length: 100 });
        expect([...(frame?.octets ?? [])]).to.deep.equal([1, 2, 3]);
      }
    });
  }

  it('takes two sections of different byte order in one file', () => {
    const [first, second] = [true, false].map(
      (little) =>
        new Blocks(little)
          .section()
          .interface(101, 0, {})
          .enhanced(0, 0, 1, [little ? 1 : 2], 1).octets,
    );
    expect(all(Buffer.concat([first!, second!])).map(({ octets }) => octets[0])).to.deep.equal([1, 2]);
  });

  it('takes octets as they come and reports the rest', async () => {
    const file = new Blocks(true).section().interface(101, 0, {}).enhanced(0, 0, 1, [1, 2, 3], 3).octets;
    const cut = file.subarray(0, file.length - 1);
    const source = (function* () {
      for (const octet of cut) yield Uint8Array.of(octet);
    })();
    const frames = readCapture(source as unknown as AsyncIterable<Uint8Array>);
    expect(await frames.next()).to.deep.equal({ done: true, value: { truncated: 35 } });
  });

  it('refuses what is no capture, and damaged ones', () => {
    for (const octets of [
      Buffer.from('GET / HTTP/1.1'),
      Buffer.from([1, 2]),
      new Blocks(true).section().u32(6).u32(13).raw([0, 0, 0, 0]).octets,
      new Blocks(true).section().u32(6).u32(0xfffffff0).raw([0, 0, 0, 0]).octets,
    ]) {
      expect(() => all(octets)).to.throw(/the file/);
    }
  });

  it('survives damage anywhere', () => {
    const file = new Blocks(true)
      .section()
      .interface(1, 0, { 2: [1, 2, 3], 9: [6] })
      .enhanced(0, 0, 1, [...PACKETS[0]!], 40)
      .simple([1, 2, 3], 3).octets;
    const noise = randomOctets(4096, 99);
    for (let i = 0; i < 4000; i++) {
      const copy = Buffer.from(file);
      copy[4 + ((noise[i & 4095]! * 256 + noise[(i * 3) & 4095]!) % (copy.length - 4))] =
        noise[(i * 7) & 4095]!;
      try {
        all(copy);
      } catch (error) {
        expect((error as Error).message).to.match(/^the file/);
      }
    }
  });
});

function all(octets: Uint8Array): CapturedFrame[] {
  const reader = new CaptureReader();
  reader.push(octets);
  const frames: CapturedFrame[] = [];
  for (let frame = reader.next(); frame !== null; frame = reader.next()) frames.push(frame);
  reader.end();
  return frames;
}

/** Writes capture files field by field. */
class Blocks {
  #octets: number[] = [];

  constructor(readonly little: boolean) {}

  get octets(): Buffer {
    return Buffer.from(this.#octets);
  }

  u16(value: number): this {
    const pair = [value >>> 8, value & 255];
    return this.raw(this.little ? pair.reverse() : pair);
  }

  u32(value: number): this {
    const four = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
    return this.raw(this.little ? four.reverse() : four);
  }

  raw(octets: readonly number[]): this {
    this.#octets.push(...octets);
    return this;
  }

  block(type: number, body: readonly number[]): this {
    const padded = [...body, ...new Array<number>((4 - (body.length % 4)) % 4).fill(0)];
    return this.u32(type)
      .u32(padded.length + 12)
      .raw(padded)
      .u32(padded.length + 12);
  }

  section(): this {
    const body = new Blocks(this.little).u32(0x1a2b3c4d).u16(1).u16(0).u32(0xffffffff).u32(0xffffffff);
    return this.block(0x0a0d0d0a, body.#octets);
  }

  interface(linkType: number, snap: number, options: Record<number, number[]>): this {
    const body = new Blocks(this.little).u16(linkType).u16(0).u32(snap);
    for (const [code, value] of Object.entries(options)) {
      body.u16(Number(code)).u16(value.length).raw(value);
      body.raw(new Array<number>((4 - (value.length % 4)) % 4).fill(0));
    }
    return this.block(1, body.u32(0).#octets);
  }

  enhanced(number: number, high: number, low: number, octets: readonly number[], original: number): this {
    const body = new Blocks(this.little).u32(number).u32(high).u32(low).u32(octets.length).u32(original);
    return this.block(6, body.raw(octets).#octets);
  }

  simple(octets: readonly number[], original: number): this {
    return this.block(3, new Blocks(this.little).u32(original).raw(octets).#octets);
  }
}
