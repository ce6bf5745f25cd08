/**
 * MPTCP data from a kernel without a stack: `node bare-receive.js receive ADDRESS PORT SECONDS INTERFACE LINK_ADDRESS [lent]`.
 *
 * Reads as the device `packet` does and acknowledges once per batch. There is one subflow, and of what comes out of order
 * only its place is noted. Each packet's octets are copied to an application's buffer as they come, which has the size of
 * what Plait gives at once; with `lent` they are only looked at. Prints the lines of `plait.ts`.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { loadNative, type Native } from '../../src/io/native.js';
import { ResetGuards } from '../../src/io/reset-guard.js';
import { BareFlow, ipOctets } from './bare-frames.js';
import {
  ACK,
  CAPABLE,
  capableOption,
  DATA_ACK,
  DATA_ACK_LONG,
  DATA_FIN,
  dataAckOption,
  DSS,
  dssOption,
  FIN,
  firstNumber,
  lower,
  MAPPED,
  MAPPED_LONG,
  MPTCP,
  OPENING,
  RST,
  SYN,
} from './bare-options.js';
import { BareReader, WHOLE, type BareSegment } from './bare-reader.js';
import { report } from './report.js';

const [, address = '', port = '', , device = '', , lent] = process.argv.slice(2);

interface Came {
  readonly length: number;
  /** Of the first octet in the data. */
  readonly offset: number;
  /** It ends the subflow, or the data. */
  readonly fin: boolean;
  readonly last: boolean;
}

/** Octets. */
const BUFFER = 128 << 10;
/** Milliseconds that the peer has for its part of the end. */
const PATIENCE = 1000;

const native = await loadNative();
await guard(native);
const reader = new BareReader(native, ipOctets(address), Number(port), WHOLE);
report({ listening: Number(port) });

const buffer = Buffer.alloc(BUFFER);
let filled = 0;
const key = randomBytes(8);
const initial = randomBytes(4).readUInt32BE(0);
/** Our next number, and the peer's. */
const sequence = (initial + 1) >>> 0;
let expected = 0;
let peerInitial = 0;
/** Number of the first octet of data, once it is known, and octets so far. */
let dataStart = -1;
let octets = 0;
/** What came before others that it belongs behind, by sequence number. */
const early = new Map<number, Came>();
let ended = false;
let closed = false;
let start = 0;
let cpu = process.cpuUsage();
const flow = await accept();
acknowledge();
while (!ended) if (reader.read(take) > 0) acknowledge();
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
await close();
report({ octets, seconds, cpu: (user + system) / 1e6 });
process.exit();

function guard(by: Native): Promise<void> {
  return new Promise((done, fail) => {
    new ResetGuards(by).hold('0.0.0.0', Number(port), (error) => {
      if (error === null) done();
      else fail(error);
    });
  });
}

/** Answers a SYN; the peer's key comes with its third packet (RFC 8684 section 3.1). */
async function accept(): Promise<BareFlow> {
  let opened: BareFlow | undefined;
  while (dataStart < 0) {
    await setTimeout(1);
    reader.read((segment) => {
      const capable = segment.option(MPTCP, CAPABLE);
      if (segment.flags === SYN && capable !== 0) {
        const ports = { source: Number(port), destination: segment.sourcePort };
        opened = new BareFlow(native, device, segment.linkSource, segment.source, ports);
        peerInitial = segment.sequence;
        expected = (peerInitial + 1) >>> 0;
        opened.sendControl(initial, expected, SYN | ACK, Uint8Array.of(...OPENING, ...capableOption(key)));
        return;
      }
      if (capable !== 0) dataStart = lower(firstNumber(segment.octets(capable + 4, 8)) + 1n);
      // Data may have come in the same batch.
      if (dataStart >= 0) take(segment);
    });
  }
  if (opened === undefined) throw new Error('data before a handshake');
  return opened;
}

function take(segment: BareSegment): void {
  if ((segment.flags & RST) !== 0) {
    if (!ended) throw new Error('the peer has reset the connection');
    closed = true;
    return;
  }
  if (((segment.sequence - expected) | 0) < 0) return;
  const dss = segment.option(MPTCP, DSS);
  const flags = dss === 0 ? 0 : segment.view.getUint8(dss + 3);
  const came = {
    length: segment.payloadLength,
    offset: segment.payloadLength > 0 && (flags & MAPPED) !== 0 ? offsetOf(segment, dss, flags) : octets,
    fin: (segment.flags & FIN) !== 0,
    last: (flags & DATA_FIN) !== 0,
  };
  if (came.length === 0 && !came.fin && !came.last) return;
  if (came.length > 0) giveOut(segment, came);
  early.set(segment.sequence, came);
  for (let next = early.get(expected); next !== undefined; next = early.get(expected)) {
    early.delete(expected);
    inOrder(next);
  }
}

function giveOut({ view, payload }: BareSegment, { length, offset }: Came): void {
  if (view.getUint8(payload) !== offset % 256) throw new Error(`a wrong octet at ${String(offset)}`);
  if (lent !== undefined) return;
  if (filled + length > BUFFER) filled = 0;
  buffer.set(new Uint8Array(view.buffer, payload, length), filled);
  filled += length;
}

/** Where in the data the payload of a segment lies: the kernel may send what is late once more, with other numbers. */
function offsetOf({ view, sequence: number }: BareSegment, dss: number, flags: number): number {
  const mapping = dss + 4 + ((flags & DATA_ACK) === 0 ? 0 : (flags & DATA_ACK_LONG) === 0 ? 4 : 8);
  const long = (flags & MAPPED_LONG) !== 0;
  const mapped = view.getUint32(mapping + (long ? 4 : 0));
  const inSubflow = view.getUint32(mapping + (long ? 8 : 4));
  return octets + ((mapped + (number - peerInitial - inSubflow) - dataStart - octets) | 0);
}

function inOrder({ length, offset, fin, last }: Came): void {
  if (octets === 0 && length > 0) {
    start = performance.now();
    cpu = process.cpuUsage();
  }
  octets = Math.max(octets, offset + length);
  expected = (expected + length + Number(fin)) >>> 0;
  if (fin) closed = true;
  if (last) ended = true;
}

function acknowledge(): void {
  flow.sendControl(sequence, expected, ACK, dataAckOption(dataStart + octets + Number(ended)));
}

/** Ends our direction, too, and lets the peer close the subflow. */
async function close(): Promise<void> {
  const mine = {
    sequence,
    acknowledgment: expected,
    dataSequence: BigInt.asUintN(64, firstNumber(key) + 1n),
    dataAcknowledgment: lower(BigInt(dataStart + octets + 1)),
  };
  flow.sendControl(sequence, expected, ACK, dssOption(mine, 0, 0));
  for (let waited = 0; waited < PATIENCE && !closed; waited++) {
    await setTimeout(1);
    reader.read(take);
  }
  flow.sendControl(sequence, expected, RST | ACK, new Uint8Array(0));
}
