import { expect } from 'chai';
import { joinSegments } from '../../src/io/udp-join.js';
import { tcpSegment, type TcpFields } from './tcp-packet.js';

type Out = [sequence: number, octets: number, flags: number, payload: number];

/** Joins segments with these fields; the first one's size is that of all but the last. */
function joined(...fields: TcpFields[]): Out[] {
  const segments = fields.map((one) => tcpSegment(one));
  const data = Buffer.concat([Buffer.alloc(3), ...segments, Buffer.alloc(3)]);
  const size = segments[0]?.length ?? 0;
  const out: Out[] = [];
  joinSegments(data, 3, data.length - 3, size, (start, end, payload) => {
    out.push([data.readUInt32BE(start + 4), end - start, data[start + 13] as number, payload]);
  });
  return out;
}

const data = (sequence: number, more: TcpFields = {}): TcpFields => ({ sequence, payload: 100, ...more });

describe('joining segments', () => {
  it('joins consecutive ones, across the wrap of sequence numbers, and a shorter last one', () => {
    const fields = [data(0xffffffa0), data(4), data(104, { payload: 7 })];
    expect(joined(...fields)).to.deep.equal([[0xffffffa0, 227, 0x10, 100]]);
  });

  it('ends with PSH and FIN', () => {
    expect(joined(data(0), data(100, { flags: 0x18 }), data(200), data(300, { flags: 0x11 }))).to.deep.equal([
      [0, 220, 0x18, 100],
      [200, 220, 0x11, 100],
    ]);
    expect(joined(data(0, { flags: 0x18 }), data(100))).to.deep.equal([
      [0, 120, 0x18, 0],
      [100, 120, 0x10, 0],
    ]);
  });

  const option = (value: number): TcpFields => ({ options: Uint8Array.of(1, 1, 30, value) });
  const different: [string, TcpFields, TcpFields][] = [
    ['beyond a hole', {}, { sequence: 101 }],
    ['sent again', {}, { sequence: 0 }],
    ['with another acknowledgement', {}, { acknowledgement: 2 }],
    ['with another port', {}, { destinationPort: 444 }],
    ['with another option', option(2), option(3)],
    ['with a SYN', {}, { flags: 0x12 }],
    ['with a RST', {}, { flags: 0x14 }],
    ['with URG', {}, { flags: 0x30 }],
    ['with CWR', {}, { flags: 0x90 }],
    ['without ACK', {}, { flags: 0 }],
  ];
  for (const [name, first, second] of different) {
    it(`leaves apart one ${name}`, () => {
      const a = data(0, first);
      const b = data(100, second);
      const octets = tcpSegment(a).length;
      expect(joined(a, b).map(([, length, , payload]) => [length, payload])).to.deep.equal([
        [octets, 0],
        [octets, 0],
      ]);
    });
  }

  it('leaves apart segments without data and what is none', () => {
    expect(joined({ sequence: 1 }, { sequence: 1 })).to.have.length(2);
    for (const offset of [0, 0x40, 0xf0]) {
      const segments = Buffer.concat([
        tcpSegment(data(0, { payload: 5 })),
        tcpSegment(data(5, { payload: 5 })),
      ]);
      segments[12] = segments[37] = offset;
      let count = 0;
      joinSegments(segments, 0, 50, 25, () => count++);
      expect(count).to.equal(2);
    }
    let count = 0;
    joinSegments(Buffer.alloc(9), 0, 9, 1, () => count++);
    expect(count).to.equal(9);
  });
});
