/** Two subflows of one connection: the window that they share, and what becomes of one whose path falls silent. */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Peer, type Seen } from './peer.js';

type Config = [number, number][];

/** A connection that the peer opened over path 0 and joined over path 1. */
async function joined(config: Config = [], options: { window?: number; ipv6?: boolean } = {}) {
  const bench = await Bench.create({ paths: 2, config, ipv6: options.ipv6 === true });
  bench.listen();
  const first = new Peer(bench).open();
  first.data('hello').expect({ dss: { dack: 6 } });
  const { window = 65535 } = options;
  const second = new Peer(bench, { session: first.session, path: 1, port: 30001, window }).joinNow();
  return { bench, first, second };
}

/** The peer's data level: takes what comes on any subflow, and knows what to acknowledge. */
class Reassembly {
  readonly #ranges: [number, number][] = [];
  next = 1;
  take(packets: readonly Seen[]): void {
    for (const { dss, length, seq } of packets) {
      if (dss?.dsn === undefined || length === 0) continue;
      const from = dss.dsn + seq - (dss.ssn ?? 0);
      this.#ranges.push([from, from + length]);
    }
    this.#ranges.sort(([a], [b]) => a - b);
    for (const [from, to] of this.#ranges) if (from <= this.next) this.next = Math.max(this.next, to);
  }
}

/** The peer answers on one subflow for so long; the other one is silent. Returns the silent one's packets. */
function answerOn(peer: Peer, silent: Peer, data: Reassembly, microseconds: number): Seen[] {
  const { bench } = peer;
  const end = bench.now + microseconds;
  const unanswered: Seen[] = [];
  while (bench.now < end) {
    const packets = peer.drain();
    data.take(packets);
    if (packets.length > 0) peer.send({ dss: { dack: data.next } });
    unanswered.push(...silent.drain());
    bench.wait(20e3);
  }
  return unanswered;
}

describe('packets: the window of two subflows', () => {
  it('a subflow that has heard of a small window sends as far as the largest reaches', async () => {
    const { bench, first, second } = await joined([], { window: 16 });
    first.send({ prio: true, dss: { dack: 1 } }); // new data goes on the second
    bench.app.write('z'.repeat(10_000));
    const sent = second.drain().reduce((sum, { length }) => sum + length, 0);
    expect(sent, 'octets beyond the 2,048 that were offered there').to.equal(10_000);
    expect(bench.counter('SndWndShared')).to.be.above(0);
  });

  it('the largest window is the end for all of them', async () => {
    const { bench, first, second } = await joined([], { window: 16 });
    first.send({ prio: true, dss: { dack: 1 } });
    bench.app.write('z'.repeat(10_000));
    second.drain();
    second.send({ dss: { dack: 10_001 }, window: 0 });
    const edge = 65_535 * 128 + 1; // from the first subflow, with DATA_ACK 1
    expect(edge).to.be.above(10_001);
    bench.app.write('y'.repeat(100));
    expect(second.drain().map(({ length }) => length)).to.deep.equal([100]);
  });

  it('a subflow that has told of less than another advertises the same edge, which counts', async () => {
    const { bench, first, second } = await joined();
    // Its SYN/ACK told of 64 KiB at most.
    expect(bench.counter('RcvWndShared')).to.equal(1);
    first.data('x'.repeat(1000));
    const edges = first.drain().map(({ dss, window }) => (dss?.dack ?? 0) + (window << 3));
    second.send({ flags: 'PA', data: 'y', dss: { dack: 1, dsn: 1006, ssn: 1, length: 1 } });
    const { window } = second.expect({ dss: { dack: 1007 } });
    expect(1007 + (window << 3)).to.be.closeTo(edges[0] ?? 0, 8);
    expect(bench.counter('RcvWndShared')).to.equal(1);
  });

  it('a closed window is probed on every path; an answer on either opens it', async () => {
    for (const which of [0, 1]) {
      const bench = await Bench.create({ paths: 2 });
      bench.listen();
      const first = new Peer(bench, { window: 50 }).open();
      const second = new Peer(bench, { session: first.session, path: 1, port: 30001, window: 50 }).joinNow();
      const both = [first, second] as const;
      bench.app.write('a'.repeat(10_000));
      const data = new Reassembly();
      for (const peer of both) data.take(peer.drain());
      expect(data.next).to.equal(50 * 128 + 1);
      for (const peer of both) peer.send({ dss: { dack: data.next }, window: 0 });
      bench.wait(3e6);
      for (const peer of both) {
        const probes = peer.drain();
        expect(probes.length, 'probes').to.be.within(1, 6);
        for (const probe of probes) expect(probe).to.containSubset({ length: 0, seq: probe.seq, dss: {} });
      }
      expect(bench.counter('WinProbe')).to.be.above(1);
      both[which as 0 | 1].send({ dss: { dack: data.next }, window: 50 });
      for (const peer of both) data.take(peer.drain());
      expect(data.next).to.equal(10_001);
    }
  });
});

describe('packets: a path that falls silent', () => {
  it('is set aside as stale, its octets go elsewhere, and comes back with the first answer', async () => {
    const { bench, first, second } = await joined();
    const data = new Reassembly();
    bench.app.write('z'.repeat(40_000));
    answerOn(second, first, data, 3e6);
    expect(data.next, 'all came on the other path').to.equal(40_001);
    expect(bench.counter('SubflowStale')).to.equal(1);
    const stale = () => bench.app.live.info().subflows.map((one) => one.stale);
    expect(stale()).to.deep.equal([true, false]);
    bench.app.write('y'.repeat(20_000));
    const late = answerOn(second, first, data, 3e6);
    expect(Math.max(...late.map(({ dss }) => dss?.dsn ?? 0)), 'no new data there').to.be.below(40_001);
    first.send({ dss: { dack: data.next } });
    expect(bench.counter('SubflowRecover')).to.equal(1);
    expect(stale()).to.deep.equal([false, false]);
    // New data may use it again.
    second.send({ prio: true, dss: { dack: data.next } });
    bench.app.write('x'.repeat(500));
    expect(first.drain().some(({ dss }) => (dss?.dsn ?? 0) > 60_000)).to.equal(true);
  });

  it('is reset with reason 5, transient, when it never comes back', async () => {
    for (const ipv6 of [false, true]) {
      const { bench, first, second } = await joined([[abi.CFG_TCP_RETRIES2, 4]], { ipv6 });
      bench.app.write('z'.repeat(40_000));
      const silent = answerOn(second, first, new Reassembly(), 60e6);
      expect(silent.at(-1)).to.containSubset({ flags: 'RA', reset: { reason: 5, transient: true } });
      expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
    }
  });

  it('is reset with reason 4, transient, when it holds more than may be kept for it', async () => {
    const { bench, first, second } = await joined([[abi.CFG_PRIVATE_MAX, 4096]]);
    const data = new Reassembly();
    for (let i = 0; i < 40; i++) {
      bench.app.write('z'.repeat(1000));
      bench.settle();
    }
    answerOn(second, first, data, 2e6);
    for (let i = 0; i < 10; i++) bench.app.write('y'.repeat(1000));
    const silent = answerOn(second, first, data, 1e6);
    expect(silent.at(-1)).to.containSubset({ flags: 'RA', reset: { reason: 4, transient: true } });
    expect(data.next).to.equal(50_001);
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
  });
});
