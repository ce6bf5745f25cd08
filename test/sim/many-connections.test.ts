/** Ten thousand connections with two subflows each in one stack: they open, carry an octet, rest, close, and are forgotten. */
import { expect } from 'chai';
import { MIB_InSegs, MIB_OutSegs } from '../../assembly/mib.js';
import type { PlaitError } from '../../src/errors.js';
import type { Connection, ConnectionHandler } from '../../src/stack/connection.js';
import type { Stack } from '../../src/stack/stack.js';
import { address, Pair } from './pair.js';

const COUNT = 10_000;
const PORT = 5000;
/** Connections that do something in the same instant, and microseconds between such groups. */
const GROUP = 100;
const STEP = 40_000;
const SECOND = 1e6;
/** A record, two subflows with theirs, places in all tables; rounded up to powers of two. */
const OCTETS_EACH = 8192;
/** Tables that have grown stay as they are. */
const TABLES_EACH = 256;
const LINK = { rate: 1e9, delay: 1000, queue: 1_000_000 };

/** An end that answers an octet with an octet where it is the accepting one. */
class End implements ConnectionHandler {
  received = 0;
  closed = 0;
  error: PlaitError | null = null;
  readonly #octet = new Uint8Array(1);

  constructor(
    readonly connection: Connection,
    readonly answers: boolean,
  ) {
    connection.handler = this;
  }
  onReadable(): void {
    this.received += this.connection.readInto(this.#octet);
    if (this.answers) this.connection.write(this.#octet);
  }
  onEnd(): void {
    if (this.answers) this.connection.shutdown();
  }
  onClosed(error: PlaitError | null): void {
    this.closed++;
    this.error = error;
    this.connection.release();
  }
  onConnected(): void {}
  onWritable(): void {}
  onEvent(): void {}
}

describe('ten thousand connections', () => {
  let pair: Pair;
  let empty: readonly number[];
  const near: End[] = [];
  const far: End[] = [];
  const stacks = (): Stack[] => [pair.client, pair.server];
  const memory = (): number[] => stacks().map(({ core }) => core.x.memoryUsed());
  const segments = (): number[] =>
    stacks().flatMap(({ core }) => [core.counter(MIB_InSegs), core.counter(MIB_OutSegs)]);
  const most = (values: readonly number[]): number => Math.max(...values);

  before(async () => {
    pair = await Pair.create({ links: [LINK, LINK], build: 'release' });
    empty = memory();
    const accept = (connection: Connection): void => void far.push(new End(connection, true));
    pair.server.listen(PORT, null, accept).start((error) => expect(error).to.equal(null));
  });

  /** Does something `COUNT` times, a group in an instant, and lets it come to its end. */
  function inGroups(one: (index: number) => void): void {
    const { world } = pair;
    for (let index = 0; index < COUNT; index++) {
      one(index);
      if (index % GROUP === GROUP - 1) world.runUntil(world.now() + STEP);
    }
    world.runUntil(world.now() + SECOND);
  }

  it('open on both paths and hold no more than they need', () => {
    inGroups(() => {
      pair.client.connect(1, 0, address(0, 2), PORT, (error, connection) => {
        if (connection === null) throw error ?? new Error('no connection');
        near.push(new End(connection, false));
      });
    });
    for (const stack of stacks()) {
      const open = [...stack.connections()].filter((one) => one.isOpen && one.liveSubflows().length === 2);
      expect(open, stack.name).to.have.length(COUNT);
    }
    expect(most(memory().map((octets, i) => octets - (empty[i] ?? 0)))).to.be.below(COUNT * OCTETS_EACH);
    // The other address is announced once: its echo comes long before a repetition would.
    const { AddAddrTx, EchoAdd } = pair.server.counters();
    expect([AddAddrTx, EchoAdd]).to.deep.equal([COUNT, COUNT]);
  });

  it('carry an octet each way and give their rings back', () => {
    const octet = Uint8Array.of(7);
    inGroups((index) => near[index]?.connection.write(octet));
    for (const ends of [near, far])
      expect(ends.filter(({ received }) => received === 1)).to.have.length(COUNT);
    expect(most(memory().map((octets, i) => octets - (empty[i] ?? 0)))).to.be.below(COUNT * OCTETS_EACH);
  });

  it('rest without a packet, and without anything to wake up for', () => {
    const { world } = pair;
    // What was announced is settled, ports of joins that ended are given back.
    world.runUntil(world.now() + 300 * SECOND);
    const before = segments();
    world.runUntil(world.now() + 3600 * SECOND);
    expect(segments()).to.deep.equal(before);
    expect(world.nextEvent()).to.equal(Infinity);
  });

  it('close in order, and nothing of them is left', () => {
    const { world } = pair;
    inGroups((index) => near[index]?.connection.shutdown());
    world.runUntil(world.now() + 300 * SECOND);
    for (const ends of [near, far]) {
      expect(ends.filter(({ closed, error }) => closed === 1 && error === null)).to.have.length(COUNT);
    }
    expect(stacks().map((stack) => [...stack.connections()].length)).to.deep.equal([0, 0]);
    expect(stacks().map((stack) => stack.busy())).to.deep.equal([false, false]);
    expect(most(memory().map((octets, i) => octets - (empty[i] ?? 0)))).to.be.below(COUNT * TABLES_EACH);
    expect(world.nextEvent()).to.equal(Infinity);
  });
});
