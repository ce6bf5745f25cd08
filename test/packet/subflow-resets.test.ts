/** Subflows that are given up: when, and what MP_TCPRST says then (RFC 8684 section 3.6). */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { addressId } from '../../src/stack/path-table.js';
import { Bench, type BenchOptions } from './bench.js';
import { joinHmac } from './crypto.js';
import { Peer } from './peer.js';

/** The peer joins with a second subflow. */
async function joined(): Promise<[bench: Bench, first: Peer, second: Peer]> {
  const bench = await Bench.create({ paths: 2 });
  bench.listen();
  const first = new Peer(bench).open();
  first.data('hello').expect({ dss: { dack: 6 } });
  const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
  return [bench, first, second];
}

/** We join: the peer has answered our SYN, and not yet our third ACK. */
async function joining(
  config: BenchOptions['config'] = [],
): Promise<[bench: Bench, first: Peer, second: Peer]> {
  const bench = await Bench.create({ paths: 2, config });
  bench.connect();
  const first = new Peer(bench).acceptFully();
  bench.join(1, 7);
  const second = new Peer(bench, { session: first.session, path: 1 });
  const syn = second.takeSyn();
  const { key, stackKey } = first.session;
  const hmac = joinHmac(key, stackKey, 9, syn.join?.nonce ?? 0).toString('hex', 0, 8);
  second.send({ flags: 'SA', join: { hmac, nonce: 9, id: 7 } });
  return [bench, first, second];
}

describe('packets: subflows that are given up', () => {
  it('withdrawn by the peer while its FIN is not acknowledged: after eight timeouts; its data has gone elsewhere', async () => {
    const [bench, first, second] = await joined();
    first.send({ prio: true, dss: { dack: 1 } });
    bench.app.write('on the second');
    second.expect({ data: 'on the second' });
    first.send({ remove: [1], dss: { dack: 1 } });
    first.expect({ data: 'on the second', dss: { dsn: 1 } });
    first.send({ ack: 14, dss: { dack: 14 } });
    let last = second.drain().at(-1);
    let repeated = 0;
    for (let seconds = 0; seconds < 600 && last?.flags !== 'RA'; seconds++) {
      bench.wait(1e6);
      const packets = second.drain();
      repeated += packets.filter(({ length, flags }) => length > 0 || flags.includes('F')).length;
      last = packets.at(-1) ?? last;
    }
    expect(last).to.containSubset({ flags: 'RA', reset: { reason: 5, transient: true } });
    expect(repeated).to.be.within(8, 20);
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
    expect([bench.app.closed, bench.counter('TCPAbortOnTimeout')]).to.deep.equal([false, 1]);
    first.drain();
    first.data('still');
    bench.wait(50_000);
    first.expect({ dss: { dack: 11 } });
  });

  it('withdrawn before its fourth packet: reset without a reason', async () => {
    const [bench, first, second] = await joining();
    second.expect({ join: {} });
    first.send({ remove: [7], dss: { dack: 1 } });
    second.expect({ flags: 'RA', reset: { reason: 0 } });
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
  });

  it('a third ACK that is never answered: reason 1, transient', async () => {
    const [bench, , second] = await joining([[abi.CFG_TCP_SYNACK_RETRIES, 2]]);
    bench.wait(30e6);
    const packets = second.drain();
    expect(packets.filter(({ join }) => join !== null)).to.have.lengthOf(3);
    expect(packets.at(-1)).to.containSubset({ flags: 'RA', reset: { reason: 1, transient: true } });
  });

  it('no answer to keepalives: reason 5, transient', async () => {
    const [bench, first, second] = await joined();
    const { live } = bench.app;
    live.setOption(abi.OPT_KEEPALIVE_IDLE, 10);
    live.setOption(abi.OPT_KEEPALIVE_INTERVAL, 5);
    live.setOption(abi.OPT_KEEPALIVE_COUNT, 3);
    live.setKeepAlive(true);
    for (let i = 0; i < 40; i++) {
      bench.wait(1e6);
      if (first.drain().length > 0) first.send({ dss: { dack: 1 } });
    }
    const packets = second.drain();
    expect(packets).to.have.lengthOf(4);
    expect(packets.at(-1)).to.containSubset({ flags: 'RA', reset: { reason: 5, transient: true } });
    expect(live.liveSubflows()).to.have.lengthOf(1);
  });

  it('has no keepalives without end: those of no time are no option, as on Linux', async () => {
    const [bench] = await joined();
    const { live } = bench.app;
    for (const option of [abi.OPT_KEEPALIVE_IDLE, abi.OPT_KEEPALIVE_INTERVAL]) {
      for (const value of [-1, 0, 32768]) expect(live.setOption(option, value)).to.equal(abi.E_INVAL);
    }
    for (const value of [-1, 0, 128]) {
      expect(live.setOption(abi.OPT_KEEPALIVE_COUNT, value)).to.equal(abi.E_INVAL);
    }
  });

  it('a closed window of a peer that is silent for ever: reason 5, transient', async () => {
    const bench = await Bench.create({ config: [[abi.CFG_TCP_RETRIES2, 3]] });
    bench.listen();
    const peer = new Peer(bench).open();
    peer.data('hello', {}, { window: 0 }).expect({ dss: { dack: 6 } });
    bench.app.write('never');
    bench.wait(1000e6);
    expect(peer.drain().at(-1)).to.containSubset({ flags: 'RA', reset: { reason: 5, transient: true } });
  });
});

describe('address IDs of paths', () => {
  it('are those of one path each', () => {
    const ids = Array.from({ length: 255 }, (_, i) => addressId(i + 1));
    expect(new Set(ids).size).to.equal(255);
    expect([Math.min(...ids), Math.max(...ids)]).to.deep.equal([1, 255]);
  });
});
