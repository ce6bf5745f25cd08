/**
 * The sender of `bare.ts` without handshake and answers, and a receiver that does nothing but count:
 *
 *   node bare-pair.js send ADDRESS PORT SECONDS INTERFACE LINK_ADDRESS
 *   node bare-pair.js receive ADDRESS PORT
 *
 * Frames go to another link address than the receiver's, so that its kernel leaves them alone. What counts is what
 * arrives. Output as that of `plait.ts`.
 */
import { loadNative } from '../../src/io/native.js';
import { BareFlow, ipOctets, linkOctets } from './bare-frames.js';
import { BareReader, WHOLE, type BareSegment } from './bare-reader.js';
import { report, type Measured } from './report.js';

/** Without anything for so many milliseconds, the sender has finished. */
const SILENCE = 200;

const [mode, address = '', port = '', seconds = '', device = '', neighbour = ''] = process.argv.slice(2);
const native = await loadNative();
report(mode === 'send' ? send() : receive());

function send(): Measured {
  const ports = { source: Number(port), destination: Number(port) };
  const flow = new BareFlow(native, device, linkOctets(neighbour), ipOctets(address), ports);
  const data = flow.data({ sequence: 0, acknowledgment: 0, dataSequence: 0n, dataAcknowledgment: 0 });
  const start = performance.now();
  const cpu = process.cpuUsage();
  const end = start + Number(seconds) * 1000;
  while (performance.now() < end) data.send(Infinity, false);
  return { octets: data.sent, seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(cpu) };
}

function receive(): Measured {
  const reader = new BareReader(native, ipOctets(address), Number(port), WHOLE);
  report({ listening: Number(port) });
  let octets = 0;
  let start = 0;
  let last = Infinity;
  let cpu = process.cpuUsage();
  const count = (segment: BareSegment): void => {
    octets += segment.payloadLength;
  };
  while (performance.now() - last < SILENCE) {
    if (reader.read(count) === 0) continue;
    last = performance.now();
    if (start > 0) continue;
    start = last;
    cpu = process.cpuUsage();
  }
  return { octets, seconds: (last - start) / 1000, cpu: cpuSeconds(cpu) };
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
