/** The driver of real time. */
import { expect } from 'chai';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '../../src/core/clock.js';
import { Driver } from '../../src/io/driver.js';
import { until } from '../support/until.js';

describe('driver', () => {
  it('lets what came in while the program stood still be read before a deadline counts as missed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plait-driver-'));
    const server = net.createServer().listen(join(folder, 'socket'));
    await once(server, 'listening');
    const sender = net.connect(join(folder, 'socket'));
    const [receiver] = (await once(server, 'connection')) as [net.Socket];
    const driver = new Driver(realClock);
    try {
      const events: string[] = [];
      receiver.on('data', () => events.push('packet'));
      const deadline = driver.now() + 10_000;
      driver.drive({
        run(now) {
          if (now < deadline) return deadline;
          events.push('deadline');
          return Infinity;
        },
      });
      driver.runNow();
      sender.write('x');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      await until(() => events.length === 2);
      expect(events).to.deep.equal(['packet', 'deadline']);
    } finally {
      driver.close();
      sender.destroy();
      receiver.destroy();
      server.close();
      await rm(folder, { recursive: true });
    }
  });
});
