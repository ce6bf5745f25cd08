/** How the device `udp` joins datagrams, cuts what the kernel joined, and takes errors of the system calls. */
import { createSocket, type Socket } from 'node:dgram';
import { constants } from 'node:os';
import { expect } from 'chai';
import { loadNative, type Native } from '../../src/io/native.js';
import { OutBatch } from '../../src/io/out-batch.js';
import { UdpDevice } from '../../src/io/udp.js';
import { until } from '../support/until.js';
import { RecordingHost, attachNow } from './recording-host.js';
import { outPacket, tcpPacket } from './tcp-packet.js';

const { EAGAIN, ECONNREFUSED, EIO, EMSGSIZE, ENETUNREACH } = constants.errno;
const native = await loadNative().catch(() => null);

/** Counts system calls; `fail` answers them with an errno instead, or lets -n messages through, or all with 0. */
class Calls {
  /** Messages of each sendmmsg that worked. */
  readonly messages: number[] = [];
  fail: (count: number) => number = () => 0;
  readonly native: Native;

  constructor(inner: Native, changes: Partial<Native> = {}) {
    this.native = {
      ...inner,
      sendMany: (fd, headers, count) => {
        const errno = this.fail(count);
        if (errno > 0) return -errno;
        const sent = inner.sendMany(fd, headers, errno < 0 ? -errno : count);
        if (sent > 0) this.messages.push(sent);
        return sent;
      },
      ...changes,
    };
  }
}

describe('udp device in batches', () => {
  const open: { close(): void }[] = [];

  before(function () {
    if (native === null) this.skip();
  });

  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  async function client(changes: Partial<Native> = {}, mtu = 1500) {
    const calls = new Calls(native as Native, changes);
    const device = new UdpDevice(calls.native);
    const host = new RecordingHost();
    open.push(device);
    device.open(host);
    expect(attachNow(device, { id: 1, name: 'lo', address: '127.0.0.2', mtu })).to.equal(null);
    const port = await new Promise<number>((resolve) => {
      device.bind(1, 0, (_error, bound) => {
        resolve(bound);
      });
    });
    return { device, host, calls, port };
  }

  async function sink(): Promise<{ port: number; sizes: number[]; datagrams: Buffer[]; socket: Socket }> {
    const socket = createSocket('udp4');
    open.push(socket);
    const sizes: number[] = [];
    const datagrams: Buffer[] = [];
    socket.on('message', (datagram) => {
      sizes.push(datagram.length);
      datagrams.push(datagram);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.3', resolve));
    return { port: socket.address().port, sizes, datagrams, socket };
  }

  type Client = Awaited<ReturnType<typeof client>>;

  /** Sends packets in one batch. Returns how many were taken. */
  function sendAll({ device }: Client, packets: readonly Uint8Array[]): number {
    const memory = Buffer.concat(packets);
    const batch = new OutBatch(packets.length);
    batch.clear(memory);
    let at = 0;
    for (const { length } of packets) {
      batch.add(at, 40, at + 40, length - 40, 0, 0, 0, 0);
      at += length;
    }
    return device.sendMany?.(1, batch) ?? -1;
  }

  /** Sends segments with so many octets of payload each. */
  function send(from: Client, destinationPort: number, payloads: readonly number[]): number {
    const fields = { source: '127.0.0.2', destination: '127.0.0.3', sourcePort: from.port, destinationPort };
    return sendAll(
      from,
      payloads.map((payload) => tcpPacket({ ...fields, payload })),
    );
  }

  it('joins datagrams of equal size to one peer, with a shorter one at the end', async () => {
    const from = await client();
    const to = await sink();
    send(from, to.port, [1000, 1000, 1000, 80, 1000, 1200, 1200]);
    await until(() => to.sizes.length === 7);
    expect(to.sizes).to.deep.equal([1020, 1020, 1020, 100, 1020, 1220, 1220]);
    expect(from.calls.messages).to.deep.equal([3]);
  });

  it('sends to several peers with one call from a port that was heard on', async () => {
    const from = await client();
    const peers = [await sink(), await sink()] as const;
    peers[0].socket.send(
      tcpPacket({ source: '127.0.0.3', destination: '127.0.0.2' }),
      from.port,
      '127.0.0.2',
    );
    await until(() => from.host.segments.length === 1);
    const fields = { source: '127.0.0.2', destination: '127.0.0.3', sourcePort: from.port, payload: 500 };
    const ports = [peers[0], peers[1], peers[1], peers[0]].map(({ port }) => port);
    sendAll(
      from,
      ports.map((destinationPort) => tcpPacket({ ...fields, destinationPort })),
    );
    await until(() => peers.every(({ sizes }) => sizes.length === 2));
    expect(from.calls.messages).to.deep.equal([3]);
  });

  it('joins no more than an IP packet and the kernel take', async () => {
    const from = await client();
    const to = await sink();
    send(from, to.port, Array<number>(100).fill(1400));
    send(from, to.port, Array<number>(100).fill(1));
    // 46 segments of 1420 octets are 65320; 64 of 21 are what older kernels take.
    expect(from.calls.messages).to.deep.equal([Math.ceil(100 / 46), Math.ceil(100 / 64)]);
  });

  it('sends more messages than one call takes', async () => {
    const from = await client();
    const to = await sink();
    const sizes = Array.from({ length: 100 }, (_, i) => i);
    expect(send(from, to.port, sizes)).to.equal(100);
    expect(from.calls.messages).to.deep.equal([64, 36]);
    await until(() => to.sizes.length === 100);
    expect(to.sizes).to.deep.equal(sizes.map((size) => size + 20));
  });

  it('takes apart what the kernel joined', async () => {
    const from = await client();
    const server = await client();
    const segments = Array.from({ length: 50 }, (_, i) =>
      tcpPacket({
        source: '127.0.0.2',
        destination: '127.0.0.2',
        sourcePort: from.port,
        destinationPort: server.port,
        sequence: 2 * i * 1400, // each beyond a hole
        payload: i === 49 ? 3 : 1400,
      }),
    );
    sendAll(from, segments);
    await until(() => server.host.segments.length === 50);
    const sequences = server.host.segments.map(({ segment }) => Buffer.from(segment).readUInt32BE(4));
    expect(sequences).to.deep.equal(segments.map((_, i) => 2 * i * 1400));
    expect(server.host.segments.map(({ segment }) => segment.length)).to.deep.equal([
      ...Array<number>(49).fill(1420),
      23,
    ]);
  });

  it('cuts super-segments, each piece with the header, its sequence number, and flags on the last', async () => {
    const from = await client();
    const to = await sink();
    const fields = { source: '127.0.0.2', destination: '127.0.0.3', sourcePort: from.port };
    const whole = tcpPacket({
      ...fields,
      destinationPort: to.port,
      sequence: 0xfffffff0,
      flags: 0x19,
      options: Uint8Array.of(1, 1, 30, 2),
      payload: 2500,
    });
    for (let i = 0; i < 2500; i++) whole[44 + i] = i * 7;
    from.device.send(1, { ...outPacket(whole), segment: 1000 });
    await until(() => to.datagrams.length === 3);
    expect(from.calls.messages).to.deep.equal([1]);
    expect(to.datagrams.map((one) => one.readUInt32BE(4))).to.deep.equal([0xfffffff0, 984, 1984]);
    expect(to.datagrams.map((one) => one[13])).to.deep.equal([0x10, 0x10, 0x19]);
    const payload = Buffer.concat(to.datagrams.map((one) => one.subarray(24)));
    expect(payload.equals(whole.subarray(44))).to.equal(true);
    for (const one of to.datagrams) expect([...one.subarray(20, 24)]).to.deep.equal([1, 1, 30, 2]);
  });

  it('joins again what it has cut', async () => {
    const from = await client();
    const server = await client();
    const whole = tcpPacket({
      source: '127.0.0.2',
      destination: '127.0.0.2',
      sourcePort: from.port,
      destinationPort: server.port,
      sequence: 0xfffffff0,
      flags: 0x19,
      payload: 2500,
    });
    for (let i = 0; i < 2500; i++) whole[40 + i] = i * 7;
    from.device.send(1, { ...outPacket(whole), segment: 1000 });
    await until(() => server.host.segments.length === 1);
    whole.fill(0, 36, 38); // the checksum
    expect(server.host.segments[0]?.segment).to.deep.equal(whole.subarray(20));
    expect(server.host.segments[0]?.joined).to.equal(1000);
  });

  it('cuts super-segments where the kernel cuts nothing', async () => {
    const from = await client();
    const to = await sink();
    let failures = 1;
    from.calls.fail = () => (failures-- > 0 ? EIO : 0);
    const fields = {
      source: '127.0.0.2',
      destination: '127.0.0.3',
      sourcePort: from.port,
      destinationPort: to.port,
    };
    for (let round = 0; round < 2; round++)
      from.device.send(1, { ...outPacket(tcpPacket({ ...fields, payload: 2500 })), segment: 1000 });
    await until(() => to.sizes.length === 6);
    expect(to.sizes).to.deep.equal([1020, 1020, 520, 1020, 1020, 520]);
    expect(from.calls.messages).to.deep.equal([3, 3]);
  });

  it('gathers super-segments whose payload wraps in the send ring', async () => {
    const from = await client();
    const to = await sink();
    const memory = Buffer.alloc(4000);
    memory.set(
      tcpPacket({
        source: '127.0.0.2',
        destination: '127.0.0.3',
        sourcePort: from.port,
        destinationPort: to.port,
      }),
      100,
    );
    for (let i = 200; i < 4000; i++) memory[i] = i * 7;
    for (const first of [0, 999, 1000, 1001, 2300, 2500]) {
      const batch = new OutBatch(1);
      batch.clear(memory);
      batch.add(100, 40, 4000 - first, first, 200, 2500 - first, 1000, 20);
      expect(from.device.sendMany?.(1, batch)).to.equal(1);
      await until(() => to.datagrams.length === 3);
      const payload = Buffer.concat(to.datagrams.splice(0).map((one) => one.subarray(20)));
      const wanted = [memory.subarray(4000 - first), memory.subarray(200, 2700 - first)];
      expect(payload.equals(Buffer.concat(wanted)), String(first)).to.equal(true);
    }
  });

  it('takes a datagram of no octets for a stray', async () => {
    const { device, port } = await client();
    const { socket } = await sink();
    socket.send(Buffer.alloc(0), port, '127.0.0.2');
    await until(() => device.stats.strays === 1);
  });

  it('joins nothing where the kernel cuts nothing', async () => {
    const inner = native as Native;
    const from = await client({
      getOption: (fd, level, option) => (option === 103 ? -92 : inner.getOption(fd, level, option)),
    });
    const to = await sink();
    send(from, to.port, [1000, 1000, 1000]);
    await until(() => to.sizes.length === 3);
    expect(from.calls.messages).to.deep.equal([3]);
  });

  it('leaves to the host what the kernel has no room for, and says when it has', async () => {
    const from = await client();
    const to = await sink();
    // The first call takes one message of the two.
    from.calls.fail = (count) => (count > 1 ? -1 : EAGAIN);
    expect(send(from, to.port, [100, 100, 101])).to.equal(2);
    expect(send(from, to.port, [102])).to.equal(0);
    from.calls.fail = () => 0;
    await until(() => from.host.writables === 1);
    expect(send(from, to.port, [101, 102])).to.equal(2);
    await until(() => to.sizes.length === 4);
    expect(to.sizes).to.deep.equal([120, 120, 121, 122]);
    expect(from.device.stats.sendErrors).to.equal(0);
  });

  it('lets the path go on when the socket that it waits for is closed', async () => {
    const from = await client();
    const to = await sink();
    from.calls.fail = () => EAGAIN;
    expect(send(from, to.port, [100])).to.equal(0);
    from.device.unbind(1, from.port);
    await until(() => from.host.writables === 1);
  });

  it('sends each datagram alone where the interface does not sum, and joins none from then on', async () => {
    const from = await client();
    const to = await sink();
    let failures = 1;
    from.calls.fail = () => (failures-- > 0 ? EIO : 0);
    expect(send(from, to.port, [1000, 1000, 7])).to.equal(3);
    expect(send(from, to.port, [1000, 1000])).to.equal(2);
    expect(from.calls.messages).to.deep.equal([3, 2]);
    await until(() => to.sizes.length === 5);
    expect(from.host.unsegmented).to.deep.equal([1]);
    expect(from.device.stats.sendErrors).to.equal(0);
  });

  it('sends each datagram alone where the path takes no message of this segment size, and tries the next', async () => {
    const from = await client();
    const to = await sink();
    const results = [-1, EMSGSIZE];
    from.calls.fail = () => results.shift() ?? 0;
    expect(send(from, to.port, [500, 1000, 1000])).to.equal(3);
    expect(send(from, to.port, [1000, 1000])).to.equal(2);
    expect(from.calls.messages).to.deep.equal([1, 2, 1]);
    await until(() => to.sizes.length === 5);
    expect(from.host.unsegmented).to.deep.equal([]);
  });

  it('loses only the message that an error concerns', async () => {
    const from = await client();
    const to = await sink();
    let failures = 1;
    from.calls.fail = () => (failures-- > 0 ? ENETUNREACH : 0);
    send(from, to.port, [200, 200, 300]);
    await until(() => to.sizes.length === 1);
    expect(to.sizes).to.deep.equal([320]);
    expect(from.device.stats.sendErrors).to.equal(2);
    expect(from.host.states).to.deep.equal([]);
  });

  it('loses nothing to the answer to an earlier datagram', async () => {
    const from = await client();
    const to = await sink();
    let failures = 1;
    from.calls.fail = () => (failures-- > 0 ? ECONNREFUSED : 0);
    send(from, to.port, [200]);
    await until(() => to.sizes.length === 1);
    expect(from.device.stats).to.include({ refused: 1, sendErrors: 0 });
  });

  it('goes on receiving after an ICMP error', async () => {
    const from = await client();
    const to = await sink();
    const { port } = to;
    await new Promise<void>((resolve) => to.socket.close(resolve));
    open.pop();
    send(from, port, [1]);
    await until(() => from.device.stats.refused === 1);
    const again = createSocket('udp4');
    open.push(again);
    await new Promise<void>((resolve) => again.bind(port, '127.0.0.3', resolve));
    again.send(tcpPacket({ source: '127.0.0.3', destination: '127.0.0.2' }), from.port, '127.0.0.2');
    await until(() => from.host.segments.length === 1);
  });
});
