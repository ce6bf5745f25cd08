/** TCP Fast Open (RFC 7413) with and without Multipath TCP: cookies, data in the SYN, and what becomes of it. */
import { expect } from 'chai';
import {
  CFG_FAST_OPEN,
  CFG_FAST_OPEN_BLACKHOLE,
  CFG_MPTCP,
  OPT_FAST_OPEN,
  OPT_FAST_OPEN_NO_COOKIE,
} from '../../assembly/abi.js';
import { fastOpenReady, setFastOpenKeys } from '../../src/stack/fast-open.js';
import { App, Bench } from './bench.js';
import { Peer, Session, type Fields, type PeerOptions, type Seen } from './peer.js';

const NO_COOKIE_WANTED = 0x200;
const EVERY_LISTENER = 0x400;

// ---- the stack listens --------------------------------------------------------------------------------------------------

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
    bench.wait(70e6);
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

// ---- the stack opens ----------------------------------------------------------------------------------------------------

const COOKIE = '8877665544332211';
const FAST: [number, number][] = [[OPT_FAST_OPEN, 1]];

/** A stack that has the peer's cookie. */
async function client(config: [number, number][] = [], mss = 1460): Promise<Bench> {
  const bench = await Bench.create({ paths: 2, config });
  const app = new App();
  bench.open(app, { settings: FAST, data: 'first' });
  const peer = new Peer(bench, { session: new Session(99n), mss });
  const capable = config.some(([key, value]) => key === CFG_MPTCP && value === 0) ? null : { sender: 99n };
  const syn = peer.takeSyn({ data: '', fastOpen: { cookie: '', experimental: false } });
  expect(syn.capable === null).to.equal(capable === null);
  peer.send({ flags: 'SA', capable, fastOpen: { cookie: COOKIE } });
  peer.expect({ flags: 'A' });
  peer.expect({ flags: 'PA', seq: 1, data: 'first' });
  app.live.abort();
  bench.settle();
  bench.device.sent.length = 0;
  return bench;
}

/** Opens with data; the peer has the SYN. */
function opened(bench: Bench, data: string, settings = FAST): [Peer, Seen] {
  bench.open(bench.app, { settings, data });
  const peer = new Peer(bench);
  return [peer, peer.takeSyn({ flags: 'S', seq: 0 })];
}

describe('packets: Fast Open, the opener', () => {
  it('asks for a cookie first; the data goes after the handshake', async () => {
    await client();
  });

  it('then sends cookie and data with the SYN, beside MP_CAPABLE', async () => {
    const bench = await client();
    const [peer, syn] = opened(bench, 'hello');
    expect(syn).to.containSubset({ data: 'hello', fastOpen: { cookie: COOKIE }, capable: { flags: 1 } });
    expect(syn.raw).to.match(/^020405b40402080a.{16}010303..220a.{16}01011e040101$/);
    expect(syn.optionLength).to.equal(36);
    peer.send({ flags: 'SA', ack: 6, capable: { sender: peer.session.key } });
    peer.ack = 6;
    peer.expect({ flags: 'A', seq: 6, capable: { receiver: peer.session.key } });
    peer.expectNothing();
    expect(bench.counter('TCPFastOpenActive')).to.equal(1);
    expect(bench.app.live.info()).to.containSubset({ bytesWritten: 5, bytesAcked: 5, mptcp: true });
  });

  it('the next octet has number 1 on both levels', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello');
    peer.send({ flags: 'SA', ack: 6, capable: { sender: peer.session.key } });
    peer.expect({ flags: 'A', seq: 6 });
    bench.app.write(' world');
    peer.expect({ seq: 6, data: ' world', capable: { length: 6 } });
    peer.send({ ack: 12, dss: { dack: 7 } });
    bench.app.write('!');
    peer.expect({ seq: 12, data: '!', dss: { dsn: 7, ssn: 7, length: 1 } });
    expect(bench.app.live.info()).to.containSubset({ bytesWritten: 12, bytesAcked: 11 });
  });

  it('data that was not taken is sent as any other, with MP_CAPABLE and numbers from 1', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello');
    peer.send({ flags: 'SA', ack: 1, capable: { sender: peer.session.key } });
    peer.expect({ flags: 'PA', seq: 1, data: 'hello', capable: { length: 5 } });
    peer.send({ ack: 6, dss: { dack: 6 } });
    bench.app.write('!');
    peer.expect({ seq: 6, data: '!', dss: { dsn: 6, ssn: 6 } });
    expect(bench.counter('TCPFastOpenActiveFail')).to.equal(1);
    expect(bench.counter('TCPFastOpenActive')).to.equal(0);
  });

  it('of data that was taken in part the rest has the numbers from 1', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello world');
    peer.send({ flags: 'SA', ack: 7, capable: { sender: peer.session.key } });
    peer.expect({ flags: 'PA', seq: 7, data: 'world', capable: { length: 5 } });
    peer.send({ ack: 12, dss: { dack: 6 } });
    expect(bench.app.live.info()).to.containSubset({ bytesWritten: 11, bytesAcked: 11 });
  });

  it('an answer without MP_CAPABLE: plain TCP, whether the data was taken or not', async () => {
    for (const [ack, rest] of [
      [1, 'hello world'],
      [7, 'world'],
      [12, ''],
    ] as const) {
      const bench = await client();
      const [peer] = opened(bench, 'hello world');
      peer.send({ flags: 'SA', ack });
      peer.expect({ seq: ack, data: rest, capable: null, dss: null });
      peer.send({ ack: 12 });
      bench.app.write('!');
      peer.expect({ seq: 12, data: '!', dss: null });
      peer.send({ flags: 'PA', ack: 13, data: 'back' });
      expect(bench.app.text).to.equal('back');
      expect(bench.app.live.info()).to.containSubset({ bytesWritten: 12, bytesAcked: 12 });
    }
  });

  it('an acknowledgement of more than was sent is no answer', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello');
    peer.send({ flags: 'SA', ack: 7, capable: { sender: peer.session.key } });
    peer.expect({ flags: 'R' });
    expect(bench.app.connected).to.equal(false);
  });

  it('a SYN that is repeated has neither cookie nor data', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello');
    peer.expectAfter(1e6, { flags: 'S', data: '', fastOpen: null, capable: { flags: 1 } });
    peer.send({ flags: 'SA', ack: 1, capable: { sender: peer.session.key } });
    peer.expect({ data: 'hello', capable: { length: 5 } });
    expect(bench.counter('TCPFastOpenActiveFail')).to.equal(1);
  });

  it('a late answer to the first SYN may still take the data', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello');
    peer.expectAfter(1e6, { flags: 'S' });
    peer.send({ flags: 'SA', ack: 6, capable: { sender: peer.session.key } });
    peer.expect({ flags: 'A', seq: 6 });
    expect(bench.counter('TCPFastOpenActive')).to.equal(1);
  });

  it('more data than fits into the SYN goes on after the handshake', async () => {
    const bench = await client();
    const text = 'x'.repeat(5000);
    const [peer, syn] = opened(bench, text);
    expect(syn.length).to.equal(1420);
    peer.send({ flags: 'SA', ack: 1421, capable: { sender: peer.session.key } });
    let left = 3580;
    while (left > 0) {
      const sent = peer.drain().reduce((sum, { length }) => sum + length, 0);
      expect(sent).to.be.above(0);
      left -= sent;
      peer.send({ dss: { dack: 1 + 3580 - left } });
    }
    expect(left).to.equal(0);
  });

  it('and no more than the peer took the last time', async () => {
    const [, syn] = opened(await client([], 500), 'x'.repeat(5000));
    expect(syn.length).to.equal(460);
  });

  it('a new cookie takes the place of the old one', async () => {
    const bench = await client();
    const [peer] = opened(bench, 'hello');
    const cookie = 'aabbccddeeff0011aabbccddeeff0011';
    peer.send({ flags: 'SA', ack: 1, fastOpen: { cookie } });
    peer.drain();
    bench.open(new App(), { settings: FAST, data: 'again' });
    // The longest cookie and MP_CAPABLE leave no room for timestamps.
    const syn = new Peer(bench).takeSyn({
      data: 'again',
      fastOpen: { cookie },
      capable: { flags: 1 },
      ts: null,
    });
    expect(syn.optionLength).to.equal(36);
  });

  it('another destination has another cookie', async () => {
    const bench = await client();
    bench.open(bench.app, { settings: FAST, data: 'hello', address: '10.0.0.77' });
    new Peer(bench, { address: '10.0.0.77' }).takeSyn({ data: '', fastOpen: { cookie: '' } });
  });

  it('without an answer to the option its experimental form is tried, and then it is left', async () => {
    const bench = await Bench.create();
    for (const experimental of [false, true, false]) {
      const app = new App();
      bench.open(app, { settings: FAST, data: 'x' });
      const peer = new Peer(bench, { session: new Session(7n) });
      peer.takeSyn({ fastOpen: { cookie: '', experimental } });
      peer.send({ flags: 'SA', ack: 1 });
      peer.drain();
      app.live.abort();
    }
  });

  it('the experimental form brings a cookie as well', async () => {
    const bench = await Bench.create();
    bench.open(new App(), { settings: FAST, data: 'x' });
    const peer = new Peer(bench, { session: new Session(7n) });
    peer.takeSyn();
    peer.send({ flags: 'SA', ack: 1, fastOpen: { cookie: COOKIE, experimental: true } });
    peer.drain();
    bench.open(new App(), { settings: FAST, data: 'again' });
    new Peer(bench).takeSyn({ data: 'again', fastOpen: { cookie: COOKIE, experimental: true } });
  });

  it('without the setting, or without bit 1, nothing of it', async () => {
    const bench = await client();
    bench.open(bench.app);
    new Peer(bench).takeSyn({ data: '', fastOpen: null });
    const off = await Bench.create({ config: [[CFG_FAST_OPEN, 2]] });
    off.open(off.app, { settings: FAST, data: 'hello' });
    const peer = new Peer(off);
    peer.takeSyn({ data: '', fastOpen: null });
    peer.send({ flags: 'SA', capable: { sender: peer.session.key } });
    peer.expect({ flags: 'A' });
    peer.expect({ data: 'hello', capable: { length: 5 } });
  });

  it('bit 4, or the setting: data without a cookie', async () => {
    const bench = await Bench.create({ config: [[CFG_FAST_OPEN, 5]] });
    bench.open(bench.app, { settings: FAST, data: 'hello' });
    new Peer(bench).takeSyn({ data: 'hello', fastOpen: null, capable: { flags: 1 } });
    const other = await Bench.create();
    other.open(other.app, { settings: [...FAST, [OPT_FAST_OPEN_NO_COOKIE, 1]], data: 'hello' });
    new Peer(other).takeSyn({ data: 'hello', fastOpen: null });
  });

  it('plain TCP', async () => {
    const bench = await client([[CFG_MPTCP, 0]]);
    const [peer] = opened(bench, 'hello');
    peer.send({ flags: 'SA', ack: 6 }).expect({ flags: 'A', seq: 6, capable: null });
    bench.app.write(' world');
    peer.expect({ seq: 6, data: ' world', dss: null });
  });

  it('says whether a SYN could carry data', async () => {
    const bench = await client();
    expect(fastOpenReady(bench.stack.core, '10.0.0.1', '10.0.0.2')).to.equal(true);
    expect(fastOpenReady(bench.stack.core, '10.0.0.1', '10.0.0.3')).to.equal(false);
  });

  it('the end of the stream may be known before the handshake', async () => {
    const bench = await client();
    bench.open(bench.app, { settings: FAST, data: 'all' });
    bench.app.live.shutdown();
    const peer = new Peer(bench);
    peer.takeSyn({ data: 'all' });
    peer.send({ flags: 'SA', ack: 4, capable: { sender: peer.session.key } });
    peer.expect({ flags: 'A', seq: 4, capable: { receiver: peer.session.key } });
    peer.send({ dss: { dack: 1 } });
    const ends = peer.drain();
    expect(ends.some(({ dss }) => dss?.fin === true && dss.dsn === 1)).to.equal(true);
  });

  it('a SYN that is swallowed twice is blamed on Fast Open, if that memory is wanted', async () => {
    const bench = await client([[CFG_FAST_OPEN_BLACKHOLE, 100e6]]);
    const [peer] = opened(bench, 'hello');
    peer.expectAfter(1e6, { flags: 'S' });
    peer.expectAfter(1e6, { flags: 'S' });
    expect(bench.counter('TCPFastOpenBlackhole')).to.equal(0);
    peer.expectAfter(1e6, { flags: 'S' });
    expect(bench.counter('TCPFastOpenBlackhole')).to.equal(1);
    bench.open(new App(), { settings: FAST, data: 'again', localPort: 44444 });
    new Peer(bench, { stackPort: 44444, port: 5000 }).expect({ flags: 'S', data: '', fastOpen: null });
    bench.wait(101e6);
    bench.open(new App(), { settings: FAST, data: 'again', localPort: 44445 });
    new Peer(bench, { stackPort: 44445, port: 5000 }).expect({ data: 'again', fastOpen: { cookie: COOKIE } });
  });

  it('cookies of a thousand destinations take no more room than those of a few', async () => {
    const bench = await client();
    const visit = (i: number): void => {
      const address = `10.0.${String(100 + (i >> 8))}.${String(i & 255)}`;
      const app = new App();
      bench.open(app, { settings: FAST, address });
      const peer = new Peer(bench, { address, session: new Session(7n) });
      peer.takeSyn();
      peer.send({ flags: 'SA', ack: 1, fastOpen: { cookie: COOKIE } });
      peer.drain();
      app.live.abort();
      app.live.release();
      bench.settle();
      bench.device.sent.length = 0;
    };
    for (let i = 0; i < 20; i++) visit(i);
    const before = bench.stack.core.x.memoryUsed();
    for (let i = 0; i < 1000; i++) visit(i);
    expect(bench.stack.core.x.memoryUsed()).to.equal(before);
  });
});
