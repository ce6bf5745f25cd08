/** The port of accepted connections: bound once on every path, for as long as there is a connection, and a while longer. */
import { expect } from 'chai';
import type { Device, Path } from '../../src/io/device.js';
import { World } from '../../src/sim/world.js';
import { SharedPorts } from '../../src/stack/shared-ports.js';

const LINGER = 2e6;
const PORT = 5000;

const path = (id: number): Path => ({
  id,
  name: `p${String(id)}`,
  address: `10.0.${String(id)}.1`,
  mtu: 1500,
});

describe('shared ports', () => {
  let world: World;
  let calls: string[];
  let ports: SharedPorts;

  beforeEach(() => {
    world = new World();
    calls = [];
    const device = {
      bind: (id: number, port: number, done: (error: null, port: number) => void) => {
        calls.push(`bind ${String(id)} ${String(port)}`);
        done(null, port);
      },
      unbind: (id: number, port: number) => calls.push(`unbind ${String(id)} ${String(port)}`),
    } as unknown as Device;
    const host = { timers: world, allPaths: () => [path(1), path(2)], deviceOf: () => device };
    ports = new SharedPorts(host, LINGER);
  });

  it('are bound with the first connection and given back a while after the last', () => {
    for (let i = 0; i < 3; i++) ports.hold(PORT);
    expect(calls.splice(0)).to.deep.equal(['bind 1 5000', 'bind 2 5000']);
    for (let i = 0; i < 3; i++) ports.release(PORT);
    world.runUntil(LINGER - 1);
    expect(calls).to.deep.equal([]);
    world.runUntil(LINGER);
    expect(calls).to.deep.equal(['unbind 1 5000', 'unbind 2 5000']);
  });

  it('stay bound when another connection comes meanwhile', () => {
    ports.hold(PORT);
    ports.release(PORT);
    world.runUntil(LINGER / 2);
    ports.hold(PORT);
    world.runUntil(2 * LINGER);
    expect(calls).to.deep.equal(['bind 1 5000', 'bind 2 5000']);
  });

  it('are bound on a path that comes later, and not given back on one that is gone', () => {
    ports.hold(PORT);
    calls.length = 0;
    ports.bindPath(path(3));
    expect(calls.splice(0)).to.deep.equal(['bind 3 5000']);
    ports.unbindPath(1);
    ports.release(PORT);
    world.runUntil(LINGER);
    expect(calls).to.deep.equal(['unbind 2 5000', 'unbind 3 5000']);
  });
});
