import { expect } from 'chai';
import { CC_BALIA, CC_CUBIC, CC_LIA, CC_OLIA, CC_RENO } from '../../assembly/cc/ids.js';
import { onBothBuilds, type Probe } from './probe.js';
import { INFINITE, MSS, RTT, SECOND, lonePath, loseAndRecover, round } from './simulated-paths.js';

onBothBuilds('cc/cubic', (probe) => {
  const C = 410 / 1024;
  /** Seconds back to wMax. */
  const k = (wMax: number, cwnd: number): number => Math.cbrt((wMax - cwnd) / C);
  const curve = (t: number, wMax: number, cwnd: number): number => C * (t - k(wMax, cwnd)) ** 3 + wMax;

  it('follows the cubic curve through its plateau and beyond', () => {
    const p = probe();
    lonePath(p, CC_CUBIC, 1000);
    loseAndRecover(p);
    expect(p.x.ccCwnd(0)).to.equal(700);
    expect(p.x.cubicK(1000, 700) / 1024).to.be.closeTo(k(1000, 700), 0.001);
    const start = RTT / 700; // the first ACK begins the stage
    for (let now = 0; now < 15 * SECOND; now += RTT) {
      const t = (now - start) / SECOND;
      if (now > RTT) expect(p.x.ccWindow(0) / curve(t, 1000, 700)).to.be.closeTo(1, 0.02);
      round(p, now);
    }
    expect(p.x.ccCwnd(0)).to.be.greaterThan(1050);
  });

  it('never more than half as much again in a round trip, however far the curve is', () => {
    const p = probe();
    lonePath(p, CC_CUBIC, 100);
    round(p, 0);
    // A minute without ACKs that nothing explains: the curve is far above.
    const before = p.x.ccWindow(0);
    round(p, 60 * SECOND);
    expect(p.x.ccWindow(0) / before).to.be.within(1.3, 1.65);
  });

  it('is as fast as Reno where Reno is faster', () => {
    const p = probe();
    const rtt = 20_000;
    lonePath(p, CC_CUBIC, 20, rtt);
    loseAndRecover(p);
    expect(p.x.ccCwnd(0)).to.equal(14);
    // 9/17 of a segment per round trip (section 4.3).
    let now = 0;
    let rounds = 0;
    for (; p.x.ccWindow(0) < 20; rounds++) round(p, (now += rtt), rtt);
    expect(rounds).to.be.within(11, 13);
    const before = p.x.ccWindow(0);
    for (let i = 0; i < 20; i++) round(p, (now += rtt), rtt);
    expect(p.x.ccWindow(0) - before).to.be.within(10, 12.5);
  });

  it('gives way when the window before the loss was not reached again (fast convergence)', () => {
    const p = probe();
    lonePath(p, CC_CUBIC, 1000);
    loseAndRecover(p);
    loseAndRecover(p); // at 700, below W_max = 1000
    expect(p.x.ccCwnd(0)).to.equal(490);
    const wMax = (700 * 1.7) / 2;
    const start = RTT / 490;
    for (let now = 0; now < 8 * SECOND; now += RTT) {
      const t = (now - start) / SECOND;
      if (now > RTT) expect(p.x.ccWindow(0) / curve(t, wMax, 490)).to.be.closeTo(1, 0.02);
      round(p, now);
    }
  });

  it('grows by a twentieth in a round trip after a timeout, when nothing is known of the path', () => {
    const p = probe();
    lonePath(p, CC_CUBIC, 1000);
    p.x.ccRto(0);
    p.x.ccSetCwnd(0, 1);
    let now = 0;
    while (p.x.ccCwnd(0) < 700) round(p, (now += RTT));
    for (let i = 0; i < 10; i++) {
      const before = p.x.ccWindow(0);
      round(p, (now += RTT));
      expect(p.x.ccWindow(0) / before).to.be.closeTo(1.05, 0.003);
    }
  });

  it('does not count the time in which the window was no limit', () => {
    const p = probe();
    const run = (pause: number): number => {
      lonePath(p, CC_CUBIC, 1000);
      loseAndRecover(p);
      let now = 0;
      for (; now < 3 * SECOND; now += RTT) round(p, now);
      p.x.ccSetLimited(0, 0);
      for (const end = now + pause; now < end; now += RTT) p.x.ccAck(0, 1, MSS, RTT, 10, now + RTT);
      p.x.ccSetLimited(0, 1);
      for (let i = 0; i < 40; i++, now += RTT) round(p, now);
      return p.x.ccWindow(0);
    };
    expect(run(20 * SECOND)).to.be.closeTo(run(0), 1);
  });

  it('goes on along the old curve when a loss proves spurious', () => {
    const p = probe();
    const run = (spurious: boolean, timeout = false): number => {
      lonePath(p, CC_CUBIC, 1000);
      loseAndRecover(p);
      let now = 0;
      for (; now < 4 * SECOND; now += RTT) round(p, now);
      if (spurious) {
        const cwnd = p.x.ccCwnd(0);
        p.x.ccLoss(0);
        if (timeout) p.x.ccRto(0);
        p.x.ccUndo(0);
        p.x.ccSetCwnd(0, cwnd);
        p.x.ccSetSsthresh(0, 700);
      }
      for (; now < 12 * SECOND; now += RTT) round(p, now);
      return p.x.ccWindow(0);
    };
    expect(run(true)).to.be.closeTo(run(false), 1.5);
    expect(run(true, true)).to.be.closeTo(run(false), 1.5);
  });
});

onBothBuilds('cc/hystart', (probe) => {
  /** Rounds of slow start with the given round trips; returns the windows after each. */
  const rounds = (p: Probe, rtts: number[], algorithm = CC_CUBIC): number[] => {
    p.x.ccPaths(1, algorithm, MSS);
    p.x.ccSetSrtt(0, RTT);
    let now = 0;
    return rtts.map((rtt) => {
      round(p, now, rtt);
      now += rtt;
      return p.x.ccCwnd(0);
    });
  };

  it('lets slow start run while the round trip stays', () => {
    const p = probe();
    expect(rounds(p, [RTT, RTT, RTT + 2000, RTT, RTT])).to.deep.equal([20, 40, 80, 160, 320]);
    expect(p.x.ccSsthresh(0)).to.equal(INFINITE);
  });

  it('ends slow start after five careful rounds once the round trip has grown', () => {
    const p = probe();
    const late = RTT + 8000; // more than an eighth above
    const windows = rounds(p, [RTT, RTT, RTT, RTT, late, late, late, late, late, late]);
    const grown = windows[4] ?? 0;
    expect(windows.slice(0, 4)).to.deep.equal([20, 40, 80, 160]);
    expect(grown).to.be.within(200, 320);
    expect(windows[5]).to.be.within(Math.floor(grown * 1.2), Math.ceil(grown * 1.3));
    expect(p.x.ccSsthresh(0)).to.be.within(grown, windows.at(-1) ?? 0);
  });

  it('is part of the coupled algorithms, and not of Reno, as on Linux', () => {
    const late = RTT + 8000;
    const rtts = [RTT, RTT, RTT, RTT, late, late, late, late, late, late];
    const p = probe();
    const expected = rounds(p, rtts);
    const ssthresh = p.x.ccSsthresh(0);
    for (const algorithm of [CC_LIA, CC_OLIA, CC_BALIA]) {
      // The last one is congestion avoidance.
      expect(rounds(p, rtts, algorithm).slice(0, -1)).to.deep.equal(expected.slice(0, -1));
      expect(p.x.ccSsthresh(0)).to.equal(ssthresh);
    }
    expect(rounds(p, rtts, CC_RENO).at(-1)).to.equal(10 * 2 ** rtts.length);
    expect(p.x.ccSsthresh(0)).to.equal(INFINITE);
  });

  it('returns to slow start when the growth was jitter', () => {
    const p = probe();
    const windows = rounds(p, [RTT, RTT, RTT, RTT + 8000, RTT, RTT, RTT]);
    expect(p.x.ccSsthresh(0)).to.equal(INFINITE);
    expect((windows[6] ?? 0) / (windows[5] ?? 1)).to.be.closeTo(2, 0.05);
  });
});
