/** What the device `packet` gives to the kernel, and what it does when the kernel refuses. */
import { constants } from 'node:os';
import { expect } from 'chai';
import type { Native } from '../../src/io/native.js';
import type { NextHops } from '../../src/io/next-hop.js';
import { FRONT, OutBatch } from '../../src/io/out-batch.js';
import { PacketSender } from '../../src/io/packet-sender.js';
import { fillPseudoSum, fillTcpChecksum } from '../../src/io/segment-header.js';
import { World } from '../../src/sim/world.js';
import { tcpPacket } from './tcp-packet.js';

const { EAGAIN, EINVAL, ENETUNREACH, ENOBUFS, EPERM } = constants.errno;
const VNET = 10;
const ETHERNET = 14;
const SEGMENT = 1000;
const LINK = { name: new Uint8Array(20).fill(9), octets: new Uint8Array(ETHERNET).fill(7) };

interface View {
  readonly base: number;
  readonly view: ArrayBufferView;
}

/** A kernel that reads messages by their addresses, and takes as many as the test says. */
class FakeKernel {
  readonly sent: Buffer[] = [];
  /** For the next calls: how many it takes, or a negative errno; all when the list is empty. */
  readonly results: number[] = [];
  readonly #views: View[] = [];

  readonly native = {
    address: (view: ArrayBufferView): bigint => {
      const base = (this.#views.length + 1) * 2 ** 33;
      this.#views.push({ base, view });
      return BigInt(base);
    },
    sendMany: (_fd: number, headers: Uint8Array, count: number): number => {
      const taken = Math.min(count, this.results.shift() ?? count);
      for (let i = 0; i < taken; i++) this.sent.push(this.#message(headers, i * 64));
      return taken;
    },
  } as unknown as Native;

  #message(headers: Uint8Array, at: number): Buffer {
    const view = new DataView(headers.buffer, headers.byteOffset + at, 64);
    const vectors = this.#octets(pointer(view, 16), view.getUint32(24, true) * 16);
    const pieces = [];
    for (let v = 0; v < vectors.length; v += 16) {
      const one = new DataView(vectors.buffer, vectors.byteOffset + v, 16);
      pieces.push(this.#octets(pointer(one, 0), one.getUint32(8, true)));
    }
    return Buffer.concat(pieces);
  }

  #octets(address: number, length: number): Uint8Array {
    const { base, view } = this.#views.findLast((one) => one.base <= address) as View;
    return new Uint8Array(view.buffer, view.byteOffset + address - base, length);
  }
}

const pointer = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

describe('packet sender', () => {
  let kernel: FakeKernel;
  let world: World;
  let log: string[];
  let routed: Buffer[];
  /** What the routing table says. */
  let hop: typeof LINK | number | null;
  let sender: PacketSender;

  beforeEach(() => {
    kernel = new FakeKernel();
    world = new World(1e6);
    log = [];
    routed = [];
    hop = LINK;
    const say = (what: string) => (): void => void log.push(what);
    sender = new PacketSender(
      kernel.native,
      3,
      1500,
      { find: () => hop } as unknown as NextHops,
      world,
      (packet) => routed.push(Buffer.from(packet)),
      {
        full: say('full'),
        writable: say('writable'),
        delayed: (header) => void log.push(`delayed, port ${String(Buffer.from(header).readUInt16BE(20))}`),
        worked: () => undefined,
        lost: (errno) => void log.push(`lost ${String(errno)}`),
        noSegmentation: say('no segmentation'),
      },
    );
  });

  const packetOf = (number: number, payload = 100): Uint8Array =>
    tcpPacket({
      source: '10.0.0.1',
      destination: '10.0.0.2',
      sourcePort: 1000,
      destinationPort: 2000,
      sequence: number,
      payload,
      flags: 0x19,
    });

  /** Packets with their payload in two spans; those longer than the MTU are to be cut, their checksums to be made. */
  function batchOf(...packets: readonly Uint8Array[]): OutBatch {
    const batch = new OutBatch(packets.length);
    const memory = new Uint8Array(1 << 20);
    batch.clear(memory);
    let at = 0;
    for (const packet of packets) {
      const large = packet.length > 1500;
      const whole = Uint8Array.from(packet);
      if (large) fillPseudoSum(whole);
      const header = at + FRONT;
      const payload = header + 64;
      const first = Math.floor((whole.length - 40) / 3);
      const second = payload + first + 64;
      memory.set(whole.subarray(0, 40), header);
      memory.set(whole.subarray(40, 40 + first), payload);
      memory.set(whole.subarray(40 + first), second);
      const rest = whole.length - 40 - first;
      batch.add(header, 40, payload, first, second, rest, large ? SEGMENT : 0, large ? 20 : 0);
      at = (second + rest + 15) & ~15;
    }
    return batch;
  }

  /** The IP packets that the kernel got. */
  const packets = (): Buffer[] => kernel.sent.map((one) => one.subarray(VNET + ETHERNET));
  const sequences = (): number[] => packets().map((one) => one.readUInt32BE(24));

  it('gives a batch to the kernel in one call, each packet behind its link header', () => {
    const given = [packetOf(1), packetOf(2, 0), packetOf(3, 1460)];
    expect(sender.send(batchOf(...given))).to.equal(3);
    expect(packets().map((one) => one.toString('hex'))).to.deep.equal(
      given.map((one) => Buffer.from(one).toString('hex')),
    );
    for (const one of kernel.sent) {
      expect(one.subarray(0, VNET).every((octet) => octet === 0)).to.equal(true);
      expect(one.subarray(VNET, VNET + ETHERNET).every((octet) => octet === 7)).to.equal(true);
    }
  });

  it('says where to cut and what to sum', () => {
    expect(sender.send(batchOf(packetOf(1, 40_000)))).to.equal(1);
    const [one] = kernel.sent as [Buffer];
    expect([one[0], one[1]]).to.deep.equal([1, 1]); // NEEDS_CSUM, TCPV4
    expect([2, 4, 6, 8].map((at) => one.readUInt16LE(at))).to.deep.equal([54, SEGMENT, 34, 16]);
  });

  it('takes more packets than one call holds', () => {
    const given = Array.from({ length: 150 }, (_, i) => packetOf(i));
    expect(sender.send(batchOf(...given))).to.equal(150);
    expect(sequences()).to.deep.equal(given.map((_, i) => i));
  });

  it('stops where the queue is full, and tells when it is not', () => {
    kernel.results.push(2, -EAGAIN);
    expect(sender.send(batchOf(packetOf(1), packetOf(2), packetOf(3)))).to.equal(2);
    expect(log).to.deep.equal(['full']);
    expect(sender.send(batchOf(packetOf(3)))).to.equal(0);
    sender.unblock();
    expect(log).to.deep.equal(['full', 'writable']);
    expect(sender.send(batchOf(packetOf(3)))).to.equal(1);
    expect(sequences()).to.deep.equal([1, 2, 3]);
  });

  it('tries again by itself, more and more seldom, when the interface has no room', () => {
    let last = world.now();
    for (const pause of [1, 2, 4]) {
      kernel.results.push(-ENOBUFS);
      expect(sender.send(batchOf(packetOf(1)))).to.equal(0);
      sender.unblock(); // the socket has room, the interface may not
      expect(log.splice(0)).to.deep.equal(['delayed, port 1000']);
      world.runUntil(last + pause * 1000);
      last = world.now();
      expect(log.splice(0)).to.deep.equal(['writable']);
    }
    expect(sender.send(batchOf(packetOf(1)))).to.equal(1);
  });

  it('loses what a full interface drops again and again, as a filter does, and does not wait for others', () => {
    let pauses = 0;
    for (
      kernel.results.push(-ENOBUFS);
      sender.send(batchOf(packetOf(1))) === 0;
      kernel.results.push(-ENOBUFS)
    ) {
      world.runUntil(world.now() + 1e5);
      pauses++;
    }
    expect(pauses).to.equal(5);
    expect(world.now()).to.be.below(2e6);
    kernel.results.push(-ENOBUFS);
    expect(sender.send(batchOf(packetOf(2), packetOf(3)))).to.equal(2);
    expect(log.filter((line) => line.startsWith('lost'))).to.deep.equal(
      Array(2).fill(`lost ${String(ENOBUFS)}`),
    );
    expect(sequences()).to.deep.equal([3]);
    // Since one has left, it may just be full again.
    kernel.results.push(-ENOBUFS);
    expect(sender.send(batchOf(packetOf(4)))).to.equal(0);
  });

  it('loses the packet that may not leave, and no other', () => {
    kernel.results.push(1, -EPERM);
    expect(sender.send(batchOf(packetOf(1), packetOf(2), packetOf(3)))).to.equal(3);
    expect(log).to.deep.equal([`lost ${String(EPERM)}`]);
    expect(sequences()).to.deep.equal([1, 3]);
    hop = ENETUNREACH;
    expect(sender.send(batchOf(packetOf(4)))).to.equal(1);
    expect(log).to.deep.equal([`lost ${String(EPERM)}`, `lost ${String(ENETUNREACH)}`]);
  });

  /** The segments of packetOf(1, 2500), whatever completes their checksums. */
  function expectSegments(segments: readonly Buffer[]): void {
    const whole = packetOf(1, 2500);
    expect(segments.map((one) => one.readUInt32BE(24))).to.deep.equal([1, 1001, 2001]);
    expect(segments.map((one) => one[33])).to.deep.equal([0x10, 0x10, 0x19]);
    expect(
      segments.map((one) => one.readUInt16BE(4) - (segments[0] as Buffer).readUInt16BE(4)),
    ).to.deep.equal([0, 1, 2]);
    expect(Buffer.concat(segments.map((one) => one.subarray(40)))).to.deep.equal(
      Buffer.from(whole.subarray(40)),
    );
    for (const one of segments) {
      expect(one.readUInt16BE(2)).to.equal(one.length);
      const right = Uint8Array.from(one);
      fillTcpChecksum(right);
      const pseudo = Uint8Array.from(one);
      fillPseudoSum(pseudo);
      expect([right, pseudo].some((want) => Buffer.from(want).equals(one))).to.equal(true);
    }
  }

  it('cuts packets itself from the first one on that the kernel does not cut', () => {
    kernel.results.push(1, -EINVAL);
    expect(sender.send(batchOf(packetOf(0), packetOf(1, 2500), packetOf(5), packetOf(6, 1800)))).to.equal(4);
    expect(log).to.deep.equal(['no segmentation']);
    expect(sequences()).to.deep.equal([0, 1, 1001, 2001, 5, 6, 1006]);
    expectSegments(packets().slice(1, 4));
  });

  it('keeps the rest of a packet that it cuts while the queue is full', () => {
    kernel.results.push(-EINVAL, 1, -EAGAIN);
    expect(sender.send(batchOf(packetOf(1, 2500), packetOf(5)))).to.equal(1);
    expect(sequences()).to.deep.equal([1]);
    sender.unblock();
    expect(log).to.deep.equal(['no segmentation', 'full', 'writable']);
    expectSegments(packets());
  });

  it('leaves packets to an unknown neighbour to the kernel, cut and summed', () => {
    hop = null;
    expect(sender.send(batchOf(packetOf(1, 2500), packetOf(7)))).to.equal(2);
    expect(kernel.sent).to.deep.equal([]);
    expectSegments(routed.slice(0, 3));
    for (const one of routed) {
      const right = Uint8Array.from(one);
      fillTcpChecksum(right);
      expect(Buffer.from(right)).to.deep.equal(one);
    }
    expect(routed).to.have.length(4);
  });
});
