/**
 * Nanoseconds in the core per segment, sent and received.
 *
 * The exports `input` and `poll` of both hosts are wrapped in a clock. The application writes a batch only when
 * everything before it is acknowledged, so each call has one purpose: the sender's `poll` builds data segments
 * and nothing else, the receiver's `input` takes them (and acknowledges what came in one call at its end),
 * the sender's `input` takes acknowledgements and has nothing new to send. Copies of payload: none when sending,
 * one (into the receive ring) when receiving; gathering and the application's copies happen outside these calls.
 * The median over batches is immune to interruptions; the clock's own cost is spread over a batch.
 */
import { MIB_InSegs } from '../assembly/mib.js';
import type { CoreExports } from '../src/core/exports.js';
import type { Stack } from '../src/stack/stack.js';
import { median, type Report } from './report.js';
import { Stream } from './stream.js';

const BATCHES = 3000;
const BATCH_OCTETS = 120 * 1420;

interface Watch {
  input: number;
  poll: number;
  packets: number;
}

/** Lets the core's exports go through a stop-watch. */
function watch(stack: Stack): Watch {
  const seen: Watch = { input: 0, poll: 0, packets: 0 };
  const { x } = stack.core;
  const timed: CoreExports = { ...x };
  timed.input = (now, from, n) => {
    const start = process.hrtime.bigint();
    const result = x.input(now, from, n);
    seen.input += Number(process.hrtime.bigint() - start);
    return result;
  };
  timed.poll = (now) => {
    const before = x.txPending();
    const start = process.hrtime.bigint();
    const result = x.poll(now);
    const took = Number(process.hrtime.bigint() - start);
    const sent = x.txPending() - before;
    // Calls that find nothing to do belong to no segment.
    if (sent > 0) seen.poll += took;
    seen.packets += sent;
    return result;
  };
  Object.defineProperty(stack.core, 'x', { value: timed });
  return seen;
}

export async function measureSegments(report: Report): Promise<void> {
  const stream = await Stream.open();
  const { client, server } = stream.hosts;
  const sender = watch(client);
  const receiver = watch(server);
  const sent: number[] = [];
  const received: number[] = [];
  const acknowledged: number[] = [];
  for (let i = 0; i < BATCHES; i++) {
    const data = server.core.counter(MIB_InSegs);
    Object.assign(sender, { input: 0, poll: 0, packets: 0 });
    Object.assign(receiver, { input: 0, poll: 0, packets: 0 });
    stream.transfer(BATCH_OCTETS);
    // The last acknowledgements are still on their way.
    for (let turn = 0; turn < 2; turn++) stream.hosts.turn();
    sent.push(sender.poll / sender.packets);
    received.push(receiver.input / (server.core.counter(MIB_InSegs) - data));
    acknowledged.push(sender.input / sender.packets);
  }
  report.add({ case: 'data segment sent, core', value: median(sent), unit: 'ns' });
  report.add({ case: 'data segment received, core', value: median(received), unit: 'ns' });
  report.add({ case: 'data segment acknowledged, core', value: median(acknowledged), unit: 'ns' });
}
