/** Whole transfers between two stacks in virtual time. */
import { expect } from 'chai';
import { Endpoint, Pair, address, done, expectWhole, start } from './pair.js';

describe('transfers in virtual time', () => {
  it('moves both directions over one clean path', async () => {
    const pair = await Pair.create({ links: [{ rate: 50e6, delay: 5000, queue: 100_000 }] });
    const transfer = start(pair, 300_000, 200_000);
    pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
    expectWhole(transfer);
    expect(transfer.client.connection?.info().mptcp).to.equal(true);
  });

  it('ends a stream that never carried an octet', async () => {
    const pair = await Pair.create({ links: [{ rate: 50e6, delay: 5000, queue: 100_000 }] });
    const client = new Endpoint(0, 11, 22);
    // Says nothing before the client's end: no DATA_ACK can come by chance.
    const server = new Endpoint(0, 22, 11, false);
    pair.server.listen(5000, null, (connection) => server.attach(connection, true)).start(() => undefined);
    pair.client.connect(1, 0, address(0, 2), 5000, (_error, connection) => {
      if (connection !== null) client.attach(connection, false);
    });
    pair.world.runUntil(() => server.ended, { maxTime: 5e6 });
    server.end();
    pair.world.runUntil(() => client.closed && server.closed, { maxTime: 10e6 });
    expect(client.error ?? server.error).to.equal(null);
    expect(client.connection?.info().mptcp).to.equal(true);
  });

  it('survives the abort of more connections than the event ring has records', async () => {
    const pair = await Pair.create({ links: [{ rate: 1e9, delay: 10, queue: 1e6 }] });
    let broken: Error | null = null;
    pair.client.onBroken = (error) => (broken = error);
    pair.server
      .listen(5000, null, (connection) => new Endpoint(0, 1, 2, false).attach(connection, true))
      .start(() => undefined);
    const clients = Array.from({ length: 600 }, () => {
      const client = new Endpoint(0, 2, 1, false);
      pair.client.connect(1, 0, address(0, 2), 5000, (_error, connection) => {
        if (connection !== null) client.attach(connection, false);
      });
      return client;
    });
    pair.world.runUntil(() => clients.every(({ connected }) => connected), { maxTime: 5e6 });
    for (const { connection } of clients) connection?.abort();
    pair.world.runUntil(() => clients.every(({ closed }) => closed), { maxTime: 10e6 });
    expect(broken).to.equal(null);
  });

  it('uses two paths at once', async () => {
    const pair = await Pair.create({
      links: [
        { rate: 40e6, delay: 7500, queue: 200_000 },
        { rate: 20e6, delay: 25_000, queue: 200_000 },
      ],
    });
    const transfer = start(pair, 20_000_000, 0);
    const t0 = pair.world.now();
    pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
    const seconds = (pair.world.now() - t0) / 1e6;
    expectWhole(transfer);
    const rate = (20_000_000 * 8) / seconds / 1e6;
    const shares = transfer.client.connection?.info().subflows.map((s) => s.bytesSent);
    expect(rate, `${rate.toFixed(1)} Mbit/s, shares ${shares?.join()}`).to.be.above(48);
  });
});
