/** TCP Fast Open (RFC 7413), the opener: cookies, data in the SYN, and what becomes of it. */
import { expect } from 'chai';
import {
  CFG_FAST_OPEN,
  CFG_FAST_OPEN_BLACKHOLE,
  CFG_MPTCP,
  OPT_FAST_OPEN,
  OPT_FAST_OPEN_NO_COOKIE,
} from '../../assembly/abi.js';
import { fastOpenReady } from '../../src/stack/fast-open.js';
import { App, Bench } from './bench.js';
import { Peer, Session, type Seen } from './peer.js';

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
