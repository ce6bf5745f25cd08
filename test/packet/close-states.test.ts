/** Every state of the data level with everything that can end it (RFC 8684 sections 3.3.3, 3.5 and 3.8.1). */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { Peer, type Seen } from './peer.js';

type State = 'ESTABLISHED' | 'FIN_WAIT_1' | 'FIN_WAIT_2' | 'CLOSING' | 'CLOSE_WAIT' | 'LAST_ACK';
const STATES: readonly State[] = [
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSING',
  'CLOSE_WAIT',
  'LAST_ACK',
];
/** The application has not ended its direction; the peer has ended its own. */
const canWrite = (state: State): boolean => state === 'ESTABLISHED' || state === 'CLOSE_WAIT';
const peerEnded = (state: State): boolean => ['CLOSING', 'CLOSE_WAIT', 'LAST_ACK'].includes(state);

/** A connection that the peer opened, with five octets of it read, in a state; nothing waits on the wire. */
async function reach(state: State, paths = 1): Promise<[Bench, Peer]> {
  const bench = await Bench.create({ paths });
  bench.listen();
  const peer = new Peer(bench).open();
  peer.data('hello').expect({ dss: { dack: 6 } });
  const { live } = bench.app;
  if (peerEnded(state) && state !== 'CLOSING') peer.dataFin();
  if (!canWrite(state)) live.shutdown();
  bench.settle();
  peer.drain();
  if (state === 'FIN_WAIT_2') peer.acknowledge();
  // Both at once: the peer's DATA_FIN was sent before ours came.
  if (state === 'CLOSING') peer.send({ dss: { dack: 1, dsn: 6, ssn: 0, length: 1, fin: true } });
  peer.drain();
  expect(live.info().state).to.equal(state);
  return [bench, peer];
}

const stateOf = (bench: Bench): string => (bench.app.closed ? 'closed' : bench.app.live.info().state);
const flagsOf = (packets: readonly Seen[]): string[] => packets.map(({ flags }) => flags);

describe('packets: states of the data level', () => {
  const after: Record<State, readonly [alone: string, withAck: string]> = {
    ESTABLISHED: ['CLOSE_WAIT', 'CLOSE_WAIT'],
    FIN_WAIT_1: ['CLOSING', 'closed'],
    FIN_WAIT_2: ['closed', 'closed'],
    CLOSING: ['CLOSING', 'closed'],
    CLOSE_WAIT: ['CLOSE_WAIT', 'CLOSE_WAIT'],
    LAST_ACK: ['LAST_ACK', 'closed'],
  };
  for (const state of STATES) {
    it(`${state}: DATA_FIN, alone`, async () => {
      const [bench, peer] = await reach(state);
      const dack = state === 'FIN_WAIT_2' ? 2 : 1;
      peer.send({ dss: { dack, dsn: 6, ssn: 0, length: 1, fin: true } });
      const answers = peer.drain();
      expect(answers[0]?.dss?.dack, 'acknowledged at once, the second time, too').to.equal(7);
      expect(stateOf(bench)).to.equal(after[state][0]);
      expect(bench.app.ended).to.equal(true);
      expect(bench.app.error).to.equal(null);
      // FIN goes when both directions are done, and not before.
      expect(flagsOf(answers).includes('FA')).to.equal(after[state][0] === 'closed');
    });

    it(`${state}: DATA_FIN with the acknowledgement of ours`, async () => {
      const [bench, peer] = await reach(state);
      const dack = canWrite(state) ? 1 : 2;
      peer.send({ dss: { dack, dsn: 6, ssn: 0, length: 1, fin: true } });
      const answers = peer.drain();
      expect(stateOf(bench)).to.equal(after[state][1]);
      expect(bench.app.error).to.equal(null);
      expect(flagsOf(answers).includes('FA')).to.equal(after[state][1] === 'closed');
    });

    it(`${state}: data with DATA_FIN; what follows the end of the stream is no part of it`, async () => {
      const [bench, peer] = await reach(state);
      const dack = state === 'FIN_WAIT_2' ? 2 : 1;
      const seq = peer.seq;
      peer.send({ flags: 'PA', data: 'abc', dss: { dack, dsn: 6, ssn: seq, length: 4, fin: true } });
      const ended = peerEnded(state);
      expect(bench.app.text).to.equal(ended ? 'hello' : 'helloabc');
      const answers = peer.drain();
      // The data first, then the end, as Linux does it.
      const dacks = answers.filter(({ ack }) => ack === seq + 3).map(({ dss }) => dss?.dack);
      expect(dacks.slice(0, 2)).to.deep.equal(ended ? [7] : [9, 10]);
      expect(stateOf(bench)).to.equal(after[state][0]);
    });

    it(`${state}: the end comes on a second subflow, before the last octets on the first`, async () => {
      if (peerEnded(state)) return;
      const [bench, first] = await reach('ESTABLISHED', 2);
      const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
      if (state !== 'ESTABLISHED') bench.app.live.shutdown();
      bench.settle();
      if (state === 'FIN_WAIT_2') first.send({ dss: { dack: 2 } });
      [first, second].forEach((peer) => peer.drain());
      expect(stateOf(bench)).to.equal(state);
      second.send({ dss: { dack: 1, dsn: 9, ssn: 0, length: 1, fin: true } });
      expect(second.drain(), 'not before the octets below it').to.deep.equal([]);
      expect(stateOf(bench)).to.equal(state);
      first.data('abc', { dsn: 6, dack: 1 });
      expect(first.drain()[1]?.dss?.dack).to.equal(10);
      expect(bench.app.text).to.equal('helloabc');
      expect(stateOf(bench)).to.equal(after[state][0]);
    });

    it(`${state}: FIN without DATA_FIN ends a subflow, not the stream`, async () => {
      const [bench, peer] = await reach(state);
      const { ended } = bench.app;
      peer.send({ flags: 'FA', dss: { dack: state === 'FIN_WAIT_2' ? 2 : 1 } });
      bench.wait(50_000); // the acknowledgement may wait for our FIN
      const answers = peer.drain();
      expect(answers[0]?.ack).to.equal(peer.seq);
      expect(flagsOf(answers).includes('FA'), 'our FIN').to.equal(state === 'ESTABLISHED');
      expect([bench.app.ended, bench.app.closed]).to.deep.equal([ended, false]);
      expect(stateOf(bench)).to.equal(state);
      // Where one direction has ended, the other may still go out here.
      if (state !== 'CLOSE_WAIT') return;
      bench.app.write('late');
      peer.expect({ data: 'late', dss: { dsn: 1 } });
    });

    it(`${state}: MP_FASTCLOSE on ACK, on RST`, async () => {
      for (const flags of ['A', 'RA']) {
        const [bench, peer] = await reach(state);
        peer.send({ flags, fastclose: peer.session.stackKey });
        const answers = peer.drain();
        if (flags === 'A') expect(answers).to.containSubset([{ flags: 'RA', reset: { reason: 0 } }]);
        else expect(answers).to.deep.equal([]);
        expect(bench.app.error?.code).to.equal('ECONNRESET');
        expect(bench.counter('MPFastcloseRx')).to.equal(1);
      }
    });

    it(`${state}: RST loses the last subflow; the connection waits for another, and goes on there`, async () => {
      const [bench, peer] = await reach(state, 2);
      peer.send({ flags: 'RA' });
      peer.expectNothing(1e6);
      expect([bench.app.closed, stateOf(bench)]).to.deep.equal([false, state]);
      if (state === 'CLOSING' || state === 'LAST_ACK') return; // no data is left to come: no joins
      const second = new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow();
      const dack = canWrite(state) ? 1 : 2;
      if (!peerEnded(state)) second.send({ dss: { dack, dsn: 6, ssn: 0, length: 1, fin: true } });
      else bench.app.live.shutdown();
      bench.settle();
      expect(stateOf(bench)).to.equal(peerEnded(state) ? 'LAST_ACK' : after[state][1]);
    });

    it(`${state}: without another subflow it ends after the close timeout, with ETIMEDOUT`, async () => {
      const [bench, peer] = await reach(state);
      peer.send({ flags: 'RA' });
      bench.wait(59.9e6);
      expect(bench.app.closed).to.equal(false);
      bench.wait(0.2e6);
      expect(bench.app.error?.code).to.equal('ETIMEDOUT');
    });

    it(`${state}: abort says MP_FASTCLOSE on RST`, async () => {
      const [bench, peer] = await reach(state);
      bench.app.live.abort();
      peer.expect({ flags: 'RA', fastclose: peer.session.key, reset: { reason: 0 } });
      expect(bench.app.error?.code).to.equal('ECONNABORTED');
      peer.expectNothing(1e6);
    });
  }

  it('our DATA_FIN is repeated in all states that wait for its acknowledgement, in others it is not', async () => {
    for (const state of STATES) {
      const [bench, peer] = await reach(state);
      bench.wait(1e6);
      const repeated = peer.drain().filter(({ dss }) => dss?.fin === true).length;
      expect(repeated > 0, state).to.equal(['FIN_WAIT_1', 'CLOSING', 'LAST_ACK'].includes(state));
    }
  });

  it('joins that come in while only our DATA_FIN is not acknowledged are refused with reason 3', async () => {
    for (const state of ['CLOSING', 'LAST_ACK'] as const) {
      const [bench, peer] = await reach(state, 2);
      const second = new Peer(bench, { session: peer.session, path: 1, port: 30001 });
      second.send({ flags: 'S', join: second.joinSyn(1) });
      second.expect({ flags: 'RA', reset: { reason: 3 } });
    }
  });

  it('while octets of ours are missing, a join replaces the subflow that broke, whatever has ended', async () => {
    for (const end of ['before', 'after'] as const) {
      const [bench, peer] = await reach('ESTABLISHED', 2);
      bench.app.write('a'.repeat(3000));
      if (end === 'before') peer.dataFin();
      bench.app.live.shutdown();
      bench.settle();
      if (end === 'after') peer.send({ dss: { dack: 1, dsn: 6, ssn: 0, length: 1, fin: true } });
      peer.drain();
      expect(stateOf(bench)).to.equal(end === 'before' ? 'LAST_ACK' : 'CLOSING');
      peer.send({ flags: 'RA' });
      const second = new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow();
      const data = second.drain().filter(({ length }) => length > 0);
      expect(data.map(({ dss, length }) => [dss?.dsn, length]).at(0)?.[0]).to.equal(1);
      expect(data.reduce((sum, { length }) => sum + length, 0)).to.equal(3000);
      second.send({ ack: 3001, dss: { dack: 3002 } });
      expect([bench.app.closed, bench.app.error]).to.deep.equal([true, null]);
    }
  });

  it('SYN_SENT: RST with MP_FASTCLOSE is a refusal', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'RA', fastclose: 5n });
    expect(bench.app.error?.code).to.equal('ECONNREFUSED');
  });
});
