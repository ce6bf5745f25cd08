/** On which subflow an answer leaves when little is in flight: the one that has to carry an acknowledgement in any case. */
import { Bench } from './bench.js';
import { joinHmac } from './crypto.js';
import { Peer } from './peer.js';

const MS = 1000;
/** Segments that are acknowledged before the program has seen them (tcp/delack.ts). */
const QUICK_ACKS = 16;

/** Two subflows to a stack that answers what it reads with "pong"; so long each handshake took, in microseconds. */
async function twoSubflows(first: number, second: number): Promise<[Peer, Peer]> {
  const bench = await Bench.create({ paths: 2 });
  bench.listen();
  const one = new Peer(bench);
  const { session } = one;
  one.send({ flags: 'S', capable: { flags: 1 } }).expect({ flags: 'SA' });
  bench.wait(first);
  one.send({ capable: { flags: 1, sender: session.key, receiver: session.stackKey } });
  one.data('hello').expect({ dss: { dack: 6 } });
  const other = new Peer(bench, { session, path: 1, port: 30001 });
  const join = other.joinSyn(1);
  const answer = other.send({ flags: 'S', join }).expect({ flags: 'SA' });
  bench.wait(second);
  const proof = joinHmac(session.key, session.stackKey, join.nonce, answer.join?.nonce ?? 0);
  other.send({ join: { hmac: proof.toString('hex', 0, 20) } }).expect({ flags: 'A', join: null });
  for (let i = 0; i < QUICK_ACKS; i++) other.data('x').expect({ flags: 'A', length: 0 });
  const { app } = bench;
  const read = app.onReadable.bind(app);
  app.onReadable = () => {
    read();
    app.write('pong');
  };
  return [one, other];
}

describe('packets: the subflow of an answer', () => {
  it('is that of the question, though the handshake took longer there', async () => {
    const [one, other] = await twoSubflows(2 * MS, 8 * MS);
    for (let round = 0; round < 3; round++) {
      other.data('ping').expect({ data: 'pong', ack: other.seq });
      one.expectNothing();
      one.bench.wait(MS);
      other.acknowledge();
      other.expectNothing();
      one.expectNothing();
    }
  });

  it('is another one, if data came back faster there', async () => {
    const [one, other] = await twoSubflows(MS, 8 * MS);
    other.data('ping').expect({ data: 'pong' });
    one.bench.wait(8 * MS);
    other.acknowledge();
    other.data('ping').expectNothing();
    one.expect({ data: 'pong' });
  });
});
