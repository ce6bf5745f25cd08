/**
 * Super-segments by hand, for the bare rows of `wire`: as little as a program can do that sends MPTCP data through a
 * packet socket. Headers are all alike but for their numbers, and payload leaves from where an application has it.
 */
import { networkInterfaces } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { addressBytes } from '../../src/core/address.js';
import { interfaceIndex } from '../../src/io/interfaces.js';
import { linkHeader, LINK_HEADER_MAX, type LinkHeader } from '../../src/io/link-header.js';
import { Messages } from '../../src/io/messages.js';
import { growSendBuffer, type Native } from '../../src/io/native.js';
import { OutBatch } from '../../src/io/out-batch.js';
import { openPacketSocket } from '../../src/io/packet-socket.js';
import { fillPseudoSum, fillTcpChecksum, writeIpHeader } from '../../src/io/segment-header.js';
import { VNET_SIZE, writeVnetHeader } from '../../src/io/vnet-header.js';
import { ACK, dssOption, WINDOW, type Start } from './bare-options.js';

/** Payload octets of a segment: 1,500 octets of MTU less IPv4, TCP and a mapping. */
export const SEGMENT = 1500 - 20 - 20 - 24;
/** Segments and payload octets of a super-segment at most; an IP packet has 65,535. */
const SEGMENTS = 45;
const PAYLOAD = SEGMENTS * SEGMENT;
/** Super-segments per call at most. */
const BURST = 32;

/** Octets before IP, and in front of the payload altogether. */
export const IP_AT = VNET_SIZE + LINK_HEADER_MAX;
const TCP_AT = IP_AT + 20;
const OPTIONS_AT = TCP_AT + 20;
const PAYLOAD_AT = OPTIONS_AT + 24;
const SLOT = 128;

/** As `kernel.py` and `plait.ts` write pieces of it again and again. */
const SOURCE = 1 << 20;

/** One flow out of an interface: IPv4, TCP, to a neighbour whose link address is known. */
export class BareFlow {
  readonly source: Uint8Array;
  readonly #destination: Uint8Array;
  readonly #fd: number;
  readonly #link: LinkHeader;

  constructor(
    readonly native: Native,
    device: string,
    neighbour: Uint8Array,
    destination: Uint8Array,
    readonly ports: { readonly source: number; readonly destination: number },
  ) {
    this.source = addressOf(device);
    this.#destination = destination;
    const index = interfaceIndex(device);
    const link = index === null ? null : linkHeader(index, 4, neighbour);
    if (link === null) throw new Error(`${device}: no link address`);
    this.#link = link;
    this.#fd = openPacketSocket(native);
    growSendBuffer(native, this.#fd);
  }

  /** Sends one segment without payload. */
  sendControl(sequence: number, acknowledgment: number, flags: number, options: Uint8Array): void {
    const frame = this.#frame(options, 0);
    writeTcpNumbers(frame, TCP_AT, sequence, acknowledgment, flags);
    fillTcpChecksum(frame.subarray(IP_AT));
    const sent = this.native.sendTo(this.#fd, frame, frame.length, this.#link.name);
    if (sent < 0) throw new Error(`a segment does not leave: ${getSystemErrorName(sent)}`);
  }

  /** What sends data from `start` on. */
  data(start: Start): BareData {
    const headers = Array.from({ length: SEGMENTS }, (_, i) => this.#dataHeader(start, i + 1));
    return new BareData(this.native, this.#fd, this.#link, headers, start);
  }

  /** In front of so many segments. */
  #dataHeader(start: Start, segments: number): Uint8Array {
    const payload = segments * SEGMENT;
    const frame = this.#frame(dssOption(start, 0, payload), payload);
    writeTcpNumbers(frame, TCP_AT, start.sequence, start.acknowledgment, ACK);
    fillPseudoSum(frame.subarray(IP_AT));
    const batch = new OutBatch(1);
    batch.add(IP_AT, PAYLOAD_AT - IP_AT, 0, 0, 0, 0, segments > 1 ? SEGMENT : 0, TCP_AT - IP_AT);
    writeVnetHeader(frame, 0, batch.select(0), LINK_HEADER_MAX);
    return frame.slice(0, PAYLOAD_AT);
  }

  /** A whole frame with its headers, as far as they do not depend on the segment. */
  #frame(options: Uint8Array, payload: number): Uint8Array {
    const frame = new Uint8Array(OPTIONS_AT + options.length + payload);
    frame.set(this.#link.octets, VNET_SIZE);
    writeIpHeader(frame.subarray(IP_AT), this.source, this.#destination);
    const view = new DataView(frame.buffer);
    view.setUint16(TCP_AT, this.ports.source);
    view.setUint16(TCP_AT + 2, this.ports.destination);
    view.setUint8(TCP_AT + 12, ((20 + options.length) / 4) << 4);
    view.setUint16(TCP_AT + 14, WINDOW);
    frame.set(options, OPTIONS_AT);
    return frame;
  }
}

/** Data of one flow, a mapping for each super-segment. */
export class BareData {
  /** Payload octets that have left. */
  sent = 0;
  readonly #fd: number;
  readonly #start: Start;
  /** By number of segments less one. */
  readonly #templates: readonly Uint8Array[];
  readonly #headers = Buffer.alloc(BURST * SLOT);
  readonly #messages: Messages;
  readonly #sourceAddress: number;
  /** Kept because the kernel reads it. Longer than what is written again and again, so that no payload has two pieces. */
  readonly #source = Buffer.alloc(
    SOURCE + PAYLOAD,
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );

  constructor(native: Native, fd: number, link: LinkHeader, templates: readonly Uint8Array[], start: Start) {
    this.#fd = fd;
    this.#start = start;
    this.#templates = templates;
    this.#sourceAddress = Number(native.address(this.#source));
    const headers = Number(native.address(this.#headers));
    this.#messages = new Messages(native, BURST, 2);
    for (let i = 0; i < BURST; i++) {
      this.#messages.setName(i, link.name);
      this.#messages.setPiece(i, 0, headers + i * SLOT, PAYLOAD_AT);
      this.#messages.setPieces(i, 2);
    }
  }

  /**
   * Sends whole super-segments, as many of a burst as `room` octets and the socket take; a smaller one only if `small`.
   */
  send(room: number, small: boolean): void {
    const whole = Math.min(BURST, Math.floor(room / PAYLOAD));
    const segments = Math.floor(room / SEGMENT);
    if (segments < 1 || (whole === 0 && !small)) return;
    if (whole === 0) this.#prepare(0, segments);
    for (let i = 0; i < whole; i++) this.#prepare(i, SEGMENTS);
    const left = this.#messages.send(this.#fd, 0, Math.max(whole, 1));
    if (left > 0) this.sent += whole === 0 ? segments * SEGMENT : left * PAYLOAD;
  }

  /** Super-segment `i` of a burst. */
  #prepare(i: number, segments: number): void {
    const { sequence, dataSequence } = this.#start;
    const octets = this.sent + i * PAYLOAD;
    const at = i * SLOT;
    this.#headers.set(this.#templates[segments - 1] as Uint8Array, at);
    this.#headers.writeUInt32BE((sequence + octets) >>> 0, at + TCP_AT + 4);
    this.#headers.writeBigUInt64BE(BigInt.asUintN(64, dataSequence + BigInt(octets)), at + OPTIONS_AT + 10);
    this.#headers.writeUInt32BE((octets + 1) >>> 0, at + OPTIONS_AT + 18);
    this.#messages.setPiece(i, 1, this.#sourceAddress + (octets % SOURCE), segments * SEGMENT);
  }
}

/** Octets of addresses that are given as text: "10.0.1.2", "02:00:00:00:00:01". */
export const ipOctets = (text: string): Uint8Array => addressBytes(text).subarray(12);
export const linkOctets = (text: string): Uint8Array => Buffer.from(text.replaceAll(':', ''), 'hex');

function writeTcpNumbers(
  frame: Uint8Array,
  at: number,
  sequence: number,
  acknowledgment: number,
  flags: number,
): void {
  const view = new DataView(frame.buffer);
  view.setUint32(at + 4, sequence);
  view.setUint32(at + 8, acknowledgment);
  view.setUint8(at + 13, flags);
}

/** The 4 octets of an interface's own address. */
function addressOf(device: string): Uint8Array {
  const own = networkInterfaces()[device]?.find(({ family }) => family === 'IPv4')?.address;
  if (own === undefined) throw new Error(`${device}: no IPv4 address`);
  return ipOctets(own);
}
