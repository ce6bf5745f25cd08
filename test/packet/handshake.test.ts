/** The first handshake, packet by packet: points 1 to 5 of what a Linux peer expects. */
import { expect } from 'chai';
import { CFG_CHECKSUM, CFG_MPTCP } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { tokenOf } from './crypto.js';
import { Peer, Session } from './peer.js';

const server = async (...config: [number, number][]): Promise<Bench> => {
  const bench = await Bench.create({ config });
  bench.listen();
  return bench;
};
const client = async (...config: [number, number][]): Promise<Bench> => {
  const bench = await Bench.create({ config });
  bench.connect();
  return bench;
};

describe('packets: MP_CAPABLE on SYN and SYN/ACK', () => {
  it('point 1: sends four octets, version 1, H alone, after the other options in the order of Linux', async () => {
    const bench = await client();
    const syn = new Peer(bench).takeSyn({ capable: { version: 1, flags: 1 } });
    expect(syn.capable?.sender).to.equal(undefined);
    expect(syn.raw).to.match(/^020405b4.*0402080a.{16}.*0103030[0-9a-e]1e040101$/);
  });

  for (const [what, flags, answered] of [
    ['H', 0x01, true],
    ['H and C', 0x21, true],
    ['H and A', 0x81, true],
    ['H and B', 0x41, false],
    ['no algorithm', 0x00, false],
    ['H and G', 0x03, false],
    ['H and D', 0x11, false],
  ] as const) {
    it(`point 1: a SYN with ${what} is ${answered ? 'answered' : 'plain TCP'}`, async () => {
      const bench = await server();
      const peer = new Peer(bench).send({ flags: 'S', capable: { flags } });
      peer.expect({ flags: 'SA', capable: answered ? { version: 1, flags: 1 } : null });
    });
  }

  for (const [version, answered] of [
    [0, false],
    [1, true],
    [2, true],
    [15, true],
  ] as const) {
    it(`point 1: version ${version} in the SYN gets ${answered ? 'version 1' : 'no option'}`, async () => {
      const bench = await server();
      const peer = new Peer(bench).send({ flags: 'S', capable: { version } });
      peer.expect({ flags: 'SA', capable: answered ? { version: 1 } : null });
    });
  }

  it('point 1: a client falls back on an answer of another version, with B, or with another algorithm', async () => {
    for (const capable of [{ version: 2 }, { version: 0 }, { flags: 0x41 }, { flags: 0x03 }, { flags: 0 }]) {
      const bench = await client();
      const peer = new Peer(bench);
      peer.takeSyn();
      peer.send({ flags: 'SA', capable: { ...capable, sender: 7n } });
      peer.expect({ flags: 'A', capable: null, dss: null });
      expect(bench.app.fallback).to.contain('MP_CAPABLE');
      expect(bench.counter('MPCapableFallbackSYNACK')).to.equal(1);
    }
  });

  it('point 1: a client falls back when its own option is echoed in the SYN/ACK', async () => {
    const bench = await client();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'SA', capable: {} });
    peer.expect({ flags: 'A', capable: null });
    expect(bench.app.connected).to.equal(true);
  });

  it('answers nothing of Multipath TCP when it is switched off', async () => {
    const bench = await server([CFG_MPTCP, 0]);
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    peer.expect({ flags: 'SA', capable: null });
    const other = await client([CFG_MPTCP, 0]);
    new Peer(other).takeSyn({ capable: null });
  });

  it('point 12: A of either SYN holds for both, and the SYN/ACK shows the own wish only', async () => {
    const bench = await server();
    const peer = new Peer(bench).open(0x81);
    peer.data('hello');
    peer.expect({ dss: { dack: 6 } });
    const strict = await server([CFG_CHECKSUM, 1]);
    new Peer(strict).send({ flags: 'S', capable: {} }).expect({ capable: { flags: 0x81 } });
  });
});

describe('packets: the third ACK and the first data', () => {
  it('point 3: the client sends both keys, its own first', async () => {
    const bench = await client();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'SA', capable: { sender: peer.session.key } });
    const third = peer.expect({
      flags: 'A',
      seq: 1,
      ack: 1,
      capable: { flags: 1, receiver: peer.session.key },
    });
    const sender = third.capable?.sender ?? 0n;
    expect(bench.app.live.info().localToken).to.equal(tokenOf(sender).toString(16).padStart(8, '0'));
    expect(bench.app.live.info().remoteToken).to.equal(
      tokenOf(peer.session.key).toString(16).padStart(8, '0'),
    );
    expect(third.optionLength).to.equal(20);
  });

  it('point 3: a server without it goes on with plain TCP, without a reset', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    peer.expect({ flags: 'SA' });
    peer.send();
    peer.expectNothing();
    expect(bench.counter('MPCapableFallbackACK')).to.equal(1);
    bench.app.write('plain');
    peer.expect({ data: 'plain', dss: null });
    peer.send({ flags: 'PA', data: 'too' });
    expect(bench.app.text).to.equal('too');
  });

  it('point 3: a third ACK that echoes another key is not taken for proof', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    peer.expect({ flags: 'SA' });
    peer.send({ capable: { sender: 5n, receiver: 6n } });
    expect(bench.app.fallback).to.not.equal(null);
  });

  it('point 4: MP_CAPABLE goes with the first data until the server answers, in retransmissions too', async () => {
    const bench = await client();
    const peer = new Peer(bench).accept();
    bench.wait(10_000);
    bench.app.write('hello');
    const first = peer.expect({ flags: 'PA', seq: 1, data: 'hello', dss: null, capable: { length: 5 } });
    expect(first.capable?.receiver).to.equal(peer.session.key);
    bench.wait(1e6);
    const again = peer.drain();
    expect(again).to.have.length.above(0);
    for (const packet of again)
      expect(packet).to.containSubset({ seq: 1, data: 'hello', capable: { length: 5 } });
    peer.acknowledge({ dss: { dack: 6 } });
    bench.app.write('more');
    peer.expect({ data: 'more', capable: null, dss: { dsn: 6, ssn: 6, length: 4 } });
  });

  it('point 4: the first mapping has the form of MP_CAPABLE on all its segments, later data before the answer uses DSS', async () => {
    const bench = await client();
    const peer = new Peer(bench).accept();
    bench.app.write('x'.repeat(3000));
    for (const { capable, dss } of peer.drain()) {
      expect(capable?.length).to.equal(3000);
      expect(dss).to.equal(null);
    }
    bench.app.live.setNoDelay(true);
    bench.app.write('more');
    peer.expect({ capable: null, dss: { dsn: 3001, ssn: 3001, length: 4 } });
  });

  it('point 4: data with a DSS is taken after the third ACK', async () => {
    const bench = await server();
    const peer = new Peer(bench).open();
    peer.data('hello');
    peer.expect({ flags: 'A', ack: 6, dss: { dack: 6, dackWidth: 8 } });
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.live.info().fullyEstablished).to.equal(true);
  });

  it('point 4: MP_CAPABLE with data replaces a lost third ACK', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    const { session } = peer;
    peer.expect({ flags: 'SA' });
    peer.send({
      flags: 'PA',
      data: 'hello',
      capable: { sender: session.key, receiver: session.stackKey, length: 5 },
    });
    peer.expect({ flags: 'A', ack: 6, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.fallback).to.equal(null);
  });

  it('point 4: data that overtakes a lost third ACK waits for MP_CAPABLE with the first octet', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    const { session } = peer;
    peer.expect({ flags: 'SA' });
    peer.data('world', { dsn: 6, ssn: 6 }, { seq: 6 });
    peer.drain();
    const capable = { sender: session.key, receiver: session.stackKey, length: 5 };
    peer.send({ flags: 'A', seq: 1, data: 'hello', capable });
    peer.drain();
    peer.data('world', { dsn: 6, ssn: 6 }, { seq: 6 });
    peer.expect({ ack: 11, dss: { dack: 11 } });
    expect(bench.app.text).to.equal('helloworld');
    expect(bench.app.fallback).to.equal(null);
  });

  it('point 4: a DSS alone in place of the third ACK is plain TCP', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    peer.expect({ flags: 'SA' });
    peer.data('hello', { dack: 1 });
    peer.expect({ flags: 'A', ack: 6, dss: null });
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.fallback).to.not.equal(null);
  });

  it('point 4: MP_CAPABLE with data that repeats what was taken is a duplicate', async () => {
    const bench = await server();
    const peer = new Peer(bench).open();
    const { session } = peer;
    const capable = { sender: session.key, receiver: session.stackKey, length: 5 };
    peer.send({ flags: 'PA', data: 'hello', capable }).expect({ ack: 6, dss: { dack: 6 } });
    peer.send({ flags: 'PA', seq: 1, data: 'hello', capable }).expect({ ack: 6, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('hello');
  });
});

describe('packets: a lost third ACK', () => {
  it('point 3: the client sends it again, with both keys, when the SYN/ACK comes again', async () => {
    const bench = await client();
    const peer = new Peer(bench);
    peer.takeSyn();
    const capable = { sender: peer.session.key };
    peer.send({ flags: 'SA', seq: 0, capable });
    const third = peer.expect({ flags: 'A' });
    peer.send({ flags: 'SA', seq: 0, capable });
    expect(peer.expect({ flags: 'A' }).capable).to.deep.equal(third.capable);
    expect(bench.app.closed).to.equal(false);
  });

  it('point 3: the server repeats its SYN/ACK with the same key', async () => {
    const bench = await server();
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    const { capable } = peer.expect({ flags: 'SA' });
    for (const gap of [1e6, 2e6, 4e6, 8e6, 16e6]) {
      expect(peer.expectAfter(gap, { flags: 'SA' }).capable).to.deep.equal(capable);
    }
    peer.expectNothing(40e6); // nor a reset: the SYN may have been forged
    expect(bench.stack.core.x.connections()).to.equal(0);
  });
});

describe('packets: fully established at the client', () => {
  it('point 5: DSS with DATA_ACK does it', async () => {
    const bench = await client();
    const peer = new Peer(bench).accept();
    expect(bench.app.live.info().fullyEstablished).to.equal(false);
    peer.acknowledge();
    expect(bench.app.live.info().fullyEstablished).to.equal(true);
  });

  it('point 5: ADD_ADDR with the right HMAC does it, with a wrong one not', async () => {
    const bench = await client();
    const peer = new Peer(bench).accept();
    peer.addAddr({ id: 2, address: '10.9.0.1', hmac: '0000000000000000' });
    expect(bench.app.live.info().fullyEstablished).to.equal(false);
    peer.addAddr({ id: 2, address: '10.9.0.1' });
    expect(bench.app.live.info().fullyEstablished).to.equal(true);
  });

  it('point 5: data from the server without DSS means plain TCP', async () => {
    const bench = await client();
    const peer = new Peer(bench).accept();
    peer.send({ flags: 'PA', data: 'hello' });
    peer.expect({ ack: 6, dss: null, capable: null });
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.fallback).to.equal('no DSS from the peer');
    expect(bench.counter('MPCapableDataFallback')).to.equal(1);
  });

  it('point 5: an ACK of the first data without DSS means plain TCP', async () => {
    const bench = await client();
    const peer = new Peer(bench).accept();
    bench.app.write('hello');
    peer.expect({ capable: { length: 5 } });
    peer.send({ ack: 6 });
    bench.app.write('world');
    peer.expect({ data: 'world', dss: null, capable: null });
    expect(bench.counter('MPCapableDataFallback')).to.equal(1);
  });

  it('point 5: the server puts DSS on every ACK from the third one on', async () => {
    const bench = await server();
    const peer = new Peer(bench, { session: new Session(0x77n) }).open();
    for (let i = 0; i < 40; i++) {
      peer.data('0123456789');
      bench.wait(50_000);
      for (const seen of peer.drain())
        expect(seen.dss?.dack, `ACK after segment ${i}`).to.equal(1 + 10 * (i + 1));
    }
  });
});
