/** A SYN flood of 100,000 from random addresses beside a transfer, and clients that mean it. */
import { expect } from 'chai';
import { CFG_HALF_OPEN_MAX } from '../../assembly/abi.js';
import { Checksum } from '../../src/io/device.js';
import { SynFlood } from '../support/syn-flood.js';
import { address, Endpoint, Pair, start, type Transfer } from './pair.js';

const SYNS = 100_000;
const PORT = 5000;
/** One hundred SYNs in a millisecond. */
const BURST = 100;
const BURST_STEP = 1000;
const TRANSFER = 12_000_000;
/** Octets after which both subflows are up and both rings have their size. */
const WARM = 2_000_000;
const HALF_OPEN = 1024;

interface Run {
  readonly pair: Pair;
  readonly transfer: Transfer;
  /** Microseconds that the transfer took. */
  readonly took: number;
  /** Octets of the core's memory that the flood added at most, beside the transfer's own. */
  readonly grown: number;
}

/** A transfer to the server, with SYNs from strangers at the server all the time or without. */
async function run(syns: number): Promise<Run> {
  const link = { rate: 40e6, delay: 5000, queue: 100_000 };
  const pair = await Pair.create({ links: [link, link], server: [[CFG_HALF_OPEN_MAX, HALF_OPEN]] });
  const { world, server } = pair;
  const transfer = start(pair, TRANSFER, 0);
  world.runUntil(() => transfer.server.received > WARM, { maxTime: 60e6 });
  const before = server.core.x.memoryUsed();
  const flood = new SynFlood(address(0, 2), PORT, 7);
  let left = syns;
  let grown = 0;
  const burst = (): void => {
    for (let i = 0; i < BURST && left > 0; i++, left--) server.receive(1, flood.next(), Checksum.Good);
    grown = Math.max(grown, server.core.x.memoryUsed() - before);
    if (left > 0) world.at(world.now() + BURST_STEP, burst);
  };
  const from = world.now();
  burst();
  world.runUntil(() => transfer.server.ended, { maxTime: 60e6 });
  const took = world.now() - from;
  world.runUntil(() => left === 0, { maxTime: 60e6 });
  return { pair, transfer, took, grown };
}

/** Opens a connection of its own and gets an octet through; resolves to its endpoint. */
function visit(pair: Pair): Endpoint {
  const client = new Endpoint(1, 11, 22, false);
  pair.client.connect(1, 0, address(0, 2), PORT, (error, connection) => {
    expect(error).to.equal(null);
    if (connection !== null) client.attach(connection, false);
  });
  pair.world.runUntil(() => (client.connection?.info().bytesAcked ?? 0) === 1, { maxTime: 10e6 });
  return client;
}

describe('a SYN flood', () => {
  it('of 100,000 leaves memory bounded and a transfer going on; honest clients get in after it', async () => {
    const quiet = await run(0);
    const flooded = await run(SYNS);
    expectWholeOrOpen(flooded.transfer);
    expect(quiet.took / flooded.took, 'speed under the flood').to.be.above(0.5);
    // A half-open handshake is two records, a place in the tables and a handle each.
    expect(flooded.grown).to.be.below(HALF_OPEN * 4096 + 65536);
    const { server } = flooded.pair;
    expect(server.core.x.connections()).to.be.at.most(HALF_OPEN + 1);
    expect(server.counters()).to.containSubset({
      MPCapableSYNRX: SYNS + 1,
      SyncookiesSent: SYNS - HALF_OPEN,
      ListenDrops: 0,
    });
    const after = visit(flooded.pair);
    expect(after.connection?.info()).to.containSubset({ mptcp: true, fullyEstablished: true });
    expect(server.counters()['SyncookiesRecv']).to.equal(1);
    // Two minutes later nothing of it is left.
    flooded.pair.world.runUntil(flooded.pair.world.now() + 120e6);
    expect(server.core.x.connections()).to.be.below(4);
  });

  it('lets honest clients in while it lasts', async () => {
    const link = { rate: 40e6, delay: 5000, queue: 100_000 };
    const pair = await Pair.create({ links: [link, link] });
    pair.server
      .listen(PORT, null, (connection) => new Endpoint(0, 22, 11, false).attach(connection, true))
      .start((error) => expect(error).to.equal(null));
    const flood = new SynFlood(address(0, 2), PORT, 8);
    let running = true;
    const burst = (): void => {
      for (let i = 0; i < BURST; i++) pair.server.receive(1, flood.next(), Checksum.Good);
      if (running) pair.world.at(pair.world.now() + BURST_STEP, burst);
    };
    burst();
    pair.world.runUntil(50_000);
    for (let i = 0; i < 5; i++) {
      const client = visit(pair);
      expect(client.connection?.info()).to.containSubset({ mptcp: true, fullyEstablished: true });
      // Its second path joins as well.
      pair.world.runUntil(() => client.connection?.liveSubflows().length === 2, { maxTime: 10e6 });
    }
    running = false;
    expect(pair.server.counters()['SyncookiesRecv']).to.be.at.least(5);
  });
});

/** Everything arrived; the client's own end may still be open. */
function expectWholeOrOpen(transfer: Transfer): void {
  expect(transfer.server.mismatch).to.equal(-1);
  expect(transfer.server.received).to.equal(TRANSFER);
}
