/** Large writes that leave from the application's memory: whatever happens to the packets, the right octets arrive. */
import { expect } from 'chai';
import { CFG_CHECKSUM, CFG_MPTCP } from '../../assembly/abi.js';
import { MIB_LentOctets, MIB_RepaidOctets } from '../../assembly/mib.js';
import { SeededRandom } from '../../src/core/random.js';
import type { PlaitError } from '../../src/errors.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import type { OutPacket } from '../../src/io/device.js';
import type { Connection, ConnectionHandler } from '../../src/stack/connection.js';
import { auditCore } from '../fuzz/builds.js';
import { SegmentingDevice } from '../support/segmenting-device.js';
import { Pair, address, type PairOptions } from './pair.js';
import { firstWrong, StreamSender } from './stream.js';

const OCTETS = 24 << 20;
/** Octets of the longest header. */
const HEADERS = 100;
const PIECE = 1 << 20;
/** Octets until the peer's window is large enough for loans; links are fine meanwhile. */
const START = 8 << 20;
/** Everything that is sent arrives, and is answered, before the sender looks (as over veth pairs). */
const AT_ONCE: DuplexOptions = { rate: 0, delay: 0, queue: 64 << 20 };
const SHORT: DuplexOptions = { rate: 10e9, delay: 100, queue: 4 << 20 };
const bad = (options: DuplexOptions): DuplexOptions => ({
  ...options,
  loss: 0.002,
  duplicate: 0.002,
  reorder: 0.01,
  reorderDelay: 300,
});

/** Takes payload from where it lies; `refuse`: the share of packets for which its queue is full. */
class LendingDevice extends SegmentingDevice {
  refuse = 0;
  /** Looks after a packet that bring nothing. */
  idleLooks = 0;
  /** Packets of less than a segment. */
  small = 0;
  readonly #random = new SeededRandom(7);
  #looks = 0;
  /** Delivers what was sent, and lets the peer answer. */
  exchange: () => void = () => undefined;

  collect(): void {
    if (this.#looks++ >= this.idleLooks) this.exchange();
  }

  override send(path: number, packet: OutPacket): boolean {
    if (this.refuse > 0 && this.#random.u32() < this.refuse * 2 ** 32) return false;
    this.#looks = 0;
    if (packet.length > HEADERS && packet.length < 1400) this.small++;
    return super.send(path, packet);
  }
}

class Receiver implements ConnectionHandler {
  connection: Connection | null = null;
  received = 0;
  mismatch = -1;
  closed = false;
  error: PlaitError | null = null;
  readonly #buffer = new Uint8Array(65536);

  onConnected(): void {}
  onWritable(): void {}
  onReadable(): void {
    for (;;) {
      const n = this.connection?.readInto(this.#buffer) ?? 0;
      if (n === 0) return;
      if (this.mismatch < 0) this.mismatch = firstWrong(this.#buffer.subarray(0, n), this.received);
      this.received += n;
    }
  }
  onEnd(): void {
    this.connection?.shutdown();
  }
  onClosed(error: PlaitError | null): void {
    this.closed = true;
    this.error = error;
  }
  onEvent(): void {}
}

interface Counted {
  readonly lent: number;
  readonly repaid: number;
}

interface Setup {
  readonly pair: Pair;
  /** What the counters said after START octets. */
  before: Counted;
  readonly device: LendingDevice;
  readonly sender: StreamSender;
  readonly receiver: Receiver;
}

/** `links`: what they are like when they have carried START octets. */
async function open(
  links: readonly DuplexOptions[],
  options: Partial<PairOptions> = {},
  length = OCTETS,
  piece = PIECE,
): Promise<Setup> {
  let device: LendingDevice | null = null;
  const pair = await Pair.create({
    links: links.map(() => SHORT),
    numbers: { sequence: 2 ** 32 - 300_000, data: 2n ** 64n - 500_000n },
    ...options,
    wrap: (inner, name) =>
      name === 'client' ? (device = new LendingDevice(inner)) : new SegmentingDevice(inner),
  });
  const lending = device as LendingDevice | null;
  if (lending === null) throw new Error('no device');
  lending.exchange = () => {
    const now = pair.world.now();
    while (pair.network.deliver(now) > 0) pair.server.run(now);
  };
  const sender = new StreamSender(length, piece);
  const receiver = new Receiver();
  const setup: Setup = { pair, before: { lent: 0, repaid: 0 }, device: lending, sender, receiver };
  let started = false;
  sender.onWritten.push((octets) => {
    if (started || octets < START) return;
    started = true;
    setup.before = counted(pair);
    links.forEach((link, i) => pair.links[i]?.update(link));
  });
  const listener = pair.server.listen(5000, null, (connection) => {
    receiver.connection = connection;
    connection.handler = receiver;
  });
  listener.start((error) => expect(error).to.equal(null));
  const path = pair.client.paths()[0];
  pair.client.connect(path?.id ?? 0, 0, address(0, 2, options.ipv6), 5000, (error, connection) => {
    expect(error).to.equal(null);
    sender.connection = connection;
    if (connection !== null) connection.handler = sender;
  });
  return setup;
}

/** Octets that were lent, and those of them that were copied. */
function counted({ client: { core } }: Pair): Counted {
  return { lent: core.counter(MIB_LentOctets), repaid: core.counter(MIB_RepaidOctets) };
}

/** The same since the links became what the test is about. */
function since({ pair, before }: Setup): Counted {
  const { lent, repaid } = counted(pair);
  return { lent: lent - before.lent, repaid: repaid - before.repaid };
}

function finish(setup: Setup): void {
  const { pair, sender, receiver } = setup;
  const audit = (): void => {
    for (const { core } of [pair.client, pair.server]) expect(auditCore(core)).to.equal(null);
    pair.world.at(pair.world.now() + 5000, audit);
  };
  audit();
  pair.world.runUntil(() => sender.closed && receiver.closed, { maxTime: 300e6 });
  expect(sender.error, 'sender').to.equal(null);
  expect(receiver.error, 'receiver').to.equal(null);
  expect(receiver.mismatch, 'first wrong octet').to.equal(-1);
  expect(receiver.received).to.equal(sender.length);
}

describe('what an application lends, in virtual time', () => {
  it('is not copied where the peer acknowledges it at once', async () => {
    const setup = await open([AT_ONCE]);
    finish(setup);
    const { lent, repaid } = since(setup);
    expect(lent).to.be.above((OCTETS - START) / 2);
    expect(repaid).to.be.below(lent / 10);
  });

  it('is half a megabyte at least', async () => {
    const setup = await open([AT_ONCE], {}, OCTETS, PIECE / 2);
    finish(setup);
    expect(since(setup).lent).to.be.above((OCTETS - START) / 2);
    const less = await open([AT_ONCE], {}, OCTETS, PIECE / 2 - 1);
    finish(less);
    expect(counted(less.pair)).to.deep.equal({ lent: 0, repaid: 0 });
  });

  it('is copied in part where the peer needs a moment to acknowledge it', async () => {
    const setup = await open([AT_ONCE], {}, 3 * OCTETS);
    setup.sender.onWritten.push((octets) => {
      if (octets >= START) setup.device.idleLooks = 3;
    });
    finish(setup);
    const { lent, repaid } = since(setup);
    expect(lent).to.be.above(OCTETS / 2);
    expect(repaid).to.be.within(lent / 10, lent / 2);
  });

  it('leaves in whole segments, and its end with what is written next', async () => {
    const setup = await open([AT_ONCE]);
    let before = 0;
    setup.sender.onWritten.push((octets) => {
      if (octets <= START) before = setup.device.small;
    });
    finish(setup);
    expect(since(setup).lent).to.be.above((OCTETS - START) / 2);
    expect(setup.device.small - before).to.be.below((OCTETS - START) / PIECE / 4);
  });

  it('is copied where acknowledgements come later, and seldom lent then', async () => {
    const setup = await open([SHORT]);
    finish(setup);
    const { lent, repaid } = since(setup);
    // How many trials there are depends on how many writes the ring has room for.
    expect(lent).to.be.within(1, (OCTETS - START) / 2);
    expect(repaid).to.be.above(lent / 2);
  });

  const wishes: readonly [string, readonly DuplexOptions[], Partial<PairOptions>?][] = [
    ['one path without delay', [AT_ONCE]],
    ['two paths without delay', [AT_ONCE, AT_ONCE]],
    ['two paths, one of them with delay', [AT_ONCE, SHORT]],
    ['two paths with delay', [SHORT, { ...SHORT, delay: 1000 }]],
    ['IPv6', [AT_ONCE, SHORT], { ipv6: true }],
    ['plain TCP', [AT_ONCE], { server: [[CFG_MPTCP, 0]] }],
  ];
  for (const [name, links, options] of wishes) {
    it(`survives loss, reordering and duplicates over ${name}`, async () => {
      for (let seed = 1; seed <= 2; seed++) {
        const setup = await open(links.map(bad), { ...options, seed });
        finish(setup);
        expect(counted(setup.pair).lent).to.be.above(PIECE);
      }
    });
  }

  it('survives a device whose queue is often full', async () => {
    for (const links of [[AT_ONCE], [AT_ONCE, SHORT]]) {
      const setup = await open(links);
      setup.device.refuse = 0.05;
      const retry = (): void => {
        setup.pair.client.writable();
        setup.pair.world.at(setup.pair.world.now() + 100, retry);
      };
      retry();
      finish(setup);
      expect(counted(setup.pair).lent).to.be.above(PIECE);
    }
  });

  it('goes on over the other path when one falls silent', async () => {
    const setup = await open([AT_ONCE, SHORT]);
    let silent = false;
    setup.sender.onWritten.push((octets) => {
      if (silent || octets < OCTETS / 2) return;
      silent = true;
      setup.pair.links[0]?.setUp(false);
    });
    finish(setup);
    expect(silent).to.equal(true);
    expect(setup.sender.connection?.info().bytesReinjected).to.be.above(0);
  });

  it('is written as usual where DSS checksums look at it', async () => {
    const setup = await open([AT_ONCE], { client: [[CFG_CHECKSUM, 1]] });
    finish(setup);
    expect(counted(setup.pair)).to.deep.equal({ lent: 0, repaid: 0 });
  });

  it('ends with a peer that resets the connection meanwhile', async () => {
    const setup = await open([AT_ONCE]);
    const { pair, sender, receiver } = setup;
    const { exchange } = setup.device;
    setup.device.exchange = () => {
      if (receiver.received > OCTETS / 2) receiver.connection?.abort();
      exchange();
    };
    pair.world.runUntil(() => sender.closed, { maxTime: 10e6 });
    expect(sender.error?.code).to.equal('ECONNRESET');
    expect(receiver.mismatch).to.equal(-1);
    sender.connection?.release();
    pair.world.runUntil(() => !pair.client.busy(), { maxTime: 10e6 });
    expect(auditCore(pair.client.core)).to.equal(null);
  });
});
