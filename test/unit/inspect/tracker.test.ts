import { expect } from 'chai';
import { TcpFlag } from '../../../src/inspect/dissection.js';
import { loadDissector, type Dissector } from '../../../src/inspect/dissector.js';
import { formatLine } from '../../../src/inspect/line.js';
import { summarize } from '../../../src/inspect/summary.js';
import { patternOctets } from '../octets.js';
import { Conversation, hex, hex64, KEY_A, KEY_B } from './scripted.js';

const { SYN, ACK, PSH, FIN, RST } = TcpFlag;

describe('the tracker', () => {
  let dissector: Dissector;

  before(async () => {
    dissector = await loadDissector();
  });

  const open = (flags?: string): Conversation => new Conversation(dissector).open(flags);

  it('counts from the initial numbers, across the wrap of both sequence spaces', () => {
    const talk = open();
    // The opener's sequence numbers wrap after 16 octets.
    const packet = talk.packet(
      'a',
      ACK,
      1,
      1,
      talk.dss({ from: 'a', ack: 1, dsn: 1, ssn: 1, length: 100 }),
      new Uint8Array(100),
    );
    expect(packet.relative).to.include({ seq: 1, ack: 1, dsn: 1, dataAck: 1 });
    const next = talk.packet(
      'a',
      ACK,
      101,
      1,
      talk.dss({ from: 'a', ack: 1, dsn: 101, ssn: 101, length: 9 }),
      new Uint8Array(9),
    );
    expect(next.relative).to.include({ seq: 101, dsn: 101 });
    const answer = talk.packet('b', ACK, 1, 110, talk.dss({ from: 'b', ack: 110 }));
    expect(answer.relative).to.include({ ack: 110, dataAck: 110 });
    expect([...packet.marks, ...next.marks, ...answer.marks]).to.deep.equal([]);
  });

  it('expands 32-bit data sequence numbers', () => {
    const talk = open();
    const low = (value: bigint): string => hex64(value).slice(8);
    const dss = `1e122005${low(dissector.idsn(KEY_B) + 1n)}${low(dissector.idsn(KEY_A) + 1n)}000000010005`;
    const packet = talk.packet('a', ACK | PSH, 1, 1, dss, new Uint8Array(5));
    expect(packet.relative).to.include({ dsn: 1, dataAck: 1 });
  });

  it('tells a retransmission from a reinjection', () => {
    const talk = open();
    expect(talk.data('a', 1, 1, 100)).to.deep.equal([]);
    expect(talk.data('a', 1, 1, 100)).to.deep.equal(['retransmission']);
    join(talk, dissector);
    expect(talk.data('a', 1, 1, 100)).to.deep.equal(['reinjection of 1.0']);
    const [first] = talk.tracker.connections;
    expect(summarize(first!)).to.have.nested.include({
      'forward.bytes': 100,
      'forward.reinjectedBytes': 100,
      'subflows[0].forward.retransmissions': 1,
      'subflows[1].forward.retransmissions': 0,
    });
  });

  it('follows the order of data over two subflows', () => {
    const talk = open();
    talk.data('a', 1, 1, 100);
    join(talk, dissector);
    expect(talk.data('a', 1, 201, 100)).to.deep.equal(['ahead of 100 octets']);
    talk.subflow(0);
    expect(talk.data('a', 101, 101, 100)).to.deep.equal(['complete to 301']);
    talk.send('b', ACK, 1, 201, talk.dss({ from: 'b', ack: 301 }));
    expect(talk.data('a', 201, 101, 100)).to.deep.equal(['data repeated']);
  });

  it('goes on behind data that the capture missed and the peer acknowledged', () => {
    const talk = open();
    talk.data('a', 1, 1, 100);
    talk.send('b', ACK, 1, 501, talk.dss({ from: 'b', ack: 501 }));
    expect(talk.data('a', 501, 501, 100)).to.deep.equal([]);
    expect(summarize(talk.tracker.connections[0]!).forward.bytes).to.equal(600);
  });

  it('tells late packets from lost ones', () => {
    const talk = open();
    talk.data('a', 1, 1, 100);
    expect(talk.data('a', 201, 201, 100)).to.include('100 octets before it missing');
    expect(talk.data('a', 101, 101, 100)).to.include('out of order');
    expect(talk.data('a', 401, 401, 100)).to.include('100 octets before it missing');
    talk.wait(100_000);
    expect(talk.data('a', 301, 301, 100)).to.include('retransmission');
  });

  it('judges acknowledgements and windows', () => {
    const talk = open();
    talk.data('a', 1, 1, 100);
    talk.data('a', 101, 101, 100);
    const ack = (window: number): string[] => {
      const options = talk.dss({ from: 'b', ack: 101 });
      return talk.packet('b', ACK, 1, 101, options, undefined, { window }).marks.map(({ kind }) => kind);
    };
    expect(ack(1000)).to.deep.equal([]);
    expect(ack(1000)).to.deep.equal(['duplicateAck']);
    expect(ack(1000)).to.deep.equal(['duplicateAck']);
    expect(ack(2000)).to.deep.equal(['windowUpdate']);
    expect(ack(0)).to.deep.equal(['zeroWindow', 'windowUpdate']);
    // An octet that was sent before, to see whether the window is open again.
    expect(talk.data('a', 200, 200, 1)).to.deep.equal(['window probe']);
    // Signals repeat the last ACK and mean no loss.
    expect(talk.send('b', ACK, 1, 101, '1e0351')).to.not.include('duplicate ACK 1');
  });

  it('verifies DSS checksums over whole mappings', () => {
    const talk = open('81');
    const payload = patternOctets(201);
    const right = dissector.dssChecksum(dissector.idsn(KEY_A) + 1n, 1, 201, dissector.octetSum(payload));
    const map = { from: 'a', ack: 1, dsn: 1, ssn: 1, length: 201, checksum: right } as const;
    // Split at an odd place, the second part first.
    expect(talk.send('a', ACK, 102, 1, talk.dss(map), payload.subarray(101))).to.not.include(
      'DSS checksum good',
    );
    expect(talk.send('a', ACK, 1, 1, talk.dss(map), payload.subarray(0, 101))).to.include(
      'DSS checksum good',
    );
    const wrong = talk.dss({ ...map, dsn: 202, ssn: 202, length: 10 });
    expect(talk.send('a', ACK, 202, 1, wrong, new Uint8Array(10))).to.deep.equal(['DSS checksum bad']);
    const fin = dissector.dssChecksum(dissector.idsn(KEY_A) + 212n, 0, 1, 0);
    const end = talk.dss({ from: 'a', ack: 1, dsn: 212, ssn: 0, length: 1, fin: true, checksum: fin });
    expect(talk.send('a', ACK, 212, 1, end)).to.deep.equal(['DATA_FIN', 'DSS checksum good']);
  });

  it('verifies the HMACs of joins and addresses', () => {
    const talk = open();
    expect(join(talk, dissector)).to.deep.equal(['HMAC good', 'HMAC good']);
    talk.join();
    talk.send('a', SYN, 0, 0, `1e0c1003${hex(dissector.token(KEY_B), 8)}00000001`);
    expect(talk.send('b', SYN | ACK, 0, 1, `1e101004${hex64(1n)}00000002`)).to.deep.equal(['HMAC bad']);
    talk.subflow(0);
    const octets = Uint8Array.of(10, 0, 2, 1);
    const hmac = dissector.addAddrHmac(KEY_B, KEY_A, 4, octets, null);
    expect(talk.send('b', ACK, 1, 1, `1e1030040a000201${hex64(hmac)}`)).to.deep.equal(['HMAC good']);
    expect(talk.send('b', ACK, 1, 1, `1e1030040a000202${hex64(hmac)}`)).to.deep.equal(['HMAC bad']);
    expect(talk.send('a', ACK, 1, 1, '1e0831040a000201')).to.deep.equal(['echo']);
    expect(talk.send('a', ACK, 1, 1, '1e0831090a000201')).to.deep.equal(['echo of nothing']);
    expect(summarize(talk.tracker.connections[0]!).addresses).to.deep.include.members([
      {
        from: '<',
        addressId: 4,
        address: '10.0.2.1',
        port: null,
        times: 1,
        echoed: true,
        removed: false,
        hmac: 'good',
      },
    ]);
  });

  it('finds no connection for an unknown token', () => {
    const talk = new Conversation(dissector);
    expect(talk.send('a', SYN, 0, 0, '1e0c1001deadbeef00000001')).to.include('token unknown');
  });

  const fallbacks: Readonly<Record<string, (talk: Conversation) => string[]>> = {
    'no MP_CAPABLE on the SYN/ACK': (talk) => {
      talk.send('a', SYN, 0, 0, '1e040101');
      return talk.send('b', SYN | ACK, 0, 1);
    },
    'the SYN was repeated without MP_CAPABLE': (talk) => {
      talk.send('a', SYN, 0, 0, '1e040101');
      return talk.send('a', SYN, 0, 0);
    },
    'no MP_CAPABLE on the third packet': (talk) => {
      talk.send('a', SYN, 0, 0, '1e040101');
      talk.send('b', SYN | ACK, 0, 1, `1e0c0101${hex64(KEY_B)}`);
      return talk.send('a', ACK, 1, 1);
    },
    'no Multipath option in the answer to the keys': (talk) => {
      talk.send('a', SYN, 0, 0, '1e040101');
      talk.send('b', SYN | ACK, 0, 1, `1e0c0101${hex64(KEY_B)}`);
      talk.send('a', ACK, 1, 1, `1e140101${hex64(KEY_A)}${hex64(KEY_B)}`);
      return talk.send('b', ACK, 1, 1);
    },
    'data without a mapping': (talk) => {
      talk.open();
      return talk.send('a', ACK, 1, 1, '', new Uint8Array(10));
    },
    'infinite mapping': (talk) => {
      talk.open();
      return talk.send(
        'a',
        ACK,
        1,
        1,
        talk.dss({ from: 'a', ack: 1, dsn: 1, ssn: 1, length: 0 }),
        new Uint8Array(9),
      );
    },
  };
  for (const [reason, script] of Object.entries(fallbacks)) {
    it(`sees the fallback: ${reason}`, () => {
      const talk = new Conversation(dissector);
      expect(script(talk)).to.include(`falls back: ${reason}`);
      expect(summarize(talk.tracker.connections[0]!).fallback?.reason).to.equal(reason);
    });
  }

  it('tells how connections end', () => {
    const ending = (script: (talk: Conversation) => string[]): [string[], string] => {
      const talk = open();
      const marks = script(talk);
      return [marks, summarize(talk.tracker.connections[0]!).end];
    };
    const fin = (talk: Conversation, from: 'a' | 'b', ack: number): string[] =>
      talk.send(from, ACK, 1, 1, talk.dss({ from, ack, dsn: 1, ssn: 0, length: 1, fin: true }));
    expect(
      ending((talk) => {
        fin(talk, 'a', 1);
        fin(talk, 'b', 2);
        return talk.send('a', ACK | FIN, 1, 1, talk.dss({ from: 'a', ack: 2 }));
      }),
    ).to.deep.equal([['DATA_FIN acknowledged'], 'DATA_FIN both ways']);
    expect(ending((talk) => talk.send('a', ACK, 1, 1, `1e0c7000${hex64(KEY_B)}`))).to.deep.equal([
      ['fastclose, key good'],
      'MP_FASTCLOSE by the opener',
    ]);
    expect(ending((talk) => talk.send('b', ACK, 1, 1, `1e0c7000${hex64(KEY_B)}`))).to.deep.equal([
      ['fastclose, key bad'],
      'open',
    ]);
    expect(ending((talk) => talk.send('b', RST | ACK, 1, 1, '1e048102'))).to.deep.equal([
      ['reset: lack of resources, for now'],
      'every subflow reset',
    ]);
  });

  it('starts another connection when the ports are used again', () => {
    const talk = open();
    talk.packet('a', SYN, 0, 0, '', undefined, { seq: 77 });
    expect(talk.tracker.connections.map(({ multipath }) => multipath)).to.deep.equal([true, false]);
  });

  it('understands a capture that begins in the middle', () => {
    const talk = new Conversation(dissector);
    expect(
      talk.packet(
        'a',
        ACK,
        5000,
        7000,
        talk.dss({ from: 'a', ack: 9, dsn: 50, ssn: 5000, length: 10 }),
        new Uint8Array(10),
      ),
    )
      .to.have.property('relative')
      .that.includes({ seq: 1, ack: 1, dsn: 1, dataAck: 1 });
    expect(talk.send('b', ACK, 7000, 5010, talk.dss({ from: 'b', ack: 60 }))).to.deep.equal([]);
    expect(talk.tracker.connections[0]?.fallback).to.equal(null);
  });

  it('writes a line for each packet', () => {
    const talk = open();
    const payload = new Uint8Array(10);
    const packet = talk.packet(
      'a',
      ACK | PSH,
      1,
      1,
      talk.dss({ from: 'a', ack: 1, dsn: 1, ssn: 1, length: 10 }),
      payload,
    );
    expect(formatLine(packet, 0)).to.equal(
      '   0.000500 1.0  > P.  1:11(10)               ack 1        win 1000    <dss dack8 1 dsn8 1:11(10) ssn 1>',
    );
  });
});

/** A second subflow, opened by `a`. The marks on the answer and on the third packet. */
function join(talk: Conversation, dissector: Dissector): string[] {
  talk.join();
  const [mine, theirs] = [0x01020304, 0xa1a2a3a4];
  talk.send('a', SYN, 0, 0, `1e0c1002${hex(dissector.token(KEY_B), 8)}${hex(mine, 8)}`);
  const answer = dissector.joinHmac(KEY_B, KEY_A, theirs, mine).slice(0, 16);
  const proof = dissector.joinHmac(KEY_A, KEY_B, mine, theirs).slice(0, 40);
  return [
    ...talk.send('b', SYN | ACK, 0, 1, `1e101003${answer}${hex(theirs, 8)}`),
    ...talk.send('a', ACK, 1, 1, `1e181000${proof}`),
  ];
}
