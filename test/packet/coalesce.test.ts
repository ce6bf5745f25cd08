/** Bursts that arrive in one batch are taken as one segment (assembly/tcp/coalesce.ts); nobody can tell. */
import { expect } from 'chai';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { Bench, type BenchOptions } from './bench.js';
import { dssChecksum } from './crypto.js';
import type { Fields } from './fields.js';
import { Peer } from './peer.js';

const TEXT = Array.from({ length: 40 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');

/** A burst of segments of `size` octets that repeat the mapping of all; `change` alters single ones. */
function burst(peer: Peer, size: number, change: (i: number) => Fields = () => ({})): void {
  const { session, bench } = peer;
  const { dsn } = session;
  const [ssn, length] = [peer.seq, TEXT.length];
  const checksum = dssChecksum(session.idsn + BigInt(dsn), ssn, length, Buffer.from(TEXT, 'latin1'));
  const dss = { dack: session.dack, dsn, ssn, length, ...(session.checksum ? { checksum } : {}) };
  bench.holding = true;
  for (let i = 0; i * size < length; i++) {
    const data = TEXT.slice(i * size, (i + 1) * size);
    peer.send({ seq: ssn + i * size, flags: (i + 1) * size >= length ? 'PA' : 'A', data, dss, ...change(i) });
  }
  session.dsn += length;
  bench.holding = false;
  bench.settle();
}

async function established(options: BenchOptions = {}): Promise<Peer> {
  const bench = await Bench.create(options);
  bench.listen();
  const peer = new Peer(bench, { ts: true }).open();
  // Quick acknowledgements are over.
  for (let i = 0; i < 20; i++) peer.data('x').drain();
  bench.app.text = '';
  return peer;
}

/** Numbers of the packets of a batch that the device spoils. */
function spoil(bench: Bench, which: number): void {
  const inject = bench.inject.bind(bench);
  let n = 0;
  bench.inject = (path, packet) => {
    const copy = Buffer.from(packet);
    if (n++ === which) copy[copy.length - 1] = (copy.at(-1) as number) ^ 1;
    inject(path, copy);
  };
}

describe('packets: bursts in one batch', () => {
  const cases: readonly (readonly [string, BenchOptions])[] = [
    ['over IPv4', {}],
    ['over IPv6', { ipv6: true }],
    ['with DSS checksums', { config: [[CFG_CHECKSUM, 1]] }],
  ];
  for (const [name, options] of cases) {
    for (const size of [1, 7, 10, 40]) {
      it(`${name}: segments of ${size} octets, each counted, one acknowledgement`, async () => {
        const peer = await established(options);
        const before = peer.bench.counter('InSegs');
        burst(peer, size);
        expect(peer.bench.app.text).to.equal(TEXT);
        expect(peer.bench.counter('InSegs') - before).to.equal(Math.ceil(TEXT.length / size));
        peer.bench.wait(50_000);
        const [ack, ...more] = peer.drain();
        expect(more).to.deep.equal([]);
        expect(ack?.ack).to.equal(peer.seq);
      });
    }
  }

  it('a segment whose checksum is wrong is dropped, what came before it counts', async () => {
    const peer = await established();
    spoil(peer.bench, 2);
    burst(peer, 10);
    expect(peer.bench.app.text).to.equal(TEXT.slice(0, 20));
    expect(peer.bench.counter('InCsumErrors')).to.equal(1);
    peer.send({ seq: peer.seq - 20, data: TEXT.slice(20, 30), dss: { dack: peer.session.dack } });
    expect(peer.bench.app.text).to.equal(TEXT);
  });

  it('one with another acknowledgement, window, timestamp or flag stands for itself', async () => {
    const changes: readonly Fields[] = [{ window: 77 }, { ts: [9999, 0] }, { flags: 'PA' }, { flags: 'AF' }];
    for (const fields of changes) {
      const peer = await established();
      burst(peer, 10, (i) => (i === 1 || (fields.flags === 'AF' && i === 3) ? fields : {}));
      const whole = fields.flags === 'AF' ? TEXT.slice(0, 20) : TEXT;
      expect(peer.bench.app.text, JSON.stringify(fields)).to.equal(whole);
    }
  });

  it('one that is missing leaves the others out of order, each told at once', async () => {
    const peer = await established();
    burst(peer, 10, (i) => (i === 1 ? { seq: 100_000 } : {}));
    expect(peer.bench.app.text).to.equal(TEXT.slice(0, 10));
    const sacks = peer.drain().filter(({ sack }) => sack !== null && sack.length > 0);
    expect(sacks.length).to.be.at.least(2);
  });
});
