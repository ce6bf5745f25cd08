/**
 * An interface that gets another MTU or name, or is made anew with its address, under a plain TCP connection: as on Linux
 * the connection goes on, although it has no other path.
 */
import { expect } from 'chai';
import { KernelPeer } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces, type Namespace } from './netns.js';
import { expectWhole, KEEP_BACK, PACED, PACED_SIZE, PlaitPeer } from './plait-peer.js';

const PORT = 5001;

describe('an interface that changes under plain TCP', () => {
  let bench: Bench;
  let a: Namespace;
  let b: Namespace;

  before(function () {
    skipWithoutNamespaces(this);
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 1 });
    ({ a, b } = bench);
  });

  afterEach(async () => {
    await bench?.close();
  });

  const link = (side: Namespace, command: string): Promise<string> =>
    side.run('ip', 'link', ...command.split(' '));

  /** Older kernels rename only what is down. */
  async function rename(): Promise<void> {
    for (const command of ['p0 down', 'p0 name q0', 'q0 up']) await link(a, `set ${command}`);
  }

  /** The same addresses on another pair of interfaces with the same name. */
  async function makeAnew(): Promise<void> {
    await link(a, 'delete p0');
    await link(a, `add p0 type veth peer name p0 netns ${b.name}`);
    await Promise.all([a, b].map((side) => side.setLink(0, true)));
  }

  for (const device of ['packet', 'raw']) {
    for (const [what, change, name] of [
      ['a smaller MTU', () => Promise.all([a, b].map((side) => link(side, 'set p0 mtu 1300'))), 'p0'],
      ['a larger MTU', () => Promise.all([a, b].map((side) => link(side, 'set p0 mtu 9000'))), 'p0'],
      ['another name', rename, 'q0'],
      ['been made anew', makeAnew, 'p0'],
    ] as const) {
      it(`it has ${what}, ${device}`, async () => {
        const server = new KernelPeer(b, 'server', '', PORT, ...PACED, ...KEEP_BACK, '--seed', 'down');
        await server.port();
        const options = [
          '--device',
          device,
          '--tcp',
          '--path',
          a.address(0),
          '--tell',
          ...PACED,
          '--seed',
          'up',
        ];
        const client = new PlaitPeer(a, 'client', b.address(0), PORT, ...options);
        await client.process.says('created');
        await client.process.paused(change);
        await server.process.passGate();
        const [up, down] = await Promise.all([client.report(), server.report()]);
        expectWhole(up, 'down', PACED_SIZE);
        expectWhole(down, 'up', PACED_SIZE);
        expect(up.info.subflows.map(({ pathName }) => pathName)).to.deep.equal([name]);
      });
    }
  }
});
