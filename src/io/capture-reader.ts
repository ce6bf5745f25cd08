/**
 * Reads captures: pcapng (draft-ietf-opsawg-pcapng) and the older pcap, in both byte orders, from a stream of chunks.
 * Blocks of unknown type are passed over. A file that ends within a block, as of a program that was killed, gives every
 * whole packet and then `truncated`.
 */
import { PlaitError } from '../errors.js';
import { Direction } from './pcapng.js';

export interface CapturedFrame {
  /** Microseconds since 1970; 0 where the capture has no time. */
  readonly time: number;
  /** As captured, from the link layer on: LINKTYPE_ number. */
  readonly linkType: number;
  readonly octets: Uint8Array;
  /** Octets that the frame had. */
  readonly length: number;
  readonly direction: Direction;
  /** Name of the interface, where the capture has one. */
  readonly interfaceName: string | null;
  readonly comment: string | null;
}

/** Yields every frame in the order of the file. Errors: EINVAL, the file is no capture or is damaged. */
export async function* readCapture(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<CapturedFrame, CaptureEnd> {
  const reader = new CaptureReader();
  for await (const chunk of source) {
    reader.push(chunk);
    for (let frame = reader.next(); frame !== null; frame = reader.next()) yield frame;
  }
  return reader.end();
}

/** How a capture ended. */
export interface CaptureEnd {
  /** Octets at the end that are no whole block. */
  readonly truncated: number;
}

/** The same by hand: `push` octets, then take frames until there is none. */
export class CaptureReader {
  #buffer = new Uint8Array(0);
  #view = new DataView(this.#buffer.buffer);
  /** Where the next block begins, and where the octets end. */
  #at = 0;
  #end = 0;
  #format: Format | null = null;
  #littleEndian = true;
  #pcap: PcapHeader | null = null;
  #interfaces: CaptureSource[] = [];

  push(chunk: Uint8Array): void {
    const left = this.#end - this.#at;
    if (this.#end + chunk.length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(1 << 16, 2 * (left + chunk.length)));
      larger.set(this.#buffer.subarray(this.#at, this.#end));
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
      this.#at = 0;
      this.#end = left;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole frame, or null until more octets are pushed. Its octets are its own. */
  next(): CapturedFrame | null {
    if (this.#format === null && !this.#begin()) return null;
    return this.#format === 'pcap' ? this.#nextRecord() : this.#nextPacketBlock();
  }

  /** To be called once everything was pushed and taken. Errors: EINVAL. */
  end(): CaptureEnd {
    if (this.#format === null) throw damaged('is too short for a capture');
    return { truncated: this.#end - this.#at };
  }

  /** Tells the format from the first four octets, and reads pcap's header. */
  #begin(): boolean {
    if (this.#available < 4) return false;
    const magic = this.#view.getUint32(this.#at, false);
    if (magic === BlockType.Section) {
      this.#format = 'pcapng';
      return true;
    }
    const header = PCAP_MAGICS.get(magic);
    if (header === undefined) throw damaged('is neither pcapng nor pcap');
    if (this.#available < PCAP_HEADER) return false;
    this.#littleEndian = header.littleEndian;
    // The upper bits may tell of a frame check sequence.
    this.#pcap = { ticks: header.ticks, linkType: this.#u32(20) & 0x0fffffff };
    this.#format = 'pcap';
    this.#at += PCAP_HEADER;
    return true;
  }

  // ---- pcap ---------------------------------------------------------------------------------------------------------

  #nextRecord(): CapturedFrame | null {
    if (this.#available < PCAP_RECORD) return null;
    const captured = this.#u32(8);
    if (captured > LARGEST_BLOCK) throw damaged('is damaged: a packet has an impossible length');
    if (this.#available < PCAP_RECORD + captured) return null;
    const { ticks, linkType } = this.#pcap!;
    const frame = {
      time: this.#u32(0) * 1e6 + (this.#u32(4) * 1e6) / ticks,
      linkType,
      octets: this.#buffer.slice(this.#at + PCAP_RECORD, this.#at + PCAP_RECORD + captured),
      length: Math.max(captured, this.#u32(12)),
      direction: Direction.Unknown,
      interfaceName: null,
      comment: null,
    };
    this.#at += PCAP_RECORD + captured;
    return frame;
  }

  // ---- pcapng -------------------------------------------------------------------------------------------------------

  #nextPacketBlock(): CapturedFrame | null {
    while (this.#available >= SMALLEST_BLOCK) {
      // The type of a section reads the same in both byte orders, which its magic number tells.
      const section = this.#view.getUint32(this.#at, false) === BlockType.Section;
      if (section) this.#littleEndian = this.#view.getUint32(this.#at + 8, true) === BYTE_ORDER_MAGIC;
      if (section && this.#u32(8) !== BYTE_ORDER_MAGIC) throw damaged('has a section of unknown byte order');
      const length = this.#u32(4);
      if (length < SMALLEST_BLOCK || length % 4 !== 0 || length > LARGEST_BLOCK) {
        throw damaged('is damaged: a block has an impossible length');
      }
      if (this.#available < length) return null;
      const frame = this.#block(this.#u32(0), length);
      this.#at += length;
      if (frame !== null) return frame;
    }
    return null;
  }

  #block(type: number, length: number): CapturedFrame | null {
    switch (type) {
      case BlockType.Section:
        this.#interfaces = [];
        return null;
      case BlockType.Interface:
        if (length >= 20) this.#interfaces.push(this.#interface(length));
        return null;
      case BlockType.EnhancedPacket:
        return length < 32 ? null : this.#packet(length, 28, this.#u32(8), this.#u32(20), this.#u32(24));
      case BlockType.SimplePacket: {
        if (length < 16) return null;
        const original = this.#u32(8);
        const snap = this.#interfaces[0]?.snapLength ?? 0;
        const captured = Math.min(original, snap === 0 ? original : snap, length - 16);
        return this.#packet(length, 12, 0, captured, original);
      }
      case BlockType.OldPacket:
        return length < 32 ? null : this.#packet(length, 28, this.#u16(8), this.#u32(20), this.#u32(24));
      default:
        return null;
    }
  }

  #interface(length: number): CaptureSource {
    const source: CaptureSource = {
      linkType: this.#u16(8),
      snapLength: this.#u32(12),
      name: null,
      ticks: 1e6,
      offset: 0,
    };
    for (const { code, at, size } of this.#options(16, length)) {
      if (code === InterfaceOption.Name) source.name = this.#text(at, size);
      if (code === InterfaceOption.TimestampResolution && size >= 1) {
        const power = this.#buffer[this.#at + at]!;
        source.ticks = (power & 0x80) === 0 ? 10 ** power : 2 ** (power & 0x7f);
      }
      if (code === InterfaceOption.TimestampOffset && size >= 8) {
        source.offset = Number(this.#view.getBigInt64(this.#at + at, this.#littleEndian)) * 1e6;
      }
    }
    return source;
  }

  /** A packet whose octets begin at `data` in the block; null if its interface was not described or it does not fit. */
  #packet(
    length: number,
    data: number,
    interfaceNumber: number,
    captured: number,
    original: number,
  ): CapturedFrame | null {
    const source = this.#interfaces[interfaceNumber];
    if (source === undefined || captured > length - data - 4) return null;
    let direction: Direction = Direction.Unknown;
    let comment: string | null = null;
    const simple = data === 12;
    if (!simple) {
      for (const { code, at, size } of this.#options(data + ((captured + 3) & ~3), length)) {
        if (code === COMMENT) comment = comment === null ? this.#text(at, size) : comment;
        if (code === PacketOption.Flags && size >= 4) direction = DIRECTIONS[this.#u32(at) & 3] ?? direction;
      }
    }
    const ticks = simple ? 0 : this.#u32(12) * 2 ** 32 + this.#u32(16);
    return {
      // Seconds and the rest apart: together they would lose the rest's precision.
      time: simple
        ? 0
        : Math.floor(ticks / source.ticks) * 1e6 +
          ((ticks % source.ticks) * 1e6) / source.ticks +
          source.offset,
      linkType: source.linkType,
      octets: this.#buffer.slice(this.#at + data, this.#at + data + captured),
      length: Math.max(captured, original),
      direction,
      interfaceName: source.name,
      comment,
    };
  }

  /** Options from `start` in the block of `length` octets; the list ends where it must. */
  *#options(start: number, length: number): Generator<{ code: number; at: number; size: number }> {
    let at = start;
    while (at + 4 <= length - 4) {
      const code = this.#u16(at);
      const size = this.#u16(at + 2);
      if (code === 0 || at + 4 + size > length - 4) return;
      yield { code, at: at + 4, size };
      at += 4 + ((size + 3) & ~3);
    }
  }

  get #available(): number {
    return this.#end - this.#at;
  }

  #u16(at: number): number {
    return this.#view.getUint16(this.#at + at, this.#littleEndian);
  }

  #u32(at: number): number {
    return this.#view.getUint32(this.#at + at, this.#littleEndian);
  }

  #text(at: number, size: number): string {
    return decoder.decode(this.#buffer.subarray(this.#at + at, this.#at + at + size));
  }
}

function damaged(what: string): PlaitError {
  return new PlaitError('EINVAL', `the file ${what}`);
}

type Format = 'pcapng' | 'pcap';

interface PcapHeader {
  /** Of the sub-second field, in a second. */
  readonly ticks: number;
  readonly linkType: number;
}

interface CaptureSource {
  readonly linkType: number;
  readonly snapLength: number;
  name: string | null;
  /** Of the timestamps, in a second. */
  ticks: number;
  /** Microseconds to add to them. */
  offset: number;
}

const decoder = new TextDecoder();

/** First four octets of a pcap file, read big-endian. */
const PCAP_MAGICS = new Map([
  [0xa1b2c3d4, { littleEndian: false, ticks: 1e6 }],
  [0xd4c3b2a1, { littleEndian: true, ticks: 1e6 }],
  [0xa1b23c4d, { littleEndian: false, ticks: 1e9 }],
  [0x4d3cb2a1, { littleEndian: true, ticks: 1e9 }],
]);
const PCAP_HEADER = 24;
const PCAP_RECORD = 16;

const BlockType = {
  Section: 0x0a0d0d0a,
  Interface: 1,
  OldPacket: 2,
  SimplePacket: 3,
  EnhancedPacket: 6,
} as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const SMALLEST_BLOCK = 12;
/** Ends a damaged file early rather than waiting for gigabytes. */
const LARGEST_BLOCK = 1 << 26;
const COMMENT = 1;
const InterfaceOption = { Name: 2, TimestampResolution: 9, TimestampOffset: 14 } as const;
const PacketOption = { Flags: 2 } as const;
const DIRECTIONS: readonly Direction[] = [Direction.Unknown, Direction.Inbound, Direction.Outbound];
