/**
 * A SYN flood of 100,000 from random addresses beside an established transfer over two subflows: what the transfer
 * reaches with it and without it, in the same run. The flood lasts as long as a second's worth of SYNs at 100,000 per
 * second of processor time: the transfer is cut into as many slices as take one second without it.
 */
import { Checksum } from '../src/io/device.js';
import { SynFlood } from '../test/support/syn-flood.js';
import { processorSeconds } from './measure.js';
import { median, type Report } from './report.js';
import { Stream } from './stream.js';

const SYNS = 100_000;
const RUNS = 5;
/** Octets between two bursts. */
const SLICE = 256 * 1024;

export async function flood(report: Report): Promise<void> {
  const stream = await Stream.open({ tcpChecksum: true });
  const { server } = stream.hosts;
  const [path] = server.paths();
  const syns = new SynFlood('10.0.0.2', 5000, 1);
  const slices = slicesPerSecond(stream);
  const octets = slices * SLICE;
  const quiet: number[] = [];
  const flooded: number[] = [];
  let most = 0;
  const before = server.core.x.memoryUsed();
  for (let run = 0; run < RUNS; run++) {
    quiet.push(goodput(octets, () => stream.transfer(octets)));
    flooded.push(
      goodput(octets, () => {
        for (let slice = 0, sent = 0; slice < slices; slice++) {
          for (const due = ((slice + 1) * SYNS) / slices; sent < due; sent++) {
            server.receive(path?.id ?? 0, syns.next(), Checksum.Good);
          }
          stream.transfer(SLICE);
          most = Math.max(most, server.core.x.memoryUsed() - before);
        }
      }),
    );
  }
  report.add({
    case: `one connection, 100,000 SYNs in ${String(Math.round(octets / 1e6))} MB`,
    value: median(flooded),
    unit: 'Gbit/s',
    peer: 'the same without SYNs',
    peerValue: median(quiet),
  });
  report.add({ case: 'share left', value: median(flooded) / median(quiet), unit: '', limit: { least: 0.5 } });
  report.add({ case: 'memory taken', value: most, unit: 'octets', limit: { most: 4 << 20 } });
}

/** Slices that take one second of the processor, flood apart. */
function slicesPerSecond(stream: Stream): number {
  const trial = 256;
  stream.transfer(trial * SLICE);
  return Math.round(trial / processorSeconds(() => stream.transfer(trial * SLICE)));
}

/** Gbit per second of processor time. */
const goodput = (octets: number, work: () => void): number => (octets * 8e-9) / processorSeconds(work);
