/** What a program gets at once in a buffer of its own: as much as there is, however many packets brought it. */
import { expect } from 'chai';
import type { Connection, ConnectionHandler } from '../../src/stack/connection.js';
import { Pair, address } from './pair.js';
import { firstWrong, StreamSender } from './stream.js';

const OCTETS = 4 << 20;
/** Octets of one write, whose last segment says PSH, so that segments of two writes are not joined. */
const WRITE = 4000;
const LIMIT = 65536;

class Reader implements ConnectionHandler {
  connection: Connection | null = null;
  received = 0;
  mismatch = -1;
  readonly sizes: number[] = [];

  onConnected(): void {}
  onWritable(): void {}
  onReadable(): void {
    const { connection } = this;
    while (connection !== null && connection.available() > 0) {
      const octets = connection.readBuffer(LIMIT);
      if (this.mismatch < 0) this.mismatch = firstWrong(octets, this.received);
      this.received += octets.length;
      this.sizes.push(octets.length);
    }
  }
  onEnd(): void {
    this.connection?.shutdown();
  }
  onClosed(): void {}
  onEvent(): void {}
}

describe('buffers of a connection, in virtual time', () => {
  it('hold what several packets of a batch brought', async () => {
    // Without a rate, packets that leave at once arrive at once.
    const pair = await Pair.create({ links: [{ delay: 5000, mtu: 9000 }] });
    const reader = new Reader();
    const sender = new StreamSender(OCTETS, WRITE);
    pair.server
      .listen(5000, null, (connection) => {
        reader.connection = connection;
        connection.handler = reader;
      })
      .start((error) => expect(error).to.equal(null));
    pair.client.connect(pair.client.paths()[0]?.id ?? 0, 0, address(0, 2), 5000, (error, connection) => {
      expect(error).to.equal(null);
      sender.connection = connection;
      if (connection !== null) connection.handler = sender;
    });
    pair.world.runUntil(() => sender.closed, { maxTime: 60e6 });
    expect(reader.mismatch, 'first wrong octet').to.equal(-1);
    expect(reader.received).to.equal(OCTETS);
    expect(Math.max(...reader.sizes)).to.equal(LIMIT);
    expect(OCTETS / reader.sizes.length, 'octets of a buffer').to.be.above(LIMIT * 0.85);
  });
});
