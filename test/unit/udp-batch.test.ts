/** How the device `udp` joins datagrams, cuts what the kernel joined, and takes errors of the system calls. */
import { createSocket, type Socket } from 'node:dgram';
import { constants } from 'node:os';
import { expect } from 'chai';
import { loadNative, type Native } from '../../src/io/native.js';
import { UdpDevice } from '../../src/io/udp.js';
import { until } from '../support/until.js';
import { RecordingHost, attachNow } from './recording-host.js';
import { outPacket, tcpPacket } from './tcp-packet.js';

const { EAGAIN, ECONNREFUSED, EIO, EMSGSIZE, ENETUNREACH } = constants.errno;
const native = await loadNative().catch(() => null);

/** Counts system calls; `fail` answers them with an errno instead, as long as it is not 0. */
class Calls {
  /** Messages of each sendmmsg that worked. */
  readonly messages: number[] = [];
  /** Datagrams that left outside of one. */
  single = 0;
  fail: (count: number) => number = () => 0;
  readonly native: Native;

  constructor(inner: Native, changes: Partial<Native> = {}) {
    this.native = {
      ...inner,
      sendMany: (fd, headers, count) => {
        const errno = this.fail(count);
        if (errno !== 0) return -errno;
        const sent = inner.sendMany(fd, headers, count);
        if (sent > 0) this.messages.push(sent);
        return sent;
      },
      send: (fd, octets) => {
        this.single++;
        return inner.send(fd, octets);
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

  /** Sends segments with so many octets of payload each. */
  function send({ device, port }: Client, destinationPort: number, payloads: readonly number[]): boolean[] {
    const fields = { source: '127.0.0.2', destination: '127.0.0.3', sourcePort: port, destinationPort };
    return payloads.map((payload) => device.send(1, outPacket(tcpPacket({ ...fields, payload }))));
  }

  it('joins datagrams of equal size to one peer, with a shorter one at the end', async () => {
    const from = await client();
    const to = await sink();
    send(from, to.port, [1000, 1000, 1000, 80, 1000, 1200, 1200]);
    from.device.flush();
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
    for (const peer of [peers[0], peers[1], peers[1], peers[0]]) send(from, peer.port, [500]);
    from.device.flush();
    await until(() => peers.every(({ sizes }) => sizes.length === 2));
    expect(from.calls.messages).to.deep.equal([3]);
  });

  it('joins no more than an IP packet and the kernel take', async () => {
    const from = await client();
    const to = await sink();
    send(from, to.port, Array<number>(100).fill(1400));
    send(from, to.port, Array<number>(100).fill(1));
    from.device.flush();
    // 46 segments of 1420 octets are 65320; 64 of 21 are what older kernels take.
    expect(from.calls.messages).to.deep.equal([Math.ceil(101 / 46) + Math.ceil(99 / 64)]);
  });

  it('flushes by itself when the batch is full', async () => {
    const from = await client();
    const to = await sink();
    expect(send(from, to.port, Array<number>(1100).fill(1)).every(Boolean)).to.equal(true);
    expect(from.calls.messages).to.have.length(1);
    from.device.flush();
    expect(from.calls.messages).to.have.length(2);
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
    for (const segment of segments) from.device.send(1, outPacket(segment));
    from.device.flush();
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
    from.device.flush();
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
    from.device.flush();
    await until(() => server.host.segments.length === 1);
    whole.fill(0, 36, 38); // the checksum
    expect(server.host.segments[0]?.segment).to.deep.equal(whole.subarray(20));
    expect(server.host.segments[0]?.joined).to.equal(1000);
  });

  it('cuts super-segments where the kernel cuts nothing', async () => {
    const from = await client();
    const to = await sink();
    from.calls.fail = () => (from.calls.single === 0 ? EIO : 0);
    const fields = {
      source: '127.0.0.2',
      destination: '127.0.0.3',
      sourcePort: from.port,
      destinationPort: to.port,
    };
    for (let round = 0; round < 2; round++) {
      from.device.send(1, { ...outPacket(tcpPacket({ ...fields, payload: 2500 })), segment: 1000 });
      from.device.flush();
    }
    await until(() => to.sizes.length === 6);
    expect(to.sizes).to.deep.equal([1020, 1020, 520, 1020, 1020, 520]);
    expect([from.calls.single, from.calls.messages]).to.deep.equal([3, [3]]);
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
    from.device.flush();
    await until(() => to.sizes.length === 3);
    expect(from.calls.messages).to.deep.equal([3]);
  });

  it('keeps what the kernel has no room for, and sends it first when it has', async () => {
    const from = await client();
    const to = await sink();
    let refusals = 1;
    from.calls.fail = () => (refusals-- > 0 ? EAGAIN : 0);
    send(from, to.port, [100, 101]);
    from.device.flush();
    expect(send(from, to.port, [102])).to.deep.equal([false]);
    await until(() => from.host.writables === 1);
    send(from, to.port, [102]);
    from.device.flush();
    await until(() => to.sizes.length === 3);
    expect(to.sizes).to.deep.equal([120, 121, 122]);
    expect(from.device.stats.sendErrors).to.equal(0);
  });

  it('gives up what waits when the path is detached', async () => {
    const from = await client();
    const to = await sink();
    from.calls.fail = () => EAGAIN;
    send(from, to.port, [100]);
    from.device.flush();
    from.device.detach(1);
    from.calls.fail = () => 0;
    const again = createSocket('udp4');
    open.push(again);
    await new Promise<void>((resolve) => again.bind(from.port, '127.0.0.2', resolve));
    expect(from.host.writables).to.equal(0);
  });

  it('sends each datagram alone where the interface does not sum, and joins none from then on', async () => {
    const from = await client();
    const to = await sink();
    from.calls.fail = () => (from.calls.single === 0 ? EIO : 0);
    send(from, to.port, [1000, 1000, 7]);
    from.device.flush();
    expect(from.calls.single).to.equal(3);
    send(from, to.port, [1000, 1000]);
    from.device.flush();
    expect(from.calls.messages).to.deep.equal([2]);
    await until(() => to.sizes.length === 5);
    expect(from.device.stats.sendErrors).to.equal(0);
  });

  it('sends each datagram alone where the path takes no message of this segment size, and tries the next', async () => {
    const from = await client();
    const to = await sink();
    from.calls.fail = () => (from.calls.single === 0 ? EMSGSIZE : 0);
    send(from, to.port, [1000, 1000]);
    from.device.flush();
    send(from, to.port, [1000, 1000]);
    from.device.flush();
    expect([from.calls.single, from.calls.messages]).to.deep.equal([2, [1]]);
    await until(() => to.sizes.length === 4);
  });

  it('loses only the message that an error concerns', async () => {
    const from = await client();
    const to = await sink();
    let failures = 1;
    from.calls.fail = () => (failures-- > 0 ? ENETUNREACH : 0);
    send(from, to.port, [200, 200, 300]);
    from.device.flush();
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
    from.device.flush();
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
    from.device.flush();
    await until(() => from.device.stats.refused === 1);
    const again = createSocket('udp4');
    open.push(again);
    await new Promise<void>((resolve) => again.bind(port, '127.0.0.3', resolve));
    again.send(tcpPacket({ source: '127.0.0.3', destination: '127.0.0.2' }), from.port, '127.0.0.2');
    await until(() => from.host.segments.length === 1);
  });
});
