/** Coupled congestion control in a bottleneck that its subflows share with a plain flow (RFC 6356 section 2, goal 2). */
import { expect } from 'chai';
import { CFG_CC_MULTI, CFG_CC_SINGLE } from '../../assembly/abi.js';
import { CC_LIA, CC_RENO } from '../../assembly/cc/ids.js';
import { loadCore } from '../../src/core/load.js';
import { SeededRandom } from '../../src/core/random.js';
import { MemoryNetwork } from '../../src/io/memory.js';
import { PathManager } from '../../src/path/path-manager.js';
import { World } from '../../src/sim/world.js';
import { Stack } from '../../src/stack/stack.js';
import { Endpoint, address } from './pair.js';

const SECOND = 1e6;
const ENDLESS = 1e12;
/** 10 Mbit/s, 40 ms, and a queue of as many octets as that is. */
const LINK = { rate: 10e6, delay: 20_000, queue: 50_000 };

/** Octets of a connection over two subflows to those of a Reno flow beside it, between 10 and 40 seconds. */
async function shares(coupling: number): Promise<number> {
  const module = await loadCore('release');
  const world = new World();
  const network = new MemoryNetwork(world.clock);
  world.addNetwork(network);
  const link = network.connect(address(0, 1), address(0, 2), LINK);
  for (const path of [1, 2]) network.share(link, address(path, 1), address(path, 2));
  const host = (name: string, number: number, paths: readonly number[]): Stack => {
    const stack: Stack = new Stack({
      name,
      module,
      random: new SeededRandom(number),
      timers: world,
      wake: () => world.wake(stack),
      config: [
        [CFG_CC_SINGLE, CC_RENO],
        [CFG_CC_MULTI, coupling],
      ],
    });
    stack.policy = new PathManager(stack, 'laminar');
    world.addHost(stack);
    const device = network.device();
    stack.addDevice(device);
    const side = name === 'server' ? 2 : 1;
    for (const path of paths) {
      stack.addPath(device, { name: `path${path}`, address: address(path, side), mtu: 1500 });
    }
    return stack;
  };
  const server = host('server', 1, [0, 1, 2]);
  const flow = (client: Stack, port: number, path: number): Endpoint => {
    const near = new Endpoint(ENDLESS, 11, 22);
    const far = new Endpoint(0, 22, 11, false);
    server
      .listen(port, null, (connection) => far.attach(connection, true))
      .start((error) => expect(error).to.equal(null));
    client.connect(client.paths()[0]?.id ?? -1, 0, address(path, 2), port, (error, connection) => {
      expect(error).to.equal(null);
      if (connection !== null) near.attach(connection, false);
    });
    return far;
  };
  const two = flow(host('two', 2, [0, 1]), 5000, 0);
  const one = flow(host('one', 3, [2]), 5001, 2);
  world.runUntil(10 * SECOND);
  expect(two.connection?.liveSubflows().length).to.equal(2);
  const before = [two.received, one.received] as const;
  world.runUntil(40 * SECOND);
  expect(Math.max(two.mismatch, one.mismatch), 'wrong octets').to.equal(-1);
  return (two.received - before[0]) / (one.received - before[1]);
}

describe('two subflows and a plain flow in one bottleneck', () => {
  it('share it evenly with LIA', async () => {
    expect(await shares(CC_LIA)).to.be.within(0.75, 1.3);
  });

  it('do not without coupling', async () => {
    expect(await shares(CC_RENO)).to.be.above(1.6);
  });
});
