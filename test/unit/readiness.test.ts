/** From a readable socket to a run of the stack: exceptions on the way, and which packets wait for the turn to end. */
import { expect } from 'chai';
import { loadCore } from '../../src/core/load.js';
import { SeededRandom } from '../../src/core/random.js';
import { Checksum } from '../../src/io/device.js';
import { loadNative } from '../../src/io/native.js';
import { World } from '../../src/sim/world.js';
import { Stack } from '../../src/stack/stack.js';
import { until } from '../support/until.js';

const native = await loadNative().catch(() => null);
const LOCALHOST = Uint8Array.of(127, 0, 0, 1);

/** Collects what nobody catches while `act` runs. */
async function uncaughtOf(act: (caught: string[]) => Promise<void>): Promise<string[]> {
  const others = process.listeners('uncaughtException');
  const caught: string[] = [];
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error.message));
  try {
    await act(caught);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return caught;
}

describe('readiness', () => {
  it('goes on after a callback has thrown, and the exception is nobody else’s', async function () {
    if (native === null) this.skip();
    const fd = native.datagramSocket(LOCALHOST, 0, 0);
    const sender = native.datagramSocket(LOCALHOST, 0, 0);
    const name = Buffer.from([2, 0, 0, 0, ...LOCALHOST, 0, 0, 0, 0, 0, 0, 0, 0]);
    name.writeUInt16BE(native.localPort(fd), 2);
    const target = new Uint8Array(64);
    let readable = 0;
    const watch = native.watch(
      fd,
      () => {
        native.receive(fd, target);
        if (++readable === 1) throw new Error('a handler of the program');
      },
      () => undefined,
    );
    const caught = await uncaughtOf(async (soFar) => {
      native.sendTo(sender, target, 1, name);
      await until(() => soFar.length === 1);
      native.sendTo(sender, target, 1, name);
      await until(() => readable === 2);
    });
    expect(caught).to.deep.equal(['a handler of the program']);
    watch.close();
    native.close(fd);
    native.close(sender);
  });

  it('has two packets handled at once, and more at the end of the turn', async () => {
    const world = new World();
    const calls: string[] = [];
    const stack = new Stack({
      name: 'stack',
      module: await loadCore('debug'),
      random: new SeededRandom(1),
      timers: world,
      wake: () => calls.push('wake'),
      runNow: () => {
        calls.push('run');
        stack.run(world.now());
      },
    });
    const arrive = (packets: number): string[] => {
      const ring = stack.receiveRing;
      expect(ring.reserve(64, packets)).to.equal(packets);
      const { first } = ring;
      for (let i = 0; i < packets; i++) ring.commit(1, first + i * 64, 40, Checksum.Good, 0);
      stack.batchOver();
      return calls.splice(0);
    };
    stack.batchOver();
    expect(calls).to.deep.equal([]);
    expect(arrive(2)).to.deep.equal(['run']);
    expect(stack.core.rxPending).to.equal(0);
    expect(arrive(3)).to.deep.equal(['wake']);
    expect(stack.core.rxPending).to.equal(3);
  });
});
