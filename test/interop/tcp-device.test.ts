/** The devices that speak TCP itself, between two namespaces. */
import { expect } from 'chai';
import { Checksum } from '../../src/io/device.js';
import { tcpPacket, type TcpFields } from '../unit/tcp-packet.js';
import { DeviceAgent } from './device-control.js';
import { Bench, skipWithoutNamespaces, type Namespace } from './netns.js';
import { needCommands, skip } from '../support/needs.js';
import { until } from '../support/until.js';

const SYN = 0x02;
const RST = 0x04;
const ETHERNET = 14;
const SYN_ACK = 0x12;
/** What the device says of a packet whose sender computed the checksum itself. */
const CHECKSUM = { packet: Checksum.Unknown, raw: Checksum.Partial };
/** Path ids of the two families. */
const FAMILIES: (readonly [id: number, family: 4 | 6])[] = [
  [1, 4],
  [2, 6],
];

for (const kind of ['packet', 'raw'] as const) {
  describe(`${kind} device`, () => {
    let bench: Bench;
    let a: Namespace;
    let b: Namespace;
    let left: DeviceAgent;
    let right: DeviceAgent;

    before(async function () {
      skipWithoutNamespaces(this);
      needCommands(this, 'tcpdump');
      bench = await Bench.open({ paths: 2 });
      ({ a, b } = bench);
    });

    after(async () => {
      await bench?.close();
    });

    beforeEach(async () => {
      [left, right] = await Promise.all([DeviceAgent.start(a, kind), DeviceAgent.start(b, kind)]);
    });

    afterEach(async () => {
      await Promise.all([left?.process.kill(), right?.process.kill()]);
    });

    /** Paths 1 (IPv4) and 2 (IPv6) of an agent over the first pair of interfaces. */
    async function attach(agent: DeviceAgent, where: Namespace): Promise<void> {
      for (const [id, family] of FAMILIES) {
        const address = where.address(0, family);
        expect(await agent.attach({ id, name: 'p0', address, mtu: 1500 })).to.equal(null);
      }
    }

    function fields(family: 4 | 6, more: TcpFields): TcpFields {
      return { source: a.address(0, family), destination: b.address(0, family), ...more };
    }

    for (const [id, family] of FAMILIES) {
      it(`carries IPv${String(family)} packets both ways`, async () => {
        await Promise.all([attach(left, a), attach(right, b)]);
        const from = (await left.bind(id, 0)) as number;
        const to = (await right.bind(id, 0)) as number;
        const there = tcpPacket(fields(family, { sourcePort: from, destinationPort: to, payload: 1400 }));
        left.send(id, there);
        const event = await right.next('packet');
        expect(event).to.include({ path: id, checksum: CHECKSUM[kind] });
        expectSame(Buffer.from(event.hex, 'hex'), there);

        const back = tcpPacket({
          source: b.address(0, family),
          destination: a.address(0, family),
          sourcePort: to,
          destinationPort: from,
          payload: 3,
        });
        right.send(id, back);
        expectSame(await left.packet(), back);
      });

      it(`lets only packets for bound IPv${String(family)} ports in`, async () => {
        await Promise.all([attach(left, a), attach(right, b)]);
        const from = (await left.bind(id, 0)) as number;
        const to = (await right.bind(id, 0)) as number;
        const send = (destinationPort: number, sequence: number): void => {
          left.send(id, tcpPacket(fields(family, { sourcePort: from, destinationPort, sequence })));
        };
        send(to ^ 1, 1);
        left.send(
          id,
          tcpPacket({ ...fields(family, {}), destination: b.address(1, family), destinationPort: to }),
        );
        send(to, 2);
        expect(sequenceOf(await right.packet())).to.equal(2);
        expect(await right.bind(id, to ^ 1)).to.equal(to ^ 1);
        send(to ^ 1, 3);
        expect(sequenceOf(await right.packet())).to.equal(3);
        right.tell({ do: 'unbind', path: id, port: to ^ 1 });
        await right.stats();
        send(to ^ 1, 4);
        send(to, 5);
        expect(sequenceOf(await right.packet())).to.equal(5);
        const { device } = await right.stats();
        // The kernel kept the others out.
        expect(device).to.deep.equal({ sendErrors: 0, strays: 0, ringFull: 0 });
      });

      for (const without of [[], ['net_admin']]) {
        const who = without.length === 0 ? '' : `, without ${without.join()}`;
        it(`keeps the kernel silent about IPv${String(family)} ports as long as they are bound${who}`, async () => {
          if (without.length > 0) {
            await Promise.all([left.process.kill(), right.process.kill()]);
            [left, right] = await Promise.all([
              DeviceAgent.start(a, kind, ...without),
              DeviceAgent.start(b, kind, ...without),
            ]);
          }
          await Promise.all([attach(left, a), attach(right, b)]);
          const from = (await left.bind(id, 0)) as number;
          const to = (await right.bind(id, 0)) as number;
          const control = (await right.bind(id, 0)) as number;
          right.tell({ do: 'unbind', path: id, port: control });
          await right.stats();
          const wire = a.spawn('tcpdump', ['-ni', 'p0', '-l', '--immediate-mode', 'tcp']);
          await wire.says('listening');
          const sendAll = (destinationPort: number): void => {
            for (const flags of [SYN, SYN_ACK, 0x10, 0x18, 0x11]) {
              left.send(
                id,
                tcpPacket(fields(family, { sourcePort: from, destinationPort, flags, payload: 7 })),
              );
            }
          };
          sendAll(to);
          for (let i = 0; i < 5; i++) await right.packet();
          // A port that nobody has shows that a reset would be seen: it comes behind the silence.
          sendAll(control);
          const reset = await left.packet();
          expect(reset.readUInt16BE(startOf(reset))).to.equal(control);
          expect((reset[startOf(reset) + 13] as number) & RST).to.equal(RST);
          await until(() => wire.outputText.includes('Flags [R'));
          const lines = wire.outputText.split('\n').filter((line) => line.includes('Flags [R'));
          expect(lines.filter((line) => line.includes(`.${String(to)} >`))).to.deep.equal([]);
          // Our side too: the resets came to a port of ours, which says nothing.
          expect(lines.filter((line) => line.includes(`.${String(from)} >`))).to.deep.equal([]);
        });
      }
    }

    it('takes coalesced packets above the MTU, with the sum of the pseudo header', async () => {
      await attach(right, b);
      const port = (await right.bind(1, 0)) as number;
      // A kernel's TCP: veth hands its large segments over as they are.
      const script = `import socket; s = socket.create_connection(('${b.address(0)}', ${String(port)})); s.sendall(bytes(60000)); s.recv(1)`;
      a.spawn('python3', ['-c', script]);
      const syn = await right.packet();
      const client = syn.readUInt16BE(20);
      right.send(
        1,
        tcpPacket({
          source: b.address(0),
          destination: a.address(0),
          sourcePort: port,
          destinationPort: client,
          acknowledgement: sequenceOf(syn) + 1,
          flags: SYN_ACK,
          options: Uint8Array.of(2, 4, 5, 180),
        }),
      );
      let packet = await right.packet();
      while (packet.length <= 1500) packet = await right.packet();
      expect(packet.readUInt16BE(2)).to.equal(packet.length);
      expect(packet.readUInt16BE(36)).to.equal(pseudoSum(packet));
    });

    it('reserves ports against the kernel, and the other way round', async () => {
      await attach(right, b);
      const port = (await right.bind(1, 0)) as number;
      expect(await right.bind(1, port)).to.equal(port);
      const listen = (at: number): Promise<string> =>
        b.run('python3', '-c', `import socket; socket.create_server(('${b.address(0)}', ${String(at)}))`);
      expect(await listen(port).catch(String)).to.include('Address already in use');
      right.tell({ do: 'unbind', path: 1, port });
      expect(await listen(port).catch(String)).to.include('Address already in use');
      right.tell({ do: 'unbind', path: 1, port });
      await right.stats();
      expect(await listen(port)).to.equal('');

      const script = `import socket, time; s = socket.create_server(('${b.address(0)}', 0)); print(s.getsockname()[1], flush=True); time.sleep(20)`;
      const owner = b.spawn('python3', ['-c', script]);
      const taken = Number(await owner.line());
      expect(await right.bind(1, taken)).to.equal('EADDRINUSE');
      await owner.kill();
      expect(await right.bind(1, taken)).to.equal(taken);
    });

    it('says why a path cannot be attached', async () => {
      expect(await right.attach({ id: 1, name: 'p0', address: '203.0.113.1', mtu: 1500 })).to.equal(
        'EADDRNOTAVAIL',
      );
      expect(await right.attach({ id: 1, name: 'p9', address: b.address(0), mtu: 1500 })).to.equal(
        'EADDRNOTAVAIL',
      );
      expect(await right.attach({ id: 1, name: 'p0', address: 'p0', mtu: 1500 })).to.equal('EINVAL');
    });

    it('reports an interface that goes down and comes back', async () => {
      await Promise.all([attach(left, a), attach(right, b)]);
      const from = (await left.bind(1, 0)) as number;
      const to = (await right.bind(1, 0)) as number;
      const packet = tcpPacket(fields(4, { sourcePort: from, destinationPort: to }));
      try {
        await a.setLink(0, false);
        left.send(1, packet);
        expect(await left.next('state')).to.include({ path: 1, up: false });
        expect((await left.stats()).device).to.include({ sendErrors: 1 });
      } finally {
        await a.setLink(0, true);
      }
      left.send(1, packet);
      expect(await left.next('state')).to.include({ path: 1, up: true });
    });

    it('loses packets above the MTU', async () => {
      await attach(left, a);
      const from = (await left.bind(1, 0)) as number;
      left.send(1, tcpPacket(fields(4, { sourcePort: from, payload: 1461 })));
      expect((await left.stats()).device).to.include({ sendErrors: 1 });
    });

    it('pushes back when the interface is slow, and loses nothing', async function () {
      await Promise.all([attach(left, a), attach(right, b)]);
      const from = (await left.bind(1, 0)) as number;
      const to = (await right.bind(1, 0)) as number;
      const tbf = 'qdisc add dev p0 root tbf rate 20mbit burst 32k limit 64m'.split(' ');
      const shaped = await a.run('tc', ...tbf).then(
        () => true,
        () => false,
      );
      if (!shaped) skip(this, 'this kernel has no tbf queue');
      try {
        right.tell({ do: 'quiet' });
        const count = 6_000;
        const packet = tcpPacket(fields(4, { sourcePort: from, destinationPort: to, payload: 1400 }));
        const before = await b.linkOctets(0);
        const { refused } = await left.burst(1, packet, count);
        expect(refused).to.be.greaterThan(0);
        // Not what the other agent has received: what it has no time for is lost there.
        let octets = 0;
        await until(
          async () => (octets = (await b.linkOctets(0)) - before) >= count * (packet.length + ETHERNET),
          () => `${String(octets)} octets of ${String(count)} packets`,
        );
        expect((await left.stats()).device).to.include({ sendErrors: 0 });
      } finally {
        await a.run('tc', 'qdisc', 'del', 'dev', 'p0', 'root');
      }
    });
  });
}

const startOf = (packet: Buffer): number =>
  (packet[0] as number) >> 4 === 4 ? ((packet[0] as number) & 15) * 4 : 40;
const sequenceOf = (packet: Buffer): number => packet.readUInt32BE(startOf(packet) + 4);

/** Equal up to what routers and the kernel may set: identification, hop limit, header checksum. */
function expectSame(actual: Buffer, expected: Uint8Array): void {
  const want = Buffer.from(expected);
  const v4 = startOf(want) === 20;
  expect(actual.subarray(startOf(actual)).equals(want.subarray(startOf(want))), 'the segment').to.equal(true);
  const addresses = v4 ? ([12, 20] as const) : ([8, 40] as const);
  expect(actual.subarray(...addresses).equals(want.subarray(...addresses)), 'the addresses').to.equal(true);
  expect(actual.readUInt16BE(v4 ? 2 : 4)).to.equal(want.readUInt16BE(v4 ? 2 : 4));
  expect(actual[v4 ? 9 : 6]).to.equal(6);
}

/** RFC 9293 section 3.1: the sum over the pseudo header alone. */
function pseudoSum(packet: Buffer): number {
  let sum = 6 + packet.length - 20;
  for (let at = 12; at < 20; at += 2) sum += packet.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
