/** Payload that comes in buffers of its own: whatever happens to the packets, the right octets arrive, and no buffer stays. */
import { expect } from 'chai';
import { CFG_CHECKSUM, CFG_MPTCP, CFG_TCP_RMEM_DEFAULT } from '../../assembly/abi.js';
import { MIB_InSegs, MIB_PlacedOctets } from '../../assembly/mib.js';
import { readCounters } from '../../src/core/counters.js';
import { SeededRandom } from '../../src/core/random.js';
import type { PlaitError } from '../../src/errors.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import type { Connection, ConnectionHandler } from '../../src/stack/connection.js';
import { auditCore } from '../fuzz/builds.js';
import { ApartDevice } from '../support/apart-device.js';
import { Pair, address, type PairOptions } from './pair.js';
import { firstWrong, PATTERN, StreamSender } from './stream.js';

const OCTETS = 4 << 20;
/** Octets that fit the initial window. */
const WAITING = 20_000;
/** Octets of one write. */
const PIECE = 65536;
const LINK: DuplexOptions = { rate: 1e9, delay: 1000, queue: 1 << 20, mtu: 9000 };
const BAD: DuplexOptions = { ...LINK, loss: 0.01, duplicate: 0.01, reorder: 0.05, reorderDelay: 3000 };

/** Reads in every way that there is, and not always at once. */
class Receiver implements ConnectionHandler {
  connection: Connection | null = null;
  received = 0;
  mismatch = -1;
  closed = false;
  error: PlaitError | null = null;
  /** Octets that `readBuffer` gave in the buffer in which they came. */
  given = 0;
  readonly #random = new SeededRandom(9);
  readonly #target = new Uint8Array(50_000);
  /** Chunks are the program's: what it has must not change. */
  readonly #kept: { readonly octets: Buffer; readonly at: number }[] = [];

  constructor(readonly lazy: boolean) {}

  onConnected(): void {}
  onWritable(): void {}
  onReadable(): void {
    if (!this.lazy || this.#random.u32() % 4 === 0) this.read();
  }
  read(): void {
    const { connection } = this;
    for (
      let ready = connection?.available() ?? 0;
      connection !== null && ready > 0;
      ready = connection.available()
    ) {
      const skip = Math.min(ready, 100);
      const peeked = connection.peekInto(this.#target, skip);
      this.#check(this.#target.subarray(0, peeked), this.received + skip);
      const way = this.#random.u32() % 4;
      if (way === 0)
        this.#took(
          this.#target.subarray(0, connection.readInto(this.#target, 1 + (this.#random.u32() % 40_000))),
        );
      else if (way === 1) connection.readLent((octets) => this.#took(octets));
      else {
        const octets = connection.readBuffer(65536);
        this.#kept.push({ octets, at: this.received });
        if (octets.length === ready) this.given += ready;
        this.#took(octets);
      }
    }
  }
  #took(octets: Uint8Array): void {
    this.#check(octets, this.received);
    this.received += octets.length;
  }
  #check(octets: Uint8Array, at: number): void {
    if (this.mismatch < 0) this.mismatch = firstWrong(octets, at);
  }
  checkKept(): void {
    for (const { octets, at } of this.#kept) this.#check(octets, at);
  }
  onEnd(): void {
    this.read();
    this.connection?.shutdown();
  }
  onClosed(error: PlaitError | null): void {
    this.closed = true;
    this.error = error;
  }
  onEvent(): void {}
}

interface Setup {
  readonly pair: Pair;
  readonly device: ApartDevice;
  readonly sender: StreamSender;
  readonly receiver: Receiver;
}

async function open(
  links: readonly DuplexOptions[],
  options: Partial<PairOptions> = {},
  { lazy = false, takes = true } = {},
): Promise<Setup> {
  let device: ApartDevice | null = null;
  const pair = await Pair.create({
    links,
    numbers: { sequence: 2 ** 32 - 300_000, data: 2n ** 64n - 500_000n },
    ...options,
    wrap: (inner, name) => (name === 'server' ? (device = new ApartDevice(inner)) : inner),
  });
  const apart = device as ApartDevice | null;
  if (apart === null) throw new Error('no device');
  const sender = new StreamSender(OCTETS, PIECE);
  const receiver = new Receiver(lazy);
  pair.server
    .listen(5000, null, (connection) => {
      receiver.connection = connection;
      connection.handler = receiver;
      if (takes) connection.takeBuffers();
    })
    .start((error) => expect(error).to.equal(null));
  const path = pair.client.paths()[0];
  pair.client.connect(path?.id ?? 0, 0, address(0, 2, options.ipv6), 5000, (error, connection) => {
    expect(error).to.equal(null);
    sender.connection = connection;
    if (connection !== null) connection.handler = sender;
  });
  const again = (): void => {
    receiver.read();
    pair.world.at(pair.world.now() + 20_000, again);
  };
  if (lazy) again();
  return { pair, device: apart, sender, receiver };
}

/** `left`: buffers that others still need. */
function finish({ pair, sender, receiver }: Setup, left = 0): void {
  const audit = (): void => {
    for (const { core } of [pair.client, pair.server]) expect(auditCore(core)).to.equal(null);
    pair.world.at(pair.world.now() + 5000, audit);
  };
  audit();
  pair.world.runUntil(() => sender.closed && receiver.closed, { maxTime: 300e6 });
  receiver.checkKept();
  expect(sender.error, 'sender').to.equal(null);
  expect(receiver.error, 'receiver').to.equal(null);
  expect(receiver.mismatch, 'first wrong octet').to.equal(-1);
  expect(receiver.received).to.equal(OCTETS);
  // Also those of packets that brought nothing new.
  expect(pair.server.core.placed.count, 'buffers left').to.equal(left);
}

const placed = ({ pair }: Setup): number => pair.server.core.counter(MIB_PlacedOctets);

describe('payload in buffers of its own, in virtual time', () => {
  const wishes: readonly [string, readonly DuplexOptions[], Partial<PairOptions>?][] = [
    ['one path', [LINK]],
    ['two paths', [LINK, { ...LINK, delay: 9000 }]],
    ['one bad path', [BAD]],
    ['two bad paths', [BAD, { ...BAD, delay: 9000 }]],
    ['bad paths of IPv6', [BAD, BAD], { ipv6: true }],
    ['a bad path of plain TCP', [BAD], { server: [[CFG_MPTCP, 0]] }],
  ];
  for (const [name, links, options] of wishes) {
    it(`arrives over ${name}, and stays there`, async () => {
      for (const share of [1, 0.5]) {
        for (const lazy of [false, true]) {
          const setup = await open(links, options, { lazy });
          setup.device.share = share;
          finish(setup);
          expect(placed(setup)).to.be.above(OCTETS * share * 0.8 - (lazy ? OCTETS * share * 0.5 : 0));
          expect(setup.receiver.given).to.be.above(0);
        }
      }
    });
  }

  const plain = [CFG_MPTCP, 0] as const;
  const account = [CFG_TCP_RMEM_DEFAULT, 400_000] as const;
  const kinds: readonly [string, NonNullable<PairOptions['server']>][] = [
    ['Multipath TCP', []],
    ['plain TCP', [plain]],
    ['Multipath TCP with an account of its buffer', [account]],
    ['plain TCP with an account of its buffer', [plain, account]],
  ];
  for (const [name, server] of kinds) {
    it(`changes nothing else: ${name}`, async () => {
      const outcome = async (share: number): Promise<object> => {
        const setup = await open([BAD], { server });
        setup.device.share = share;
        const { pair, receiver } = setup;
        const target = new Uint8Array(OCTETS);
        receiver.read = () => {
          receiver.received += receiver.connection?.readInto(target) ?? 0;
        };
        finish(setup);
        expect(placed(setup)).to.be.within(share * OCTETS * 0.8, share * OCTETS * 1.2);
        const counters = [pair.client, pair.server].map(({ core }) => readCounters(core));
        for (const of of counters) delete of.PlacedOctets;
        return { counters, time: pair.world.now() };
      };
      expect(await outcome(1)).to.deep.equal(await outcome(0));
    });
  }

  it('is copied where DSS checksums look at it', async () => {
    const setup = await open([BAD, LINK], { client: [[CFG_CHECKSUM, 1]] });
    finish(setup);
    expect(placed(setup)).to.equal(0);
    expect(setup.device.refused, 'buffers that were not tried any more').to.be.above(100);
  });

  it('is copied for a connection that takes none, and each segment counts once', async () => {
    const setup = await open([LINK], {}, { takes: false });
    // Another connection would.
    const takes = (): void => setup.receiver.connection?.takeBuffers();
    setup.receiver.onEnd = () => {
      takes();
      setup.receiver.connection?.shutdown();
    };
    const ring = setup.pair.server.receiveRing;
    ring.takesBuffers = (count) => setup.pair.server.core.placed.takes(count);
    finish(setup);
    expect(placed(setup)).to.equal(0);
    const sent =
      setup.sender.connection?.info().subflows.reduce((sum, { bytesSent }) => sum + bytesSent, 0) ?? 0;
    expect(sent).to.equal(OCTETS);
    expect(setup.pair.server.core.counter(MIB_InSegs)).to.be.below(OCTETS / 4000);
  });

  it('stays as long as nobody reads it, whatever else comes meanwhile', async () => {
    const setup = await open([LINK]);
    const { pair } = setup;
    const accepted: Connection[] = [];
    pair.server
      .listen(5001, null, (connection) => {
        accepted.push(connection);
        connection.takeBuffers();
      })
      .start((error) => expect(error).to.equal(null));
    const opened: Connection[] = [];
    pair.client.connect(pair.client.paths()[0]?.id ?? 0, 0, address(0, 2), 5001, (error, connection) => {
      expect(error).to.equal(null);
      if (connection !== null) opened.push(connection);
    });
    const available = (): number => accepted[0]?.available() ?? -1;
    // The first octets come with keys instead of a mapping.
    pair.world.runUntil(() => available() === 0, { maxTime: 10e6 });
    opened[0]?.write(PATTERN.subarray(0, 1));
    pair.world.runUntil(() => available() === 1, { maxTime: 10e6 });
    opened[0]?.write(PATTERN.subarray(1, WAITING));
    finish(setup, Math.ceil(WAITING / 9000));
    const reader = new Receiver(false);
    reader.connection = accepted[0] ?? null;
    reader.read();
    expect(reader.mismatch).to.equal(-1);
    expect(reader.received).to.equal(WAITING);
    expect(reader.given).to.be.above(0);
    expect(placed(setup)).to.be.above(256 * 9000);
  });

  it('goes with a connection that is let go before it has read it', async () => {
    const setup = await open([LINK]);
    const { pair, receiver } = setup;
    receiver.onReadable = () => undefined;
    pair.world.runUntil(() => placed(setup) > 1 << 15, { maxTime: 10e6 });
    expect(pair.server.core.placed.count).to.be.above(0);
    receiver.connection?.release();
    pair.server.run(pair.world.now());
    expect(pair.server.core.placed.count).to.equal(0);
    expect(auditCore(pair.server.core)).to.equal(null);
  });
});
