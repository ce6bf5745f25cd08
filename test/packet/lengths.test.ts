/** Options of wrong length are absent: point 2 of what a Linux peer expects. */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

const server = async (): Promise<Bench> => {
  const bench = await Bench.create();
  bench.listen();
  return bench;
};

describe('packets: option lengths', () => {
  for (const [where, raw] of [
    ['5', '1e05010100'],
    ['8', '1e08010100000000'],
    ['12', '1e0c01010102030405060708'],
  ] as const) {
    it(`point 2: MP_CAPABLE of ${where} octets on a SYN is absent`, async () => {
      const bench = await server();
      new Peer(bench).send({ flags: 'S', raw }).expect({ flags: 'SA', capable: null });
    });
  }

  it('point 2: MP_CAPABLE of 20 octets on a data packet is absent: plain TCP', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    const answer = peer.expect({ flags: 'SA' });
    const receiver = answer.capable?.sender ?? 0n;
    peer.send({ flags: 'PA', data: 'hello', capable: { sender: peer.session.key, receiver } });
    peer.expect({ flags: 'A', ack: 6, dss: null });
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.fallback).to.not.equal(null);
    expect(bench.counter('MPCapableFallbackACK')).to.equal(1);
  });

  it('point 2: MP_CAPABLE of 22 octets on a pure ACK is absent: plain TCP', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    const receiver = peer.expect({ flags: 'SA' }).capable?.sender ?? 0n;
    peer.send({ capable: { sender: peer.session.key, receiver, length: 5 } });
    expect(bench.app.fallback).to.not.equal(null);
  });

  it('point 2: wrong lengths of DSS, ADD_ADDR, MP_PRIO, MP_FAIL, MP_FASTCLOSE change nothing', async () => {
    for (const raw of [
      '1e092003f5a101d3d2010101', // DATA_ACK of five octets
      '1e0930010a000003010101', // ADD_ADDR without HMAC
      '1e0450010101', // MP_PRIO of version 0
      '1e0b6000010203040506070101',
      '1e0b7000010203040506070101',
      '1e034001', // REMOVE_ADDR of nothing
    ]) {
      const bench = await server();
      const peer = new Peer(bench).open();
      peer.data('hello');
      peer.expect({ dss: { dack: 6 } });
      peer.send({ raw: raw.slice(0, 2 * parseInt(raw.slice(2, 4), 16)) });
      peer.expectNothing(1000);
      peer.data('world');
      peer.expect({ dss: { dack: 11 } });
      expect(bench.app.text).to.equal('helloworld');
    }
  });

  it('point 2: an option of length 0 or beyond the header ends the reading, not the segment', async () => {
    for (const raw of ['1e00', '1eff2003', '1e']) {
      const bench = await server();
      const peer = new Peer(bench).openPlain();
      peer.send({ flags: 'PA', data: 'x', raw });
      expect(bench.app.text).to.equal('x');
    }
  });
});
