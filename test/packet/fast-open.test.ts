/** TCP Fast Open (RFC 7413), the listening side: cookies, data in the SYN, and what becomes of it. */
import { expect } from 'chai';
import { CFG_FAST_OPEN, OPT_FAST_OPEN, OPT_FAST_OPEN_NO_COOKIE } from '../../assembly/abi.js';
import { setFastOpenKeys } from '../../src/stack/fast-open.js';
import { Bench } from './bench.js';
import { Peer, Session, type Fields, type PeerOptions, type Seen } from './peer.js';

const NO_COOKIE_WANTED = 0x200;
const EVERY_LISTENER = 0x400;

interface ServerOptions {
  readonly bits?: number;
  readonly queue?: number;
  readonly config?: [number, number][];
}

async function server({ bits = 2, queue = 5, config = [] }: ServerOptions = {}): Promise<Bench> {
  const bench = await Bench.create({ paths: 2, config: [[CFG_FAST_OPEN, bits], ...config] });
  bench.listen(5000, queue === 0 ? [] : [[OPT_FAST_OPEN, queue]]);
  return bench;
}

/** The cookie that the stack gives to the usual peer. */
function cookieOf(bench: Bench, options: PeerOptions = {}): string {
  const peer = new Peer(bench, { port: 29999, ...options });
  const { fastOpen } = peer.send({ flags: 'S', fastOpen: { cookie: '' } }).expect({ flags: 'SA', ack: 1 });
  peer.send({ flags: 'R', seq: 1 });
  return fastOpen?.cookie ?? '';
}

/** A SYN with cookie and data, up to the SYN/ACK. */
function early(bench: Bench, data: string, options: PeerOptions = {}, fields: Fields = {}): [Peer, Seen] {
  const cookie = cookieOf(bench);
  const peer = new Peer(bench, { ts: true, session: new Session(), ...options });
  peer.send({ flags: 'S', data, capable: {}, fastOpen: { cookie }, ...fields });
  return [peer, peer.expect({ flags: 'SA' })];
}

const third = (peer: Peer): Peer =>
  peer.send({ capable: { sender: peer.session.key, receiver: peer.session.stackKey } });

describe('packets: Fast Open, the listening side', () => {
  it('gives a cookie to who asks, in the place of timestamps when MP_CAPABLE is there as well', async () => {
    const bench = await server();
    const peer = new Peer(bench, { ts: true }).send({ flags: 'S', capable: {}, fastOpen: { cookie: '' } });
    const answer = peer.expect({
      flags: 'SA',
      ack: 1,
      ts: null,
      sackOk: true,
      scale: 8,
      capable: { flags: 1 },
    });
    expect(answer.fastOpen).to.have.property('cookie').of.length(16);
    expect(answer.raw).to.match(/^020405b40101040201030308220a.{16}01011e0c/);
    expect(bench.counter('TCPFastOpenCookieReqd')).to.equal(1);
    third(peer)
      .data('hello')
      .expect({ ts: null, dss: { dack: 6 } });
  });

  it('gives a cookie beside timestamps on plain TCP', async () => {
    const bench = await server();
    const peer = new Peer(bench, { ts: true }).send({ flags: 'S', fastOpen: { cookie: '' } });
    const answer = peer.expect({ flags: 'SA', capable: null });
    expect(answer.ts).to.not.equal(null);
    expect(answer.fastOpen?.cookie).to.have.lengthOf(16);
  });

  it('takes the data of a SYN with its cookie, and hands it to the application at once', async () => {
    const bench = await server();
    const [peer, answer] = early(bench, 'hello');
    expect(answer).to.containSubset({ ack: 6, fastOpen: null, capable: { flags: 1 } });
    expect(answer.ts).to.not.equal(null);
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.live.info()).to.containSubset({ mptcp: true, fullyEstablished: false, bytesRead: 5 });
    third(peer);
    expect(bench.app.live.info()).to.containSubset({ mptcp: true, fullyEstablished: true });
    expect(bench.counter('TCPFastOpenPassive')).to.equal(1);
    expect(bench.counter('TCPFastOpenPassiveFail')).to.equal(0);
    expect(bench.counter('PassiveOpens')).to.equal(1);
  });

  it('the octets of the SYN lie outside the data sequence space: the next has number 1 on both levels', async () => {
    const bench = await server();
    const [peer] = early(bench, 'hello');
    third(peer).data(' world', { dsn: 1, ssn: 1 });
    peer.expect({ flags: 'A', ack: 12, dss: { dack: 7 } });
    expect(bench.app.text).to.equal('hello world');
    expect(bench.app.live.info()).to.containSubset({ mptcp: true, bytesRead: 11 });
    peer.dataFin().expect({ dss: { dack: 8 } });
    expect(bench.app.ended).to.equal(true);
  });

  it('MP_CAPABLE with data maps what follows the SYN', async () => {
    const bench = await server();
    const [peer] = early(bench, 'hello');
    const { key, stackKey } = peer.session;
    peer.send({ flags: 'PA', data: ' world', capable: { sender: key, receiver: stackKey, length: 6 } });
    peer.expect({ flags: 'A', ack: 12, dss: { dack: 7 } });
    expect(bench.app.text).to.equal('hello world');
  });

  it('data that nobody has read when the keys come keeps its place', async () => {
    for (const key of [1n, 2n, 3n, 0x0102030405060708n]) {
      const bench = await server();
      bench.app.reading = false;
      const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(40);
      const [peer] = early(bench, text, { session: new Session(key) });
      third(peer)
        .data('0123456789', { dsn: 1, ssn: 1 })
        .expect({ dss: { dack: 11 } });
      bench.app.reading = true;
      bench.app.onReadable();
      expect(bench.app.text).to.equal(`${text}0123456789`);
    }
  });

  it('with DSS checksums', async () => {
    const bench = await server();
    const [peer] = early(bench, 'hello', {}, { capable: { flags: 0x81 } });
    peer.send({
      capable: { flags: 0x81, sender: peer.session.key, receiver: peer.session.stackKey },
    });
    peer.session.checksum = true;
    peer.data(' world', { dsn: 1, ssn: 1 }).expect({ dss: { dack: 7 } });
    expect(bench.app.text).to.equal('hello world');
  });

  it('answers after the third packet, which brings the key: Linux falls back when data comes without DATA_ACK', async () => {
    const bench = await server();
    const [peer] = early(bench, 'ping');
    bench.app.write('pong');
    peer.expectNothing();
    third(peer).expect({
      flags: 'PA',
      seq: 1,
      ack: 5,
      data: 'pong',
      dss: { dsn: 1, ssn: 1, length: 4, dack: 1 },
    });
    peer.send({ ack: 5, dss: { dack: 5 } });
    bench.wait(5e6);
    peer.expectNothing();
    bench.app.write('more');
    peer.expect({ data: 'more', dss: { dsn: 5, ssn: 5, dack: 1 } });
    expect(bench.app.live.info()).to.containSubset({ bytesAcked: 4, mptcp: true });
  });

  it('plain TCP: the data of the SYN, an answer before the third packet, and the rest', async () => {
    const bench = await server();
    const [peer] = early(bench, 'ping', {}, { capable: null });
    bench.app.write('pong');
    peer.expect({ flags: 'PA', seq: 1, ack: 5, data: 'pong', dss: null });
    peer.send({ ack: 5 });
    peer.send({ flags: 'PA', data: '!' });
    bench.wait(50_000);
    peer.expect({ ack: 6 });
    expect(bench.app.text).to.equal('ping!');
    bench.wait(5e6);
    peer.expectNothing();
    peer.send({ flags: 'FA' });
    bench.wait(50_000);
    peer.expect({ ack: 7 });
    expect(bench.app.ended).to.equal(true);
  });

  it('plain TCP: the end of the stream, written with its last data, goes behind the third packet', async () => {
    const bench = await server();
    const [peer] = early(bench, 'ping', {}, { capable: null });
    bench.app.write('pong');
    bench.app.live.shutdown();
    bench.settle();
    peer.expect({ flags: 'PA', seq: 1, ack: 5, data: 'pong' });
    peer.expectNothing();
    peer.send({ ack: 5 }).expect({ flags: 'FA', seq: 5 });
    peer.send({ flags: 'FA', ack: 6 }).expect({ ack: 6 });
    expect(bench.app.error).to.equal(null);
    expect(bench.app.closed).to.equal(true);
  });

  it('plain TCP: a program that leaves ends the connection before the third packet', async () => {
    const bench = await server();
    const [peer] = early(bench, 'ping', {}, { capable: null });
    bench.app.write('pong');
    bench.app.live.close();
    bench.settle();
    peer.expect({ flags: 'FPA', seq: 1, ack: 5, data: 'pong' });
    peer.send({ ack: 6 });
    peer.send({ flags: 'FA', ack: 6 }).expect({ ack: 6 });
    expect(bench.app.error).to.equal(null);
    expect(bench.app.closed).to.equal(true);
  });

  it('what went out before the third packet is sent again when it was lost', async () => {
    const bench = await server();
    const [peer] = early(bench, 'ping', { ts: false }, { capable: null });
    bench.app.write('pong');
    peer.expect({ data: 'pong' });
    peer.send({ ack: 1 });
    bench.wait(2e6);
    const again = peer.drain();
    expect(again.length).to.be.above(0);
    expect(again[0]).to.containSubset({ seq: 1, data: 'pong', dss: null });
  });

  it('repeats the SYN/ACK, which acknowledges the data, and gives up in the end', async () => {
    const bench = await server();
    const [peer] = early(bench, 'hello');
    for (const gap of [1e6, 2e6, 4e6]) peer.expectAfter(gap, { flags: 'SA', seq: 0, ack: 6 });
    peer.send({ flags: 'S', seq: 0 }).expect({ flags: 'SA', ack: 6 });
    // One more repetition than without Fast Open, as on Linux.
    bench.wait(70e6);
    expect(bench.app.closed).to.equal(false);
    bench.wait(64e6);
    expect(bench.app.closed).to.equal(true);
    expect(bench.app.error?.code).to.equal('ETIMEDOUT');
  });

  it('a third packet without MP_CAPABLE: plain TCP from behind the SYN', async () => {
    const bench = await server();
    const [peer] = early(bench, 'hello');
    peer.send({});
    expect(bench.app.has('fallback')).to.equal(true);
    peer.send({ flags: 'PA', data: ' world' }).expect({ ack: 12, dss: null });
    expect(bench.app.text).to.equal('hello world');
    bench.app.write('plain');
    peer.expect({ data: 'plain', dss: null });
    expect(bench.counter('MPCapableFallbackACK')).to.equal(1);
  });

  it('another cookie: the data waits for the handshake, and the right cookie is given', async () => {
    const bench = await server();
    const cookie = cookieOf(bench);
    const peer = new Peer(bench).send({
      flags: 'S',
      data: 'hello',
      capable: {},
      fastOpen: { cookie: '0011223344556677' },
    });
    peer.expect({ flags: 'SA', ack: 1, fastOpen: { cookie } });
    expect(bench.app.connection).to.equal(null);
    expect(bench.counter('TCPFastOpenPassiveFail')).to.equal(1);
    peer.seq = 1;
    peer.send({
      flags: 'PA',
      data: 'hello',
      capable: { sender: peer.session.key, receiver: peer.session.stackKey, length: 5 },
    });
    peer.expect({ ack: 6, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('hello');
  });

  it('cookies belong to an address', async () => {
    const bench = await server();
    expect(cookieOf(bench)).to.equal(cookieOf(bench, { port: 1234 }));
    expect(cookieOf(bench)).to.not.equal(cookieOf(bench, { address: '10.0.0.77' }));
  });

  it('cookies of another length than ours are wrong; of a length that cannot be, absent', async () => {
    const bench = await server();
    for (const [cookie, failures] of [
      ['00112233', 1],
      ['00112233445566778899aabbccddeeff', 2],
      ['0011', 2],
      ['001122334455667788', 2],
    ] as const) {
      const peer = new Peer(bench, { session: new Session() });
      peer.send({ flags: 'S', data: 'x', fastOpen: { cookie } }).expect({ flags: 'SA', ack: 1 });
      expect(bench.counter('TCPFastOpenPassiveFail'), cookie).to.equal(failures);
      peer.send({ flags: 'R', seq: 1 });
    }
  });

  it('the cookie of the key before is good once more, and the new one is given', async () => {
    const bench = await server();
    const [first, second] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
    setFastOpenKeys(bench.stack.core, first);
    const old = cookieOf(bench);
    setFastOpenKeys(bench.stack.core, second, first);
    const cookie = cookieOf(bench);
    expect(cookie).to.not.equal(old);
    const peer = new Peer(bench, { ts: true });
    peer.send({ flags: 'S', data: 'hello', capable: {}, fastOpen: { cookie: old } });
    peer.expect({ flags: 'SA', ack: 6, fastOpen: { cookie }, ts: null });
    expect(bench.app.text).to.equal('hello');
    expect(bench.counter('TCPFastOpenPassiveAltKey')).to.equal(1);
    setFastOpenKeys(bench.stack.core, second);
    const late = new Peer(bench, { port: 30002, session: new Session(9n) });
    late.send({ flags: 'S', data: 'hello', fastOpen: { cookie: old } }).expect({ flags: 'SA', ack: 1 });
  });

  it('the cookie is what Linux 6.18 makes of the key and the addresses', async () => {
    const bench = await server();
    const key = Uint8Array.from([1, 2, 3, 4].flatMap((n) => Array<number>(4).fill(n * 0x11)));
    setFastOpenKeys(bench.stack.core, key);
    // Of a capture of the kernel: net.ipv4.tcp_fastopen_key=11111111-22222222-33333333-44444444, 10.0.0.2 to 10.0.0.1.
    expect(cookieOf(bench)).to.equal(KERNEL_COOKIE);
  });

  it('the experimental form of the option is read, and answered in the same form', async () => {
    const bench = await server();
    const ask = new Peer(bench, { port: 29998 });
    ask.send({ flags: 'S', fastOpen: { cookie: '', experimental: true } });
    const { fastOpen } = ask.expect({ flags: 'SA', fastOpen: { experimental: true } });
    expect(fastOpen?.cookie).to.equal(cookieOf(bench));
    const peer = new Peer(bench).send({ flags: 'S', data: 'hello', fastOpen: fastOpen ?? null });
    peer.expect({ flags: 'SA', ack: 6 });
    expect(bench.app.text).to.equal('hello');
  });

  it('the queue of connections without their third packet has an end', async () => {
    const bench = await server({ queue: 2 });
    const peers = [30001, 30002, 30003].map((port) => early(bench, 'hello', { port })[0]);
    expect(bench.apps).to.have.lengthOf(2);
    expect(bench.counter('TCPFastOpenListenOverflow')).to.equal(2); // the cookie and the data of the third
    third(peers[0] as Peer);
    early(bench, 'hello', { port: 30004 });
    expect(bench.apps).to.have.lengthOf(3);
  });

  it('a reset keeps its place in the queue for a minute', async () => {
    const bench = await server({ queue: 1 });
    const cookie = cookieOf(bench);
    const [peer] = [new Peer(bench).send({ flags: 'S', data: 'x', fastOpen: { cookie } })];
    peer.expect({ flags: 'SA', ack: 2 });
    peer.send({ flags: 'R', seq: 2 });
    expect(bench.app.closed).to.equal(true);
    const again = (port: number): number =>
      new Peer(bench, { port, session: new Session(5n) })
        .send({ flags: 'S', data: 'x', fastOpen: { cookie } })
        .expect({ flags: 'SA' }).ack;
    expect(again(30002)).to.equal(1);
    bench.wait(61e6);
    expect(again(30003)).to.equal(2);
  });

  it('bits: without 2 nothing, with 0x200 no cookie is wanted, with 0x400 every listener', async () => {
    const off = new Peer(await server({ bits: 1 }));
    off.send({ flags: 'S', data: 'hello', fastOpen: { cookie: '' } });
    off.expect({ flags: 'SA', ack: 1, fastOpen: null });
    const open = await server({ bits: 2 | NO_COOKIE_WANTED });
    new Peer(open).send({ flags: 'S', data: 'hello' }).expect({ flags: 'SA', ack: 6 });
    expect(open.app.text).to.equal('hello');
    const closed = await server({ queue: 0 });
    new Peer(closed).send({ flags: 'S', fastOpen: { cookie: '' } }).expect({ fastOpen: null });
    const every = await server({ bits: 2 | EVERY_LISTENER, queue: 0 });
    expect(cookieOf(every)).to.have.lengthOf(16);
  });

  it('a listener may do without cookies by itself', async () => {
    const bench = await Bench.create({ config: [[CFG_FAST_OPEN, 2]] });
    bench.listen(5000, [
      [OPT_FAST_OPEN, 5],
      [OPT_FAST_OPEN_NO_COOKIE, 1],
    ]);
    new Peer(bench).send({ flags: 'S', data: 'hello' }).expect({ flags: 'SA', ack: 6 });
    expect(bench.app.text).to.equal('hello');
  });

  it('joins come in as to any connection', async () => {
    const bench = await server();
    const [peer] = early(bench, 'hello');
    third(peer);
    new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow();
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(2);
  });
});

/** See the test that uses it. */
const KERNEL_COOKIE = '860c98b41525365b';
