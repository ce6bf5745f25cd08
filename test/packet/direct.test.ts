/** Octets are read out of the packets that brought them, or from the ring when the application is late. */
import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.js';
import { auditCore, loadBuild } from '../fuzz/builds.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

describe('packets: reading out of received packets', () => {
  async function connected(): Promise<[Bench, Peer]> {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.data('<').expect({ dss: { dack: 2 } });
    bench.holding = true;
    return [bench, peer];
  }

  /** Reads `n` octets at once. */
  function read(bench: Bench, n: number): string {
    const target = Buffer.alloc(n);
    return target.toString('latin1', 0, bench.app.live.readInto(target));
  }

  it('gives several packets of one batch in order', async () => {
    const [bench, peer] = await connected();
    for (const data of ['one ', 'two ', 'three']) peer.data(data);
    bench.settle();
    expect(bench.app.text).to.equal('<one two three');
  });

  it('keeps what the application does not read at once', async () => {
    const [bench, peer] = await connected();
    bench.app.reading = false;
    for (const data of ['one ', 'two ']) peer.data(data);
    bench.settle();
    peer.data('three'); // in the memory of those before
    bench.settle();
    expect(read(bench, 2)).to.equal('on');
    expect(bench.app.live.queues().unread).to.equal(11);
    peer.data(' four');
    bench.settle();
    expect(read(bench, 100)).to.equal('e two three four');
  });

  it('reads in parts, and looks ahead, within one batch', async () => {
    const [bench, peer] = await connected();
    const { app } = bench;
    const ahead = Buffer.alloc(5);
    app.onReadable = () => {
      app.text += read(bench, 3);
      expect(app.live.peekInto(ahead, 2)).to.equal(5);
      app.text += read(bench, 4);
    };
    for (const data of ['0123', '45', '6789abcdef']) peer.data(data);
    bench.settle();
    expect(app.text).to.equal('<0123456');
    expect(ahead.toString()).to.equal('56789');
    peer.data('ghi');
    bench.settle();
    expect(read(bench, 100)).to.equal('789abcdefghi');
  });

  it('mixes with what arrives beyond a hole and fills it', async () => {
    const [bench, peer] = await connected();
    const { seq } = peer;
    const part = (from: number, data: string): void => {
      peer.send({
        seq: seq + from,
        data,
        dss: { dsn: 2 + from, ssn: seq + from, length: data.length, dack: 1 },
      });
    };
    part(0, 'ab');
    part(4, 'ef');
    part(2, 'cd');
    part(6, 'gh');
    bench.app.reading = false;
    bench.settle();
    part(8, 'ij');
    part(12, 'mn');
    bench.settle();
    part(10, 'kl');
    bench.settle();
    expect(read(bench, 100)).to.equal('abcdefghijklmn');
  });

  it('gives what came in any order, in pieces of any size, each octet as it came first', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const [bench, peer] = await connected();
      const random = new SeededRandom(seed);
      const part = (from: number, data: string): void => {
        [...data].forEach((one, i) => (first[from + i] ??= one));
        peer.send({ seq, data, dss: { dsn: 2 + from, ssn: seq, length: data.length, dack: 1 } });
        seq += data.length;
      };
      const octet = (): string => String.fromCharCode(97 + random.int(0, 25));
      const first: string[] = [];
      let { seq } = peer;
      let done = 0;
      bench.app.reading = false;
      let text = '';
      const target = Buffer.alloc(200);
      const take = (most: number): void => {
        const { live } = bench.app;
        const skip = random.int(0, 3);
        const ahead = live.peekInto(target.subarray(0, 50), skip);
        const looked = target.toString('latin1', 0, ahead);
        const n = live.readInto(target.subarray(0, most));
        text += target.toString('latin1', 0, n);
        done += n;
        if (n > skip)
          expect(looked.startsWith(target.toString('latin1', skip, Math.min(n, skip + ahead)))).to.equal(
            true,
          );
      };
      bench.app.onReadable = () => {
        for (let i = random.int(0, 2); i > 0; i--) take(random.int(0, 59));
      };
      for (let batch = 0; batch < 30; batch++) {
        for (let packet = random.int(0, 11); packet > 0; packet--) {
          const from = Math.max(0, done - 20) + random.int(0, 119);
          part(from, Array.from({ length: random.int(1, 40) }, octet).join(''));
        }
        bench.settle();
        if (random.int(0, 2) === 0) take(random.int(0, 199));
      }
      part(done, Array.from(first.slice(done), octet).join('')); // fills every hole
      bench.settle();
      while (bench.app.live.available() > 0) take(200);
      expect(text, `seed ${String(seed)}`).to.equal(first.join(''));
    }
  });

  it('outlives its connection: a batch that ends one goes on with others', async () => {
    const [bench, peer] = await connected();
    const other = new Peer(bench, { port: 30001 });
    bench.holding = false;
    other.open();
    bench.holding = true;
    bench.app.reading = false;
    peer.data('lost');
    bench.app.onReadable = () => bench.app.live.release();
    other.data('kept');
    bench.settle();
    expect(bench.apps[1]?.text).to.equal('kept');
  });

  it('forgets what lies beyond the end of the stream, when there is no ring for it any more', async () => {
    const bench = await Bench.create({ module: await loadBuild('audit') });
    bench.listen();
    const peer = new Peer(bench).openPlain();
    const { seq } = peer;
    peer.send({ flags: 'PA', seq: seq + 10, data: 'beyond the end' });
    peer.send({ flags: 'FA', seq, data: 'end' });
    expect(bench.app.text).to.equal('end');
    expect(bench.app.ended).to.equal(true);
    // Packets go to the other memory, and to that again.
    const other = new Peer(bench, { port: 30001 }).openPlain();
    for (let i = 0; i < 4; i++) {
      other.send({ flags: 'PA', seq: other.seq + 100, data: 'a hole is before it' });
      expect(auditCore(bench.stack.core)).to.equal(null);
    }
  });
});
