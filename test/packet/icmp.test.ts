/** ICMP errors about segments of the stack (RFC 792, 1191, 4443, 5927, 8201): what they end, what is remembered, what is not believed. */
import { expect } from 'chai';
import { icmpPacket } from '../unit/icmp-packet.js';
import { tcpPacket } from '../unit/tcp-packet.js';
import { App, Bench, type BenchOptions } from './bench.js';
import { Peer, type PeerOptions } from './peer.js';

const ROUTER = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
const PORT_UNREACHABLE = { 4: [3, 3], 6: [1, 4] } as const;
const HOST_UNREACHABLE = { 4: [3, 1], 6: [1, 3] } as const;
const TOO_BIG = { 4: [3, 4], 6: [2, 0] } as const;
type Message = readonly [type: number, code: number];

/** The message about the stack's segment that begins at `seq`, from its SYN on. */
function error(peer: Peer, [type, code]: Message, seq: number, word = 0): Uint8Array {
  const quoted = tcpPacket({
    source: peer.stackAddress,
    destination: peer.address,
    sourcePort: peer.stackPort,
    destinationPort: peer.port,
    sequence: (peer.stackIsn + seq) >>> 0,
  });
  return icmpPacket(ROUTER[peer.bench.ipv6 ? 6 : 4], type, code, word, quoted);
}

function say(peer: Peer, message: Message, seq: number, word = 0): void {
  peer.bench.inject(peer.path, error(peer, message, seq, word));
}

async function plain(options: BenchOptions = {}, more: PeerOptions = {}): Promise<Peer> {
  const bench = await Bench.create(options);
  bench.listen();
  return new Peer(bench, more).openPlain();
}

const write = (peer: Peer, octets: number): void => {
  peer.bench.app.live.setNoDelay(true);
  peer.bench.app.write('x'.repeat(octets));
  peer.bench.settle();
};

describe('packets: ICMP', () => {
  it('an error among the segments of one batch leaves the others whole', async () => {
    const peer = await plain();
    const { bench } = peer;
    write(peer, 10);
    bench.holding = true;
    say(peer, HOST_UNREACHABLE[4], 1);
    for (const text of ['one ', 'two ', 'three']) peer.send({ data: text });
    bench.holding = false;
    bench.settle();
    expect(bench.app.text).to.equal('one two three');
    expect(bench.counter('IcmpInMsgs')).to.equal(1);
  });

  for (const [family, type, code, expected] of [
    [4, 3, 0, 'ENETUNREACH'],
    [4, 3, 1, 'EHOSTUNREACH'],
    [4, 3, 2, 'ENOPROTOOPT'],
    [4, 3, 3, 'ECONNREFUSED'],
    [4, 3, 9, 'ENETUNREACH'],
    [4, 3, 10, 'EHOSTUNREACH'],
    [4, 3, 13, 'EHOSTUNREACH'],
    [4, 11, 0, 'EHOSTUNREACH'],
    [4, 12, 0, 'EPROTO'],
    [6, 1, 0, 'ENETUNREACH'],
    [6, 1, 1, 'EACCES'],
    [6, 1, 3, 'EHOSTUNREACH'],
    [6, 1, 4, 'ECONNREFUSED'],
    [6, 1, 5, 'EACCES'],
    [6, 1, 6, 'EACCES'],
    [6, 3, 0, 'EHOSTUNREACH'],
    [6, 4, 0, 'EPROTO'],
  ] as const) {
    it(`type ${String(type)}, code ${String(code)} of IPv${String(family)} ends an attempt with ${expected}`, async () => {
      const bench = await Bench.create({ ipv6: family === 6 });
      bench.connect();
      const peer = new Peer(bench);
      peer.takeSyn();
      say(peer, [type, code], 1);
      expect(bench.app.closed).to.equal(false);
      expect(bench.counter('OutOfWindowIcmps')).to.equal(1);
      say(peer, [type, code], 0);
      expect(bench.app.error?.code).to.equal(expected);
    });
  }

  for (const family of [4, 6] as const) {
    it(`ends a join, and never its connection, IPv${String(family)}`, async () => {
      const bench = await Bench.create({ ipv6: family === 6, paths: 2, manager: true });
      bench.connect();
      const first = new Peer(bench).acceptFully();
      const second = new Peer(bench, { session: first.session, path: 1, address: first.address });
      second.takeSyn();
      say(second, PORT_UNREACHABLE[family], 0);
      expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
      expect(bench.app.closed).to.equal(false);
      // The only way back: a refusal by the peer would end the connection.
      bench.wait(1.1e6);
      second.takeSyn();
      first.send({ flags: 'R' });
      say(second, PORT_UNREACHABLE[family], 0);
      bench.wait(30e6);
      expect(bench.app.closed).to.equal(false);
    });

    it(`is the reason of a timeout later, unless something was heard, IPv${String(family)}`, async () => {
      for (const heard of [false, true]) {
        const peer = await plain({ ipv6: family === 6 });
        const { bench } = peer;
        write(peer, 100);
        say(peer, HOST_UNREACHABLE[family], 1);
        expect(bench.app.closed).to.equal(false);
        peer.drain();
        if (heard) {
          peer.send({ ack: 51 });
        }
        bench.wait(1200e6);
        expect(bench.app.error?.code).to.equal(heard ? 'ETIMEDOUT' : 'EHOSTUNREACH');
      }
    });

    it(`about a SYN/ACK ends the handshake as Linux ends it, IPv${String(family)}`, async () => {
      const bench = await Bench.create({ ipv6: family === 6 });
      bench.listen();
      const peer = new Peer(bench).send({ flags: 'S' });
      peer.expect({ flags: 'SA' });
      const [spared, ended] =
        family === 4 ? [PORT_UNREACHABLE, HOST_UNREACHABLE] : [HOST_UNREACHABLE, PORT_UNREACHABLE];
      say(peer, spared[family], 0);
      peer.expectAfter(1e6, { flags: 'SA' });
      say(peer, ended[family], 0);
      peer.expectNothing(70e6);
    });

    it(`tells of the path's MTU: it holds for that destination, and for ten minutes, IPv${String(family)}`, async () => {
      const header = family === 4 ? 40 : 60;
      const peer = await plain({ ipv6: family === 6 });
      const { bench } = peer;
      write(peer, 1500 - header);
      peer.expect({ length: 1500 - header });
      say(peer, TOO_BIG[family], 1, 1300);
      peer.expect({ seq: 1, length: 1300 - header });
      peer.expect({ length: 200 });
      expect(bench.counter('PathMtuReduced')).to.equal(1);
      bench.wait(20e3);
      peer.send({ ack: 1501 - header });
      // Later connections to the same host begin with it, others do not.
      const opens = (address: string | undefined): number | null => {
        const app = new App();
        bench.open(app, address === undefined ? {} : { address });
        const to = new Peer(bench, address === undefined ? {} : { address });
        return to.takeSyn().mss;
      };
      expect(opens(undefined)).to.equal(1300 - header);
      expect(opens(family === 4 ? '10.0.0.7' : 'fd00:1::7')).to.equal(1500 - header);
      bench.wait(599e6);
      write(peer, 1400);
      peer.drain();
      bench.wait(20e3);
      peer.send({ ack: 2901 - header });
      bench.wait(2e6);
      peer.drain();
      write(peer, 1500 - header);
      peer.expect({ length: 1500 - header });
    });

    it(`of a smaller MTU than hosts have to take is not believed, IPv${String(family)}`, async () => {
      const header = family === 4 ? 40 : 60;
      const peer = await plain({ ipv6: family === 6 });
      write(peer, 1400);
      peer.drain();
      say(peer, TOO_BIG[family], 1, 296);
      // Linux' least for IPv4 (min_pmtu); RFC 8201 section 4 has the message ignored.
      if (family === 4) peer.expect({ seq: 1, length: 552 - header });
      else peer.expectNothing();
    });
  }

  it('counts what is forged', async () => {
    const peer = await plain();
    const { bench } = peer;
    write(peer, 1000);
    peer.drain();
    for (const seq of [-1, 1001, 100_000]) say(peer, TOO_BIG[4], seq, 600);
    expect(bench.counter('OutOfWindowIcmps')).to.equal(3);
    const broken = error(peer, TOO_BIG[4], 1, 600);
    broken[22] = (broken[22] as number) ^ 1;
    bench.inject(0, broken);
    bench.inject(0, error(peer, TOO_BIG[4], 1, 600).subarray(0, 40));
    const cut = error(peer, TOO_BIG[4], 1, 600);
    cut[3] = 50;
    bench.inject(0, cut);
    say(new Peer(bench, { port: 30001 }), TOO_BIG[4], 1, 600);
    expect(bench.counter('IcmpInErrors')).to.equal(3);
    expect(bench.counter('PathMtuReduced')).to.equal(0);
    peer.expectNothing();
  });
});
