import { expect } from 'chai';
import { MemoryNetwork, type DuplexOptions, type MemoryDevice } from '../../src/io/memory.js';
import { SimulationError, World, type VirtualHost, type VirtualNetwork } from '../../src/sim/world.js';
import { RecordingHost, attachNow, path } from './recording-host.js';
import { outPacket, tcpPacket } from './tcp-packet.js';

describe('sim/world', () => {
  it('moves the clock from one event to the next', () => {
    const world = new World(100);
    const log: number[] = [];
    world.at(300, () => log.push(world.now()));
    world.at(200, () => log.push(world.now()));
    world.at(50, () => log.push(world.now())); // in the past: now
    expect(world.runUntil(1000)).to.equal(1000);
    expect(log).to.deep.equal([100, 200, 300]);
    expect(world.clock.now()).to.equal(1000);
  });

  it('includes events at the goal and none after it', () => {
    const world = new World();
    const log: number[] = [];
    for (const time of [9, 10, 11]) world.at(time, () => log.push(time));
    world.runUntil(10);
    expect(log).to.deep.equal([9, 10]);
    world.runUntil(Infinity);
    expect(log).to.deep.equal([9, 10, 11]);
    expect(world.now()).to.equal(11);
  });

  it('runs actions, then networks, then hosts, each in the order of their making', () => {
    const world = new World();
    const log: string[] = [];
    const host = (name: string): VirtualHost => ({
      name,
      run: (now) => {
        log.push(`${name}@${String(now)}`);
        return now < 10 ? 10 : Infinity;
      },
    });
    const network = (name: string): VirtualNetwork => {
      let next = 10;
      return {
        nextDelivery: () => next,
        deliver: () => {
          log.push(name);
          next = Infinity;
          return 1;
        },
      };
    };
    world.addHost(host('b'));
    world.addHost(host('a'));
    world.addNetwork(network('n2'));
    world.addNetwork(network('n1'));
    world.at(10, () => log.push('x'));
    world.at(10, () => log.push('y'));
    world.runUntil(20);
    expect(log).to.deep.equal(['b@0', 'a@0', 'x', 'y', 'n2', 'n1', 'b@10', 'a@10']);
  });

  it('lets an action schedule another for the same instant, and cancels', () => {
    const world = new World();
    const log: string[] = [];
    world.at(5, () => {
      log.push('first');
      world.at(5, () => log.push('second'));
      cancel();
    });
    const cancel = world.at(5, () => log.push('never'));
    const late = world.at(6, () => log.push('late'));
    world.runUntil(7);
    late();
    expect(log).to.deep.equal(['first', 'second', 'late']);
  });

  it('never calls an action from within `at`', () => {
    const world = new World();
    let called = false;
    world.at(0, () => (called = true));
    expect(called).to.equal(false);
    world.runUntil(0);
    expect(called).to.equal(true);
  });

  it('runs a woken host within the same instant, also one that wakes itself', () => {
    const world = new World();
    const log: string[] = [];
    let wakes = 2;
    const a: VirtualHost = {
      name: 'a',
      run: (now) => {
        log.push(`a${String(now)}`);
        if (wakes-- > 0) world.wake(a);
        return Infinity;
      },
    };
    const b: VirtualHost = {
      name: 'b',
      run: (now) => {
        log.push(`b${String(now)}`);
        return Infinity;
      },
    };
    world.addHost(a);
    world.addHost(b);
    world.runUntil(10);
    expect(log).to.deep.equal(['a0', 'b0', 'a0', 'a0']);
    log.length = 0;
    world.at(20, () => {
      world.wake(b);
    });
    world.runUntil(30);
    expect(log).to.deep.equal(['b20']);
    world.removeHost(b);
    world.wake(b);
    expect(world.nextEvent()).to.equal(Infinity);
  });

  it('stops as soon as the condition is true', () => {
    const world = new World();
    let count = 0;
    for (let i = 0; i < 5; i++) world.at(7, () => count++);
    world.runUntil(() => count === 3);
    expect([count, world.now()]).to.deep.equal([3, 7]);
    world.runUntil(() => true);
    expect(count).to.equal(3);
  });

  it('reports a livelock with time and steps', () => {
    const world = new World();
    world.addHost({ name: 'idler', run: () => Infinity });
    world.addHost({ name: 'spinner', run: (now) => (now < 40 ? 40 : now) });
    const error = caught(() => world.runUntil(1000, { maxSteps: 500 }));
    expect(error).to.include({ code: 'ERR_SIM_STEPS', time: 40, steps: 500 });
    expect(error.message).to.match(/at 40 us after 500 steps; idler idle, spinner due now/);
  });

  it('reports a livelock of actions', () => {
    const world = new World();
    const again = (): void => {
      world.at(0, again);
    };
    again();
    expect(caught(() => world.runUntil(1, { maxSteps: 100 }))).to.include({
      code: 'ERR_SIM_STEPS',
      steps: 100,
    });
  });

  it('reports a condition that does not come true', () => {
    const world = new World();
    expect(caught(() => world.runUntil(() => false)).code).to.equal('ERR_SIM_IDLE');
    world.addHost({ name: 'ticker', run: (now) => now + 1000 });
    const error = caught(() => world.runUntil(() => false, { maxTime: 1e6 }));
    expect(error).to.include({ code: 'ERR_SIM_TIME', time: 1e6 });
  });

  it('reports a host whose deadline is not a number', () => {
    const world = new World();
    world.addHost({ name: 'broken', run: () => NaN });
    const error = caught(() => world.runUntil(1));
    expect(error.code).to.equal('ERR_SIM_DEADLINE');
    expect(error.message).to.match(/broken/);
  });

  it('repeats a run of hosts over lossy links exactly', () => {
    const options = { rate: 10e6, delay: 5000, jitter: 2000, loss: 0.05, reorder: 0.02, duplicate: 0.02 };
    const first = pingPong(options, 1);
    expect(first.length).to.be.greaterThan(500);
    expect(pingPong(options, 1)).to.deep.equal(first);
    expect(pingPong(options, 2)).not.to.deep.equal(first);
  });
});

function caught(run: () => unknown): SimulationError {
  try {
    run();
  } catch (error) {
    if (error instanceof SimulationError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Two hosts that answer each packet and start a new one every 20 ms; returns the log of all receptions. */
function pingPong(options: DuplexOptions, seed: number): string[] {
  const world = new World();
  const network = new MemoryNetwork(world.clock, { seed });
  network.connect('10.0.0.1', '10.0.0.2', options);
  world.addNetwork(network);
  const log: string[] = [];
  for (const [name, source, destination] of [
    ['a', '10.0.0.1', '10.0.0.2'],
    ['b', '10.0.0.2', '10.0.0.1'],
  ] as const) {
    const player = new Player(name, network.device(), log, tcpPacket({ source, destination, payload: 500 }));
    attachNow(player.device, path(0, source));
    player.device.onInput = () => {
      world.wake(player);
    };
    world.addHost(player);
  }
  world.runUntil(2e6);
  return log;
}

class Player implements VirtualHost {
  readonly #host = new RecordingHost();
  #next = 0;

  constructor(
    readonly name: string,
    readonly device: MemoryDevice,
    private readonly log: string[],
    private readonly packet: Uint8Array,
  ) {
    device.open(this.#host);
  }

  run(now: number): number {
    for (let received = this.#host.received.shift(); received; received = this.#host.received.shift()) {
      this.log.push(`${this.name} ${String(now)}`);
      this.device.send(0, outPacket(this.packet));
    }
    if (now >= this.#next) {
      this.#next = now + 20_000;
      this.device.send(0, outPacket(this.packet));
    }
    return this.#next;
  }
}
