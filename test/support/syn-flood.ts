/** SYNs with MP_CAPABLE from random addresses and ports, in IPv4, as fast as they can be made. */
import { SeededRandom } from '../../src/core/random.js';

const IP = 20;
const TCP = 20;
/** MSS 1460, SACK permitted, timestamps, window scale 7, MP_CAPABLE: what Linux sends. */
const OPTIONS = '020405b40402080a0000000100000000010303071e040101';
const LENGTH = IP + TCP + OPTIONS.length / 2;

export class SynFlood {
  readonly #packet = Buffer.alloc(LENGTH);
  readonly #random: SeededRandom;

  /** `destination` is an IPv4 address in dotted form. */
  constructor(destination: string, port: number, seed: number) {
    const p = this.#packet;
    this.#random = new SeededRandom(seed);
    p.writeUInt16BE(0x4500, 0);
    p.writeUInt16BE(LENGTH, 2);
    p.writeUInt16BE(0x4000, 6);
    p.writeUInt16BE(0x4006, 8);
    destination.split('.').forEach((part, i) => p.writeUInt8(Number(part), 16 + i));
    p.writeUInt16BE(port, IP + 2);
    p.writeUInt16BE((((TCP + OPTIONS.length / 2) / 4) << 12) | 2, IP + 12); // header length, SYN
    p.writeUInt16BE(64240, IP + 14);
    p.write(OPTIONS, IP + TCP, 'hex');
  }

  /** The next SYN. Its TCP checksum is not filled in; the buffer is the same every time. */
  next(): Uint8Array {
    const p = this.#packet;
    p.writeUInt32BE(this.#random.u32(), 12);
    p.writeUInt32BE(this.#random.u32(), IP + 4);
    p.writeUInt16BE(1024 + (this.#random.u32() % 64000), IP);
    p.writeUInt16BE(0, 10);
    let sum = 0;
    for (let i = 0; i < IP; i += 2) sum += p.readUInt16BE(i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    p.writeUInt16BE(~sum & 0xffff, 10);
    return p;
  }
}
