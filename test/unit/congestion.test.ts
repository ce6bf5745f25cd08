import { expect } from 'chai';
import { CC_BALIA, CC_CUBIC, CC_LIA, CC_OLIA, CC_RENO, CC_WVEGAS } from '../../assembly/cc/ids.js';
import { onBothBuilds, type Probe } from './probe.js';
import { INFINITE, MSS, RTT, SECOND, SimulatedPaths, lonePath, round } from './simulated-paths.js';

const ALL = [CC_RENO, CC_CUBIC, CC_LIA, CC_OLIA, CC_BALIA, CC_WVEGAS];

onBothBuilds('congestion control, any algorithm', (probe) => {
  it('begins with ten segments of any size, without threshold', () => {
    const { x } = probe();
    for (const mss of [536, 1460, 8960, 65495]) {
      x.ccPaths(1, CC_RENO, mss);
      expect(x.ccCwnd(0)).to.equal(10);
      expect(x.ccSsthresh(0)).to.equal(INFINITE);
    }
  });

  it('doubles the window each round trip in slow start, and stops at ssthresh', () => {
    const p = probe();
    for (const algorithm of ALL) {
      p.x.ccPaths(1, algorithm, MSS);
      p.x.ccSetSrtt(0, RTT);
      p.x.ccSetSsthresh(0, 100);
      round(p, 0);
      expect(p.x.ccCwnd(0)).to.equal(20);
      round(p, RTT);
      expect(p.x.ccCwnd(0)).to.equal(40);
      p.x.ccAck(0, 40, 40 * MSS, -1, 40, 2 * RTT);
      expect(p.x.ccCwnd(0)).to.equal(80);
      for (let i = 0; i < 20; i++) p.x.ccAck(0, 1, MSS, -1, 80, 3 * RTT);
      expect(p.x.ccCwnd(0)).to.equal(100);
    }
  });

  it('does not grow when something else limits sending, nor in recovery', () => {
    const p = probe();
    for (const algorithm of ALL) {
      for (const ssthresh of [10, INFINITE]) {
        lonePath(p, algorithm, 10);
        p.x.ccSetSsthresh(0, ssthresh);
        p.x.ccSetLimited(0, 0);
        for (let i = 0; i < 50; i++) p.x.ccAck(0, 1, MSS, RTT, 10, i * RTT);
        expect(p.x.ccCwnd(0)).to.equal(10);
      }
      lonePath(p, algorithm, 10);
      p.x.ccLoss(0);
      expect(p.x.ccInRecovery(0)).to.equal(1);
      for (let i = 0; i < 50; i++) p.x.ccAck(0, 1, MSS, RTT, 10, i * RTT);
      expect(p.x.ccCwnd(0)).to.equal(10);
      p.x.ccRecoveryExit(0);
      expect(p.x.ccInRecovery(0)).to.equal(0);
    }
  });

  it('reduces the window, to two segments at least', () => {
    const { x } = probe();
    for (const algorithm of ALL) {
      const factor = algorithm === CC_CUBIC ? 717 / 1024 : 0.5;
      for (const cwnd of [40, 41, 10, 3, 2, 1]) {
        const expected = Math.max(2, Math.floor(cwnd * factor));
        lonePath(probe(), algorithm, cwnd);
        x.ccLoss(0);
        expect(x.ccSsthresh(0)).to.equal(expected);
        lonePath(probe(), algorithm, cwnd);
        x.ccRto(0);
        expect(x.ccSsthresh(0)).to.equal(expected);
        expect(x.ccInRecovery(0)).to.equal(0);
      }
    }
  });

  it('halves an idle window per timeout down to the initial window, and remembers three quarters', () => {
    const { x } = probe();
    for (const algorithm of ALL) {
      lonePath(probe(), algorithm, 400);
      x.ccIdle(0, 150_000); // less than the least timeout, 200 ms
      expect(x.ccCwnd(0)).to.equal(400);
      x.ccIdle(0, 450_000);
      expect(x.ccCwnd(0)).to.equal(100);
      expect(x.ccSsthresh(0)).to.equal(400);
      x.ccIdle(0, 60 * SECOND);
      expect(x.ccCwnd(0)).to.equal(10);
      lonePath(probe(), algorithm, 400);
      x.ccSetSsthresh(0, 20);
      x.ccIdle(0, 250_000);
      expect(x.ccSsthresh(0)).to.equal(300);
    }
  });
});

onBothBuilds('cc/reno', (probe) => {
  it('adds one segment per round trip', () => {
    const p = probe();
    lonePath(p, CC_RENO, 10);
    for (let window = 10; window < 60; window++) {
      expect(p.x.ccCwnd(0)).to.equal(window);
      round(p, 0);
    }
    // One ACK for many segments counts as much.
    lonePath(p, CC_RENO, 10);
    p.x.ccAck(0, 10, 10 * MSS, -1, 10, 0);
    expect(p.x.ccCwnd(0)).to.equal(11);
  });

  it('spends what is left of an ACK after slow start in congestion avoidance', () => {
    const { x } = probe();
    lonePath(probe(), CC_RENO, 10);
    x.ccSetSsthresh(0, 12);
    x.ccAck(0, 8, 8 * MSS, -1, 10, 0);
    expect(x.ccWindow(0)).to.be.closeTo(12 + 6 / 12, 1e-9);
  });
});

onBothBuilds('coupled congestion control', (probe) => {
  const COUPLED = [CC_LIA, CC_OLIA, CC_BALIA];

  it('is Reno on a lone path, and when no other path is usable or measured', () => {
    const { x } = probe();
    for (const algorithm of COUPLED) {
      lonePath(probe(), algorithm, 25);
      expect(x.ccIncrease(0)).to.be.closeTo(1 / 25, 1e-12);
      for (const [usable, srtt] of [
        [0, RTT],
        [1, 0],
      ] as const) {
        x.ccPaths(2, algorithm, MSS);
        x.ccPlace(0, 25, RTT);
        x.ccPlace(1, 40, srtt);
        x.ccSetUsable(1, usable);
        expect(x.ccIncrease(0)).to.be.closeTo(1 / 25, 1e-12);
      }
    }
  });

  it('does no harm: LIA takes no more than a TCP on any path, and one segment per round trip in all', () => {
    const { x } = probe();
    let state = 12345;
    const random = (from: number, to: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return from + ((state >>> 8) / 2 ** 24) * (to - from);
    };
    for (let n = 0; n < 2000; n++) {
      const count = 2 + (n % 5);
      const same = n % 2 === 0 ? random(1000, 300_000) : 0;
      x.ccPaths(count, CC_LIA, MSS);
      const windows = Array.from({ length: count }, () => Math.floor(random(1, 500)));
      windows.forEach((cwnd, i) => {
        x.ccPlace(i, cwnd, same === 0 ? random(1000, 300_000) : same);
      });
      let perRound = 0;
      windows.forEach((cwnd, i) => {
        expect(x.ccIncrease(i)).to.be.within(0, 1 / cwnd);
        perRound += cwnd * x.ccIncrease(i);
      });
      if (same !== 0) expect(perRound).to.be.at.most(1 + 1e-9);
    }
  });

  it('weighs paths of different segment size by octets (RFC 6356)', () => {
    const { x } = probe();
    x.ccPaths(2, CC_LIA, MSS);
    x.ccPlace(0, 60, RTT);
    x.ccPlace(1, 10, RTT);
    x.ccSetMss(1, 6 * MSS);
    // Both windows hold the same octets: alpha is that of two equal windows.
    expect(x.ccAlpha(0)).to.be.closeTo(0.5, 1e-9);
    expect(x.ccIncrease(0)).to.be.closeTo(0.5 / 120, 1e-9);
    expect(x.ccIncrease(1)).to.be.closeTo((0.5 * 6) / 120, 1e-9);
  });

  it('counts a path in recovery with its threshold', () => {
    const { x } = probe();
    for (const algorithm of COUPLED) {
      x.ccPaths(2, algorithm, MSS);
      x.ccPlace(0, 30, RTT);
      x.ccPlace(1, 20, RTT);
      const expected = x.ccIncrease(0);
      x.ccPlace(1, 40, RTT);
      x.ccLoss(1);
      x.ccSetCwnd(1, 39); // PRR on its way to 20
      if (algorithm === CC_BALIA) x.ccSetSsthresh(1, 20);
      expect(x.ccIncrease(0)).to.be.closeTo(expected, 1e-12);
    }
  });

  /** Segments per second over ten minutes of random loss. */
  const rates = (p: Probe, algorithm: number, rtts: number[], losses: number[]): number[] => {
    p.x.ccPaths(rtts.length, algorithm, MSS);
    const paths = new SimulatedPaths(
      p,
      rtts.map((rtt, i) => ({ rtt, loss: losses[i] ?? 0 })),
    );
    paths.run(20 * SECOND);
    paths.reset();
    paths.run(620 * SECOND);
    return paths.delivered.map((segments) => segments / 600);
  };
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

  it('shares one TCP between equal paths', () => {
    const p = probe();
    const tcp = sum(rates(p, CC_RENO, [RTT], [0.002]));
    expect(sum(rates(p, CC_RENO, [RTT, RTT], [0.002, 0.002])) / tcp).to.be.closeTo(2, 0.2);
    for (const algorithm of COUPLED) {
      const both = rates(p, algorithm, [RTT, RTT], [0.002, 0.002]);
      expect(sum(both) / tcp, `algorithm ${String(algorithm)}`).to.be.within(0.8, 1.35);
      expect((both[0] ?? 0) / sum(both)).to.be.closeTo(0.5, 0.15);
    }
  });

  it('moves traffic to the path that loses less, and takes about what a TCP has there', () => {
    const p = probe();
    const losses = [0.0005, 0.01];
    const tcp = sum(rates(p, CC_RENO, [RTT], losses));
    for (const algorithm of COUPLED) {
      const both = rates(p, algorithm, [RTT, RTT], losses);
      expect(sum(both) / tcp, `algorithm ${String(algorithm)}`).to.be.within(0.75, 1.35);
      expect((both[0] ?? 0) / sum(both), `algorithm ${String(algorithm)}`).to.be.greaterThan(0.75);
    }
  });
});

onBothBuilds('cc/wvegas', (probe) => {
  it('drains the queue when it is twice the least seen', () => {
    const { x } = probe();
    for (const [rtt, window] of [
      [119_999, 21],
      [120_000, 8], // 21 * 100 / 240
    ] as const) {
      lonePath(probe(), CC_WVEGAS, 20);
      x.vegasPlace(0, 100_000, 10, 10_000);
      x.vegasRound(0, rtt);
      expect(x.ccCwnd(0)).to.equal(window);
    }
  });

  it('leaves slow start when more than one segment is queued, at the window that fills the path', () => {
    const p = probe();
    p.x.ccPaths(1, CC_WVEGAS, MSS);
    for (const rtt of [RTT, RTT, RTT]) round(p, 0, rtt);
    const before = p.x.ccCwnd(0);
    expect(before).to.be.greaterThan(40);
    p.x.vegasPlace(0, RTT / 2, 2, 0);
    round(p, 0);
    expect(p.x.ccSsthresh(0)).to.equal(p.x.ccCwnd(0));
    expect(p.x.ccCwnd(0)).to.be.lessThan(before);
  });

  it('keeps a few segments in the queue of each path, without loss', () => {
    const p = probe();
    p.x.ccPaths(2, CC_WVEGAS, MSS);
    const paths = new SimulatedPaths(p, [
      { rtt: 40_000, rate: 2000 },
      { rtt: 20_000, rate: 4000 },
    ]);
    paths.run(20 * SECOND);
    paths.reset();
    paths.run(80 * SECOND);
    const queues = paths.meanQueue(60 * SECOND);
    paths.delivered.forEach((segments, i) => {
      expect(segments / 60 / ([2000, 4000][i] ?? NaN)).to.be.within(0.9, 1.2);
      expect(queues[i]).to.be.within(0.5, 12);
    });
  });
});
