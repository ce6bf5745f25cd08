import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.js';
import { PlaitError } from '../../src/errors.js';
import { Link, type LinkOptions } from '../../src/sim/link.js';
import { PacketPool } from '../../src/sim/packet-pool.js';

describe('sim/link', () => {
  it('delivers at once without options', () => {
    const link = make();
    expect(link.nextDelivery()).to.equal(Infinity);
    link.enqueue(5, packet(100), 7);
    expect(link.nextDelivery()).to.equal(5);
    const delivery = link.deliver(5);
    expect(delivery).to.include({ tag: 7, enqueued: 5, arrival: 5 });
    expect([...(delivery?.packet ?? [])]).to.deep.equal([...packet(100)]);
    expect(link.deliver(5)).to.equal(null);
  });

  it('copies the packet', () => {
    const link = make({ delay: 10 });
    const octets = packet(40, 1);
    link.enqueue(0, octets);
    octets.fill(9);
    expect(link.deliver(10)?.packet[39]).to.equal(1);
  });

  it('adds the transmission time to the delay', () => {
    const link = make({ rate: 8e6, delay: 20_000 }); // one octet per microsecond
    link.enqueue(0, packet(1000));
    link.enqueue(0, packet(500));
    expect(drain(link).map(({ arrival }) => arrival)).to.deep.equal([21_000, 21_500]);
  });

  it('keeps its rate however late it is asked', () => {
    const link = make({ rate: 8e6, queue: 1e6 });
    for (let i = 0; i < 100; i++) link.enqueue(0, packet(1000, i));
    const arrivals: number[] = [];
    for (const now of [10_500, 11_999, 12_000, 100_000]) {
      for (let next = link.deliver(now); next; next = link.deliver(now)) arrivals.push(next.arrival);
      if (now === 10_500) expect(arrivals).to.have.length(10);
      if (now === 11_999) expect(arrivals).to.have.length(11);
      if (now === 12_000) expect(arrivals).to.have.length(12);
    }
    expect(arrivals).to.deep.equal(Array.from({ length: 100 }, (_, i) => 1000 * (i + 1)));
  });

  it('names the time of the next delivery exactly while nothing is random', () => {
    const link = make({ rate: 10e6, delay: 333 });
    for (let i = 0; i < 50; i++) link.enqueue(i * 10, packet(100 + i));
    let deliveries = 0;
    while (link.nextDelivery() < Infinity) {
      expect(link.deliver(link.nextDelivery())).not.to.equal(null);
      deliveries++;
    }
    expect(deliveries).to.equal(50);
  });

  it('drops what does not fit into the queue', () => {
    const link = make({ rate: 8e6, queue: 2000 });
    const accepted = [0, 1, 2, 3, 4].map((mark) => link.enqueue(0, packet(1000, mark)));
    // One in the transmitter, two in the queue.
    expect(accepted).to.deep.equal([true, true, true, false, false]);
    expect(link.queued(0)).to.equal(2000);
    expect(link.queued(1000)).to.equal(1000);
    expect(link.enqueue(1000, packet(1000, 5))).to.equal(true);
    expect(drain(link).map(({ mark }) => mark)).to.deep.equal([0, 1, 2, 5]);
    expect(link.counters).to.include({
      sent: 6,
      delivered: 4,
      octets: 4000,
      droppedQueue: 2,
      maxQueue: 2000,
    });
  });

  it('loses the configured share, the same for the same seed', () => {
    const run = (seed: number): number[] => {
      const link = make({ loss: 0.1 }, seed);
      for (let i = 0; i < 10_000; i++) link.enqueue(i, packet(40, i));
      return drain(link).map(({ arrival }) => arrival);
    };
    const first = run(1);
    expect(first.length).to.be.within(8900, 9100);
    expect(run(1)).to.deep.equal(first);
    expect(run(2)).not.to.deep.equal(first);
  });

  it('lets lost packets use the transmitter', () => {
    const link = make({ rate: 8e6, loss: 1 });
    link.enqueue(0, packet(1000));
    link.enqueue(0, packet(1000));
    link.update(0, { loss: 0 });
    expect(drain(link).map(({ arrival }) => arrival)).to.deep.equal([2000]);
    expect(link.counters.droppedLoss).to.equal(1);
  });

  it('loses in bursts', () => {
    const link = make({ burst: { toBad: 0.01, toGood: 0.25, loss: 1 } });
    const count = 50_000;
    for (let i = 0; i < count; i++) link.enqueue(i, packet(40));
    const arrived = new Set(drain(link).map(({ arrival }) => arrival));
    let bursts = 0;
    for (let i = 0; i < count; i++) if (!arrived.has(i) && arrived.has(i + 1)) bursts++;
    const lost = count - arrived.size;
    // Bad for 4 packets on average, good for 100.
    expect(lost / count).to.be.within(0.033, 0.044);
    expect(lost / bursts).to.be.within(3.5, 4.5);
  });

  it('spreads arrivals by jitter without reordering', () => {
    const link = make({ delay: 1000, jitter: 5000 });
    for (let i = 0; i < 1000; i++) link.enqueue(i * 100, packet(40, i));
    const out = drain(link);
    expect(out.map(({ mark }) => mark)).to.deep.equal(out.map((_, i) => i % 256));
    const delays = out.map(({ arrival }, i) => arrival - i * 100);
    expect(Math.min(...delays)).to.be.at.least(1000);
    expect(Math.max(...delays)).to.be.within(5000, 6000);
    expect(ascending(out.map(({ arrival }) => arrival))).to.equal(true);
  });

  it('reorders by jitter when asked', () => {
    const link = make({ jitter: 5000, jitterReorders: true });
    for (let i = 0; i < 100; i++) link.enqueue(i * 100, packet(40, i));
    const out = drain(link);
    expect(out).to.have.length(100);
    expect(ascending(out.map(({ mark }) => mark))).to.equal(false);
    expect(ascending(out.map(({ arrival }) => arrival))).to.equal(true);
  });

  it('holds some packets back so that others overtake them', () => {
    const link = make({ delay: 1000, reorder: 0.05, reorderDelay: 450 });
    for (let i = 0; i < 1000; i++) link.enqueue(i * 100, packet(40, i));
    const out = drain(link);
    expect(out).to.have.length(1000);
    expect(link.counters.reordered).to.be.within(25, 80);
    const late = out.filter(({ arrival, enqueued }) => arrival - enqueued === 1450);
    expect(late).to.have.length(link.counters.reordered);
    expect(ascending(out.map(({ arrival }) => arrival))).to.equal(true);
    // Each of them comes after the four that followed it.
    const position = out.indexOf(late[0] as Arrived);
    expect(out[position - 1]?.enqueued).to.equal((late[0] as Arrived).enqueued + 400);
  });

  it('duplicates', () => {
    const link = make({ duplicate: 0.5, delay: 10 });
    for (let i = 0; i < 1000; i++) link.enqueue(i, packet(40, i), 3);
    const out = drain(link);
    expect(link.counters.duplicated).to.be.within(450, 550);
    expect(out).to.have.length(1000 + link.counters.duplicated);
    expect(out.every(({ tag, arrival, enqueued }) => tag === 3 && arrival === enqueued + 10)).to.equal(true);
  });

  it('flips one bit of a corrupted packet, anywhere', () => {
    const link = make({ corrupt: 1 });
    const seen = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      link.enqueue(i, packet(40, 0));
      const octets = link.deliver(i)?.packet ?? new Uint8Array(0);
      const changed = [...octets].flatMap((octet, at) => (octet === 0 ? [] : [at]));
      expect(changed).to.have.length(1);
      const at = changed[0] as number;
      expect(Math.log2(octets[at] as number) % 1).to.equal(0);
      seen.add(at);
    }
    expect(seen.size).to.equal(40);
    expect(link.counters.corrupted).to.equal(2000);
  });

  it('corrupts a packet without touching its duplicate', () => {
    const link = make({ corrupt: 1, duplicate: 1 });
    link.enqueue(0, packet(40, 0));
    const sums = [0, 1].map(() => [...(link.deliver(0)?.packet ?? [])].reduce((a, b) => a + b));
    expect(sums[0]).to.be.greaterThan(0);
    expect(sums[1]).to.equal(0);
  });

  it('loses everything in it when it goes down, and everything sent until it is up', () => {
    const link = make({ rate: 8e6, delay: 5000, reorder: 0.5 });
    for (let i = 0; i < 10; i++) link.enqueue(0, packet(1000, i));
    link.deliver(3000); // some on the wire, some queued
    link.setUp(3000, false);
    expect(link.up).to.equal(false);
    expect(link.nextDelivery()).to.equal(Infinity);
    expect(link.enqueue(4000, packet(1000))).to.equal(false);
    expect(link.counters.droppedDown).to.equal(11);
    link.setUp(5000, true);
    link.update(5000, { reorder: 0 });
    link.enqueue(5000, packet(1000, 42));
    expect(drain(link).map(({ mark, arrival }) => [mark, arrival])).to.deep.equal([[42, 11_000]]);
  });

  it('takes a new rate and delay for the packets that still wait', () => {
    const link = make({ rate: 8e6, delay: 1000 });
    for (let i = 0; i < 3; i++) link.enqueue(0, packet(1000, i));
    link.update(500, { rate: 80e6, delay: 0 });
    // The first is in the transmitter and keeps its time; the others may not overtake it.
    expect(drain(link).map(({ arrival }) => arrival)).to.deep.equal([2000, 2000, 2000]);
    link.update(10_000, { rate: 0 });
    link.enqueue(10_000, packet(1000));
    expect(link.nextDelivery()).to.equal(10_000);
  });

  it('refuses options out of their range', () => {
    for (const options of [
      { loss: 1.5 },
      { corrupt: -0.1 },
      { duplicate: NaN },
      { rate: -1 },
      { delay: Infinity },
      { jitter: -5 },
      { queue: NaN },
      { burst: { toBad: 2, toGood: 0, loss: 0 } },
    ]) {
      expect(() => make(options), JSON.stringify(options))
        .to.throw(PlaitError)
        .with.property('code', 'EINVAL');
    }
    expect(() => {
      make().update(0, { reorder: 2 });
    }).to.throw(PlaitError, /reorder is 2/);
  });

  it('keeps a delivered packet intact while others are sent', () => {
    const link = make();
    link.enqueue(0, packet(40, 1));
    const delivery = link.deliver(0);
    link.enqueue(0, packet(40, 2));
    expect(delivery?.packet[0]).to.equal(1);
  });

  it('gives every buffer back to the pool', () => {
    const pool = new PacketPool();
    const options = { rate: 8e6, queue: 4000, loss: 0.2, duplicate: 0.2, reorder: 0.2, jitter: 100 };
    const link = new Link(options, new SeededRandom(1), pool);
    for (let i = 0; i < 5000; i++) {
      link.enqueue(i * 400, packet(40 + ((i * 97) % 1400)));
      if (i % 1000 === 500) link.setUp(i * 400, false);
      if (i % 1000 === 600) link.setUp(i * 400, true);
      while (link.deliver(i * 400));
    }
    expect(pool.inUse).to.be.greaterThan(0);
    drain(link);
    link.deliver(Infinity);
    expect(pool.inUse).to.equal(0);
    const { sent, delivered, duplicated, droppedDown, droppedLoss, droppedQueue } = link.counters;
    expect(delivered + droppedDown + droppedLoss + droppedQueue).to.equal(sent + duplicated);
  });
});

interface Arrived {
  readonly arrival: number;
  readonly enqueued: number;
  readonly tag: number;
  /** First octet of the packet. */
  readonly mark: number;
}

function make(options: LinkOptions = {}, seed = 1): Link {
  return new Link(options, new SeededRandom(seed));
}

function packet(length: number, mark = 0): Uint8Array {
  return new Uint8Array(length).fill(mark);
}

/** Everything that is still to come, each packet at its time. */
function drain(link: Link): Arrived[] {
  const out: Arrived[] = [];
  for (let now = link.nextDelivery(); now < Infinity; now = link.nextDelivery()) {
    const delivery = link.deliver(now);
    if (delivery === null) continue;
    const { arrival, enqueued, tag } = delivery;
    out.push({ arrival, enqueued, tag, mark: delivery.packet[0] as number });
  }
  return out;
}

function ascending(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value >= (values[i - 1] as number));
}
