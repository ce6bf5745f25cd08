/**
 * The sender of `bare.ts` without handshake and answers, and a receiver that does nothing but count:
 *
 *   node bare-pair.js send ADDRESS PORT SECONDS INTERFACE LINK_ADDRESS
 *   node bare-pair.js receive ADDRESS PORT
 *
 * Frames go to another link address than the receiver's, so that its kernel leaves them alone. What counts is what
 * arrives. Output as that of `plait.ts`.
 */
import { addressBytes } from '../../src/core/address.js';
import { Messages } from '../../src/io/messages.js';
import { loadNative } from '../../src/io/native.js';
import { openReceiver } from './bare-answers.js';
import { BareFlow, PAYLOAD_AT } from './bare-frames.js';
import { report, type Measured } from './report.js';

/** As the device `packet` receives: octets of the socket, packets of a call, octets of each. */
const BUFFER = 8 << 20;
const COUNT = 47;
const PLACE = 65_600;
/** Without anything for so many milliseconds, the sender has finished. */
const SILENCE = 200;

const [mode, address = '', port = '', seconds = '', device = '', neighbour = ''] = process.argv.slice(2);
const native = await loadNative();
/** Here because only the kernel knows it after its address has been taken. */
const area = new Uint8Array(COUNT * PLACE);
report(mode === 'send' ? send() : receive());

function send(): Measured {
  const ports = { source: Number(port), destination: Number(port) };
  const flow = new BareFlow(native, device, neighbour, address, ports);
  const data = flow.data({ sequence: 0, acknowledgment: 0, dataSequence: 0n, dataAcknowledgment: 0 });
  const start = performance.now();
  const cpu = process.cpuUsage();
  const end = start + Number(seconds) * 1000;
  while (performance.now() < end) data.send(Infinity, false);
  return { octets: data.sent, seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(cpu) };
}

function receive(): Measured {
  const fd = openReceiver(native, addressBytes(address).subarray(12), Number(port), BUFFER);
  const messages = new Messages(native, COUNT, 1);
  const first = Number(native.address(area));
  for (let i = 0; i < COUNT; i++) messages.setPiece(i, 0, first + i * PLACE, PLACE);
  report({ listening: Number(port) });
  let octets = 0;
  let start = 0;
  let last = Infinity;
  let cpu = process.cpuUsage();
  while (performance.now() - last < SILENCE) {
    const count = messages.receive(fd, COUNT);
    if (count <= 0) continue;
    last = performance.now();
    if (octets === 0) {
      start = last;
      cpu = process.cpuUsage();
    }
    for (let i = 0; i < count; i++) octets += messages.received(i) - PAYLOAD_AT;
  }
  return { octets, seconds: (last - start) / 1000, cpu: cpuSeconds(cpu) };
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
