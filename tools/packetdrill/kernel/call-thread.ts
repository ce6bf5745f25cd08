/**
 * The thread that makes the socket calls, so that one may block while packets come and go. Main thread and this one
 * share `CallBlock`; the main thread hears of an end by an event descriptor that it polls beside the device.
 */
import { workerData } from 'node:worker_threads';
import { CallBlock, State } from './call-block.js';
import { loadLibc, pointer } from './libc.js';

const libc = loadLibc();
const block = new CallBlock(workerData as SharedArrayBuffer);
const one = Buffer.alloc(8);
one.writeBigUInt64LE(1n);

block.thread = libc.call('gettid');
block.state = State.Idle;
for (;;) {
  const state = block.waitWhile(State.Idle, State.Done);
  if (state === State.Stop) break;
  const [name, args] = block.request;
  block.state = State.Running;
  block.answer(libc.call(name, ...args), process.hrtime.bigint());
  block.state = State.Done;
  libc.call('write', block.event, pointer(one), 8);
}
