/** Plain TCP: FIN and RST in every state, challenge ACKs, PAWS, TIME-WAIT, simultaneous open. */
import { expect } from 'chai';
import { CFG_CHALLENGE_INTERVAL } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Peer, type PeerOptions } from './peer.js';

const opened = async (options: PeerOptions = {}): Promise<Peer> => {
  const bench = await Bench.create();
  bench.listen();
  return new Peer(bench, options).openPlain();
};
const stateOf = (peer: Peer): string | undefined => peer.bench.app.live.liveSubflows()[0]?.state;

/** Brings a fresh plain connection into a state. */
const WAYS: Record<string, (peer: Peer) => void> = {
  ESTABLISHED: () => undefined,
  FIN_WAIT_1(peer) {
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'FA', seq: 1 });
  },
  FIN_WAIT_2(peer) {
    WAYS['FIN_WAIT_1']?.(peer);
    peer.send({ ack: 2 });
  },
  CLOSE_WAIT(peer) {
    peer.send({ flags: 'FA' });
    peer.expect({ flags: 'A', ack: 2 });
  },
  CLOSING(peer) {
    WAYS['FIN_WAIT_1']?.(peer);
    peer.send({ flags: 'FA', ack: 1 });
    peer.expect({ flags: 'A', ack: 2 });
  },
  LAST_ACK(peer) {
    WAYS['CLOSE_WAIT']?.(peer);
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'FA', seq: 1, ack: 2 });
  },
};

describe('packets: states of TCP', () => {
  for (const [name, way] of Object.entries(WAYS)) {
    it(`${name}: a RST in sequence ends it, one beyond the window nothing`, async () => {
      const peer = await opened();
      way(peer);
      expect(stateOf(peer)).to.equal(name);
      peer.send({ flags: 'R', seq: peer.seq + 0x4000_0000 });
      expect(stateOf(peer)).to.equal(name);
      peer.send({ flags: 'R', seq: name === 'ESTABLISHED' || name.startsWith('FIN') ? 1 : 2 });
      expect(peer.bench.app.live.liveSubflows()).to.deep.equal([]);
    });

    it(`${name}: a RST inside the window and a SYN get a challenge ACK (RFC 5961)`, async () => {
      const peer = await opened();
      way(peer);
      const next = name === 'ESTABLISHED' || name.startsWith('FIN') ? 1 : 2;
      peer.send({ flags: 'R', seq: next + 5 });
      peer.expect({ flags: 'A', ack: next });
      peer.bench.wait(500_000);
      peer.drain();
      peer.send({ flags: 'S', seq: next + 100 });
      peer.expect({ flags: 'A', ack: next });
      expect(stateOf(peer)).to.equal(name);
      expect(peer.bench.counter('TCPChallengeACK')).to.equal(2);
      expect(peer.bench.counter('TCPSYNChallenge')).to.equal(1);
    });

    it(`${name}: a segment without ACK is dropped`, async () => {
      const peer = await opened();
      way(peer);
      peer.send({ flags: 'P', seq: 2, data: 'x' });
      expect(peer.drain().filter(({ flags }) => flags.includes('R'))).to.deep.equal([]);
      expect(peer.bench.app.text).to.equal('');
    });
  }

  it('closes with FIN from either side first', async () => {
    const passive = await opened();
    WAYS['LAST_ACK']?.(passive);
    passive.send({ ack: 2 });
    expect(passive.bench.app.closed).to.equal(true);
    const active = await opened();
    WAYS['FIN_WAIT_2']?.(active);
    active.send({ flags: 'FA', ack: 2 }).expect({ flags: 'A', ack: 2 });
    expect(active.bench.app.closed).to.equal(true);
    const both = await opened();
    WAYS['CLOSING']?.(both);
    both.send({ ack: 2 });
    expect(both.bench.app.closed).to.equal(true);
    for (const { bench } of [passive, active, both]) expect(bench.app.error).to.equal(null);
  });

  it('FIN_WAIT_2: data still comes in', async () => {
    const peer = await opened();
    WAYS['FIN_WAIT_2']?.(peer);
    peer.send({ flags: 'PA', data: 'late', ack: 2 }).expect({ ack: 5 });
    expect(peer.bench.app.text).to.equal('late');
  });

  it('CLOSE_WAIT: data still goes out', async () => {
    const peer = await opened();
    WAYS['CLOSE_WAIT']?.(peer);
    peer.bench.app.write('still');
    peer.expect({ data: 'still', ack: 2 });
  });

  it('a FIN before missing data waits for it', async () => {
    const peer = await opened();
    peer.send({ flags: 'FA', seq: 6 }).expect({ ack: 1 });
    expect(peer.bench.app.ended).to.equal(false);
    peer.send({ flags: 'PA', seq: 1, data: 'hello' }).expect({ ack: 7 });
    expect(peer.bench.app.ended).to.equal(true);
    expect(peer.bench.app.text).to.equal('hello');
  });

  it('our FIN is repeated until it is acknowledged', async () => {
    const peer = await opened();
    WAYS['FIN_WAIT_1']?.(peer);
    peer.bench.wait(1e6);
    const again = peer.drain();
    expect(again.length).to.be.above(0);
    for (const seen of again) expect(seen).to.containSubset({ flags: 'FA', seq: 1 });
  });

  it('an ACK of what was not sent is answered and dropped with its data', async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', ack: 1000, data: 'x' }).expect({ flags: 'A', seq: 1, ack: 1 });
    expect(peer.bench.app.text).to.equal('');
  });

  it('challenge ACKs are rationed: one in half a second', async () => {
    const peer = await opened();
    for (let i = 0; i < 100; i++) peer.send({ flags: 'R', seq: 50 });
    expect(peer.drain()).to.have.lengthOf(1);
    expect(peer.bench.counter('TCPACKSkippedChallenge')).to.equal(99);
    peer.bench.wait(500_000);
    peer.send({ flags: 'R', seq: 50 }).expect({ flags: 'A' });
  });

  it('the ration of challenge ACKs can be set', async () => {
    const bench = await Bench.create({ config: [[CFG_CHALLENGE_INTERVAL, 10_000]] });
    bench.listen();
    const peer = new Peer(bench).openPlain();
    for (let i = 0; i < 5; i++) {
      peer.send({ flags: 'R', seq: 50 }).expect({ flags: 'A' });
      bench.wait(10_000);
    }
  });

  it('data that was taken before is acknowledged every time', async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', data: 'hello' }).expect({ ack: 6 });
    for (let i = 0; i < 5; i++) peer.send({ flags: 'PA', seq: 1, data: 'hello' }).expect({ ack: 6 });
  });
});

describe('packets: LISTEN, SYN_SENT, SYN_RCVD', () => {
  it('a segment to no port: RST with the numbers of RFC 9293 section 3.10.7.1', async () => {
    const bench = await Bench.create();
    const peer = new Peer(bench, { stackPort: 9 });
    peer.send({ flags: 'A', seq: 5, ack: 7 }).expect({ flags: 'R', seq: 7 });
    peer.send({ flags: 'S', seq: 0 }).expect({ flags: 'RA', seq: 0, ack: 1 });
    peer.send({ flags: 'F', seq: 5, data: 'abc' }).expect({ flags: 'RA', ack: 9 });
    peer.send({ flags: 'R' }).expectNothing();
  });

  it('a listener answers an ACK by RST and ignores RST', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench);
    peer.send({ flags: 'A', seq: 5, ack: 7 }).expect({ flags: 'R', seq: 7 });
    peer.send({ flags: 'R' }).expectNothing();
  });

  it('SYN_SENT: refused by RST+ACK; RST without ACK and wrong ACKs do not count', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'R' });
    peer.send({ flags: 'RA', ack: 99 });
    expect(bench.app.closed).to.equal(false);
    peer.send({ flags: 'SA', seq: 0, ack: 99 }).expect({ flags: 'R', seq: 99 });
    peer.send({ flags: 'RA', ack: 1 });
    expect(bench.app.error?.code).to.equal('ECONNREFUSED');
  });

  it('SYN_RCVD: SYN/ACK again for a repeated SYN and from the timer; RST forgets it', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench);
    peer.send({ flags: 'S' }).expect({ flags: 'SA', seq: 0, ack: 1 });
    peer.send({ flags: 'S', seq: 0 }).expect({ flags: 'SA', seq: 0, ack: 1 });
    peer.expectAfter(1e6, { flags: 'SA' });
    peer.expectAfter(2e6, { flags: 'SA' });
    peer.send({ flags: 'R', seq: 1 });
    expect(bench.stack.core.x.connections()).to.equal(0);
    peer.expectNothing(10e6);
  });

  it('SYN_RCVD: an ACK of another number gets RST', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench);
    peer.send({ flags: 'S' }).expect({ flags: 'SA' });
    peer.send({ ack: 7 }).expect({ flags: 'R', seq: 7 });
    peer.send({ ack: 1 });
    expect(bench.app.connected).to.equal(true);
  });

  it('data with the third ACK is taken', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).send({ flags: 'S' });
    peer.expect({ flags: 'SA' });
    peer.send({ flags: 'PA', data: 'hello' }).expect({ ack: 6 });
    expect(bench.app.text).to.equal('hello');
  });
});

describe('packets: PAWS and timestamps', () => {
  it('a segment with an old timestamp is dropped and answered', async () => {
    const peer = await opened({ ts: true });
    peer.send({ flags: 'PA', data: 'new', ts: [9000, peer.echo] }).expect({ ack: 4 });
    peer.send({ flags: 'PA', data: 'old', ts: [8998, peer.echo] }).expect({ ack: 4, length: 0 });
    expect(peer.bench.app.text).to.equal('new');
    expect(peer.bench.counter('PAWSEstab')).to.equal(1);
    // RST is not subject to it (RFC 7323 section 5.2).
    peer.send({ flags: 'R', seq: 4, ts: [1, 0] });
    expect(peer.bench.app.closed).to.equal(true);
  });

  it('echoes the timestamp of the segment that covers what was acknowledged last', async () => {
    const peer = await opened({ ts: true });
    peer.send({ flags: 'PA', data: 'a', ts: [9000, peer.echo] }).expect({ ts: [peer.echo, 9000] });
    peer.send({ flags: 'PA', seq: 5, data: 'c', ts: [9010, peer.echo] });
    const [, echo] = peer.expect({ ack: 2 }).ts ?? [];
    expect(echo).to.equal(9000);
  });

  it('none when the peer did not offer them', async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', data: 'a' }).expect({ ts: null });
  });
});

describe('packets: TIME-WAIT', () => {
  const waiting = async (options: PeerOptions = {}): Promise<Peer> => {
    const peer = await opened(options);
    WAYS['FIN_WAIT_2']?.(peer);
    peer.send({ flags: 'FA', ack: 2 }).expect({ flags: 'A', ack: 2 });
    return peer;
  };

  it('answers a repeated FIN, and ends with an exact RST, as on Linux', async () => {
    const peer = await waiting();
    peer.send({ flags: 'R', seq: 3 });
    peer.send({ flags: 'FA', seq: 1, ack: 2 }).expect({ flags: 'A', seq: 2, ack: 2 });
    expect(peer.bench.stack.core.x.subflows()).to.equal(1);
    peer.send({ flags: 'R', seq: 2 });
    expect(peer.bench.stack.core.x.subflows()).to.equal(0);
  });

  it('gives way to a SYN with a larger sequence number or timestamp (RFC 6191), not to an older one', async () => {
    const peer = await waiting();
    peer.send({ flags: 'S', seq: -5000 });
    expect(peer.drain().some(({ flags }) => flags === 'SA')).to.equal(false);
    peer.send({ flags: 'S', seq: 70_000 }).expect({ flags: 'SA', ack: 70_001 });
    expect(peer.bench.counter('TWRecycled')).to.equal(1);
  });

  it('ends after 2 MSL, 60 seconds', async () => {
    const peer = await waiting();
    peer.bench.app.live.release();
    peer.bench.wait(59e6);
    expect(peer.bench.stack.core.x.subflows()).to.equal(1);
    peer.bench.wait(2e6);
    expect(peer.bench.stack.core.x.subflows()).to.equal(0);
  });
});
