/** Silence for two round trips makes a path doubtful, but no longer than it lasts: what is acknowledged ends the doubt. */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { joinHmac } from './crypto.js';
import { Peer } from './peer.js';

const MS = 1000;

/** Two subflows of a server's; the first one's round trip is the shorter. Nothing is in flight. */
async function twoSubflows(): Promise<[Peer, Peer]> {
  const bench = await Bench.create({ paths: 2 });
  bench.listen();
  const one = new Peer(bench);
  const { session } = one;
  one.send({ flags: 'S', capable: { flags: 1 } }).expect({ flags: 'SA' });
  bench.wait(2 * MS);
  one.send({ capable: { flags: 1, sender: session.key, receiver: session.stackKey } });
  one.data('hello').expect({ dss: { dack: 6 } });
  const other = new Peer(bench, { session, path: 1, port: 30001 });
  const join = other.joinSyn(1);
  const answer = other.send({ flags: 'S', join }).expect({ flags: 'SA' });
  bench.wait(20 * MS);
  const proof = joinHmac(session.key, session.stackKey, join.nonce, answer.join?.nonce ?? 0);
  other.send({ join: { hmac: proof.toString('hex', 0, 20) } }).expect({ flags: 'A', join: null });
  other.data('x').expect({ flags: 'A', length: 0 });
  for (const text of ['first', 'second']) {
    bench.app.write(text);
    bench.wait(2 * MS);
    one.expect({ data: text });
    one.acknowledge();
  }
  return [one, other];
}

describe('packets: a path that was silent', () => {
  it('carries data again, when the probe and its answer are lost and the original is acknowledged', async () => {
    const [one, other] = await twoSubflows();
    const { bench } = one;
    bench.app.write('late');
    one.expect({ data: 'late' });
    bench.wait(250 * MS);
    one.expect({ data: 'late' }); // the probe, which will be lost
    other.expect({ data: 'late' }); // in case the path is dead
    expect(bench.counter('TCPLossProbes')).to.equal(1);
    bench.app.write('meanwhile');
    other.expect({ data: 'meanwhile' });
    one.expectNothing();
    // The original was only late.
    one.acknowledge();
    other.acknowledge();
    for (const text of ['again', 'and again']) {
      bench.app.write(text);
      one.expect({ data: text });
      other.expectNothing();
      one.acknowledge();
    }
  });

  it('carries data again, when something sent before the probe is acknowledged', async () => {
    const [one, other] = await twoSubflows();
    const { bench } = one;
    bench.app.live.setNoDelay(true);
    bench.app.write('a');
    const { seq } = one.expect({ data: 'a' });
    bench.app.write('b');
    one.expect({ data: 'b' });
    bench.wait(20 * MS);
    one.expect({ data: 'b' }); // the probe
    other.drain();
    one.acknowledge({ ack: seq + 1 });
    bench.app.write('c');
    one.expect({ data: 'c' });
    other.expectNothing();
  });
});
