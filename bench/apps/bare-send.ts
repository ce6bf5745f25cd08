/**
 * MPTCP data to a kernel without a stack, as fast as it goes:
 *
 *   node bare-send.js send ADDRESS PORT SECONDS INTERFACE LINK_ADDRESS
 *
 * A handshake by hand, and then super-segments as far as the peer's window reaches. There is one subflow, no congestion
 * control, and nothing is repeated: where a packet is lost nothing is acknowledged any more, and the program ends with
 * exit code LOST. Otherwise it prints the same line as `plait.ts`.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { loadNative, type Native } from '../../src/io/native.js';
import { ResetGuards } from '../../src/io/reset-guard.js';
import { BareFlow, ipOctets, linkOctets, SEGMENT } from './bare-frames.js';
import {
  ACK,
  beyond,
  CAPABLE,
  capableOption,
  DATA_ACK,
  DATA_ACK_LONG,
  DATA_FIN,
  DSS,
  dssOption,
  firstNumber,
  lower,
  MPTCP,
  OPENING,
  RST,
  SYN,
  WINDOW_SCALE,
  type Start,
} from './bare-options.js';
import { BareReader, HEADERS, type BareSegment } from './bare-reader.js';
import { LOST, report } from './report.js';

const [, address = '', port = '', seconds = '', device = '', neighbour = ''] = process.argv.slice(2);

/** Milliseconds without an acknowledgement after which something was lost. */
const PATIENCE = 1000;
/** Octets; twice as many after each flight. */
const FIRST_FLIGHT = 14_360;
/** Of the window, not used: Linux tells of more when it has doubled, and of a full one may say nothing. */
const SPARE = 0.25;
/** Milliseconds without an answer, after which one segment out of that share asks for one. */
const MOMENT = 1;

const native = await loadNative();
const flow = await openFlow(native);
const answers = new BareReader(native, flow.source, flow.ports.source, HEADERS);
const { start, scale } = connect();
const dataStart = lower(start.dataSequence);
const data = flow.data(start);
/** Octets that are acknowledged, by the subflow and for the data; the window beyond the latter, and where it ends. */
let acknowledged = 0;
let dataAcknowledged = 0;
let window = 1 << 16;
let edge = window;
let finished = false;
let last = performance.now();
await run();
process.exit();

async function openFlow(by: Native): Promise<BareFlow> {
  const guards = new ResetGuards(by);
  const own = await new Promise<number>((done, fail) => {
    guards.hold('0.0.0.0', 0, (error, chosen) => {
      if (error === null) done(chosen);
      else fail(error);
    });
  });
  const ports = { source: own, destination: Number(port) };
  return new BareFlow(by, device, linkOctets(neighbour), ipOctets(address), ports);
}

/** RFC 8684 section 3.1. */
function connect(): { start: Start; scale: number } {
  const key = randomBytes(8);
  const sequence = randomBytes(4).readUInt32BE(0);
  flow.sendControl(sequence, 0, SYN, Uint8Array.of(...OPENING, ...capableOption()));
  let answer: { acknowledgment: number; scale: number; key: Uint8Array } | undefined;
  const end = performance.now() + PATIENCE;
  while (answer === undefined) {
    answers.read((segment) => {
      const capable = segment.option(MPTCP, CAPABLE);
      if (segment.flags !== (SYN | ACK) || capable === 0) return;
      const shift = segment.option(WINDOW_SCALE);
      answer = {
        acknowledgment: (segment.sequence + 1) >>> 0,
        scale: shift === 0 ? 0 : segment.view.getUint8(shift + 2),
        key: segment.octets(capable + 4, 8),
      };
    });
    if (performance.now() > end) throw new Error('nobody answers with MPTCP');
  }
  const begin: Start = {
    sequence: (sequence + 1) >>> 0,
    acknowledgment: answer.acknowledgment,
    dataSequence: BigInt.asUintN(64, firstNumber(key) + 1n),
    dataAcknowledgment: lower(firstNumber(answer.key) + 1n),
  };
  flow.sendControl(begin.sequence, begin.acknowledgment, ACK, capableOption(key, answer.key));
  return { start: begin, scale: answer.scale };
}

async function run(): Promise<void> {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  const end = begin + Number(seconds) * 1000;
  while (performance.now() < end) {
    takeAnswers();
    const room = Math.min(edge - window * SPARE, 2 * acknowledged + FIRST_FLIGHT) - data.sent;
    const asking = performance.now() - last > MOMENT;
    data.send(asking ? Math.min(SEGMENT, edge - data.sent) : room, acknowledged === data.sent);
  }
  while (acknowledged < data.sent) await later();
  const option = dssOption(start, data.sent, 0);
  flow.sendControl(start.sequence + data.sent, start.acknowledgment, ACK, option);
  while (!finished) await later();
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = (performance.now() - begin) / 1000;
  flow.sendControl(start.sequence + acknowledged, start.acknowledgment, RST | ACK, new Uint8Array(0));
  report({ octets: data.sent, seconds: elapsed, cpu: (user + system) / 1e6 });
}

/** Leaves the processor to the kernel's own threads, which handle the end of data. */
async function later(): Promise<void> {
  await setTimeout(1);
  takeAnswers();
}

function takeAnswers(): void {
  answers.read(take);
  if (performance.now() - last < PATIENCE) return;
  process.exit(LOST);
}

function take(segment: BareSegment): void {
  if ((segment.flags & RST) !== 0) throw new Error('the peer has reset the connection');
  const { view } = segment;
  const more = beyond(segment.acknowledgment, start.sequence + acknowledged);
  if (more > 0) last = performance.now();
  acknowledged += more;
  const dss = segment.option(MPTCP, DSS);
  if (dss === 0) return;
  const flags = view.getUint8(dss + 3);
  if ((flags & DATA_FIN) !== 0) finished = true;
  if ((flags & DATA_ACK) === 0) return;
  const number = view.getUint32(dss + ((flags & DATA_ACK_LONG) === 0 ? 4 : 8));
  dataAcknowledged += beyond(number, dataStart + dataAcknowledged);
  window = segment.window * 2 ** scale;
  edge = Math.max(edge, dataAcknowledged + window);
}
