/**
 * Writes captures in the pcapng format (draft-ietf-opsawg-pcapng): one section, one interface per path, raw IP
 * packets with microsecond timestamps and their direction. Wireshark and tshark read them.
 */

/** Takes the next octets of the capture. The chunk is valid only during the call. */
export type CaptureSink = (chunk: Uint8Array) => void;

export const Direction = { Unknown: 0, Inbound: 1, Outbound: 2 } as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

export interface CaptureInterface {
  readonly name: string;
  readonly description?: string;
  /** The interface's IP address, 4 or 16 octets. */
  readonly address?: Uint8Array;
}

/** Equal calls write equal bytes. */
export class PcapngWriter {
  readonly #sink: CaptureSink;
  #buffer = new Uint8Array(4096);
  #view = new DataView(this.#buffer.buffer);
  #at = 0;
  #interfaces = 0;

  /** Writes the section header at once. */
  constructor(sink: CaptureSink) {
    this.#sink = sink;
    this.#begin(BlockType.Section, 64);
    this.#u32(BYTE_ORDER_MAGIC);
    this.#u16(1); // version 1.0
    this.#u16(0);
    this.#u32(0xffffffff); // section length: not given
    this.#u32(0xffffffff);
    this.#option(SectionOption.Application, encoder.encode('plait'));
    this.#end();
  }

  /** Declares an interface and returns its number, for `packet`. */
  addInterface(description: CaptureInterface): number {
    const name = encoder.encode(description.name);
    const about = encoder.encode(description.description ?? '');
    this.#begin(BlockType.Interface, 128 + name.length + about.length);
    this.#u16(LINKTYPE_RAW);
    this.#u16(0);
    this.#u32(SNAP_LENGTH);
    this.#option(InterfaceOption.Name, name);
    if (about.length > 0) this.#option(InterfaceOption.Description, about);
    const address = description.address;
    // An address is followed by its netmask or prefix length; the path's own address is all that is known.
    if (address?.length === 4)
      this.#option(InterfaceOption.Ipv4, Uint8Array.of(...address, 255, 255, 255, 255));
    if (address?.length === 16) this.#option(InterfaceOption.Ipv6, Uint8Array.of(...address, 128));
    this.#option(InterfaceOption.TimestampResolution, Uint8Array.of(6)); // 10^-6 seconds
    this.#end();
    return this.#interfaces++;
  }

  /**
   * Writes one IP packet. `time` is microseconds since 1970.
   */
  packet(
    interfaceNumber: number,
    time: number,
    direction: Direction,
    packet: Uint8Array,
    comment: string | null = null,
  ): void {
    const text = comment === null ? null : encoder.encode(comment);
    const captured = Math.min(packet.length, SNAP_LENGTH);
    this.#begin(BlockType.EnhancedPacket, 64 + captured + (text?.length ?? 0));
    const ticks = Math.floor(time);
    this.#u32(interfaceNumber);
    this.#u32(Math.floor(ticks / 2 ** 32));
    this.#u32(ticks % 2 ** 32);
    this.#u32(captured);
    this.#u32(packet.length);
    this.#octets(captured === packet.length ? packet : packet.subarray(0, captured));
    if (text !== null) this.#option(COMMENT, text);
    this.#u16(PacketOption.Flags);
    this.#u16(4);
    this.#u32(direction);
    this.#end();
  }

  #begin(type: number, room: number): void {
    if (this.#buffer.length < room) {
      this.#buffer = new Uint8Array(2 * room);
      this.#view = new DataView(this.#buffer.buffer);
    }
    this.#at = 0;
    this.#u32(type);
    this.#u32(0); // the length, once it is known
  }

  /** Closes the options and the block, whose length stands at its start and end, and hands it over. */
  #end(): void {
    this.#u32(0); // end of options
    const length = this.#at + 4;
    this.#u32(length);
    this.#view.setUint32(4, length, true);
    this.#sink(this.#buffer.subarray(0, length));
  }

  #option(code: number, value: Uint8Array): void {
    this.#u16(code);
    this.#u16(value.length);
    this.#octets(value);
  }

  /** Octets, padded with zeros to a multiple of four. */
  #octets(value: Uint8Array): void {
    this.#buffer.set(value, this.#at);
    const end = this.#at + value.length;
    this.#at = (end + 3) & ~3;
    this.#buffer.fill(0, end, this.#at);
  }

  #u16(value: number): void {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
  }

  #u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }
}

const encoder = new TextEncoder();

const BlockType = { Section: 0x0a0d0d0a, Interface: 1, EnhancedPacket: 6 } as const;
const COMMENT = 1;
const SectionOption = { Application: 4 } as const;
const InterfaceOption = { Name: 2, Description: 3, Ipv4: 4, Ipv6: 5, TimestampResolution: 9 } as const;
const PacketOption = { Flags: 2 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Packets begin with their IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101;
/** Octets kept of a packet: all, as no IP packet is longer. */
const SNAP_LENGTH = 262144;
