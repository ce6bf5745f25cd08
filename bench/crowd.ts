/**
 * Ten thousand connections with two subflows each in one stack: the memory of each, what they cost at rest, and what a
 * transfer over one more connection reaches among them, against the same transfer alone. Both stacks live in this
 * process, so JavaScript's memory is halved.
 */
import { heapUsed, processorSeconds } from './measure.js';
import { median, type Report } from './report.js';
import { Stream } from './stream.js';
import type { TwoHosts } from './two-hosts.js';
import { openMany } from './visits.js';

const MANY = 10_000;
/** Opened at once; in between, ports that are used no more become free. */
const BATCH = 2500;
const REST = 3e6;
const RUNS = 7;
const RUN_OCTETS = 64 << 20;
/** Seconds at rest, in steps of a tenth. */
const IDLE = 60;
const STEPS = 10;

export async function crowd(report: Report): Promise<void> {
  const alone = await Stream.open();
  const among = await Stream.open();
  const { hosts } = among;
  const cores = (): number[] => [hosts.client, hosts.server].map(({ core }) => core.x.memoryUsed());
  const empty = [...cores(), heapUsed()];
  for (let opened = 0; opened < MANY; opened += BATCH) {
    openMany(hosts, BATCH);
    rest(hosts, REST);
  }
  const each = [...cores(), heapUsed()].map((octets, i) => (octets - (empty[i] ?? 0)) / MANY);
  const [opener = NaN, listener = NaN, script = NaN] = each;
  const unit = 'octets each';
  report.add({ case: '10,000 connections: core, opener', value: opener, unit, limit: { most: 8192 } });
  report.add({ case: '10,000 connections: core, listener', value: listener, unit, limit: { most: 8192 } });
  report.add({
    case: '10,000 connections: JavaScript, one end',
    value: script / 2,
    unit,
    limit: { most: 8192 },
  });

  rest(hosts, 300e6); // nothing is left of how they began
  const idle = processorSeconds(() => {
    for (let step = 0; step < IDLE * STEPS; step++) rest(hosts, 1e6 / STEPS);
  });
  const busy = (idle / IDLE) * 1000;
  report.add({
    case: '10,000 connections: at rest, both ends',
    value: busy,
    unit: 'ms per second',
    limit: { most: 10 },
  });

  const gigabits = (stream: Stream): number =>
    (RUN_OCTETS * 8e-9) / processorSeconds(() => stream.transfer(RUN_OCTETS));
  const crowded: number[] = [];
  const lonely: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    crowded.push(gigabits(among));
    lonely.push(gigabits(alone));
  }
  report.add({
    case: 'one transfer among 10,000 connections',
    value: median(crowded),
    unit: 'Gbit/s',
    peer: 'the same alone',
    peerValue: median(lonely),
    limit: { leastRatio: 0.8 },
  });
}

/** Time passes without data. */
function rest(hosts: TwoHosts, microseconds: number): void {
  hosts.clock.advance(microseconds);
  hosts.turn();
}
