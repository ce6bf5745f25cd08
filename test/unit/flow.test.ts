/** Pacing and buffers as options of host, connection and server. */
import { once } from 'node:events';
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { Core } from '../../src/core/core.js';
import { loadCore } from '../../src/core/load.js';
import { SeededRandom } from '../../src/core/random.js';
import { flowConfig, flowSettings } from '../../src/net/flow.js';
import { createHost } from '../../src/net/host.js';
import type { FlowOptions, Host } from '../../src/net/types.js';
import { until } from '../support/until.js';

const SIZE = 65536;

describe('pacing and buffers', () => {
  const hosts: Host[] = [];
  const newHost = async (options: FlowOptions = {}): Promise<Host> => {
    const host = await createHost({ device: 'udp', paths: ['127.0.0.1'], ...options });
    hosts.push(host);
    return host;
  };

  afterEach(() => Promise.all(hosts.splice(0).map((host) => host.close())));

  it('become settings that the core takes', async () => {
    const core = new Core(await loadCore('debug'), new SeededRandom(1));
    for (const options of [
      { pacing: true },
      { pacing: false },
      { pacing: 125_000, sendBuffer: 1, receiveBuffer: 2 ** 28 },
    ]) {
      for (const [key, value] of flowConfig(options)) expect(core.x.configure(key, value)).to.equal(0);
      expect(core.create(0, flowSettings(options))).to.be.above(0);
    }
    expect(flowSettings({})).to.deep.equal([]);
    expect(flowSettings({ sendBuffer: 65537 })).to.deep.equal([[abi.OPT_SNDBUF_MAX, 131072]]);
  });

  it('are refused where they make no sense', async () => {
    for (const bad of [{ pacing: 0 }, { pacing: 1.5 }, { sendBuffer: 0 }, { receiveBuffer: 2 ** 29 }]) {
      expect(() => flowSettings(bad), JSON.stringify(bad)).to.throw(/EINVAL|; give/);
    }
    const [error] = await Promise.allSettled([newHost({ pacing: NaN })]);
    expect(error).to.containSubset({ status: 'rejected', reason: { code: 'EINVAL' } });
  });

  /** Octets that a connection takes while nobody reads at the other end, `least` at least. */
  async function taken(
    least: number,
    client: FlowOptions,
    server: FlowOptions,
    host: FlowOptions = {},
  ): Promise<number> {
    const [one, other] = [await newHost(host), await newHost(host)];
    const listening = one.createServer((accepted) => accepted.on('error', () => undefined));
    listening.listen(0, '127.0.0.1', server);
    await once(listening, 'listening');
    const socket = other.connect({ host: '127.0.0.1', port: listening.port, ...client });
    socket.on('error', () => undefined);
    socket.write(new Uint8Array(1 << 20));
    const written = (): number => socket.info().bytesWritten;
    await until(
      () => written() >= least,
      () => `${String(written())} of ${String(least)} octets`,
    );
    // Whether it takes more is seen in a while only.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const octets = written();
    socket.resetAndDestroy();
    return octets;
  }

  it('hold back a writer, as options of connect and listen', async () => {
    expect(await taken(SIZE, { sendBuffer: SIZE }, { receiveBuffer: SIZE })).to.be.at.most(2 * SIZE);
  });

  it('hold back a writer, as options of the host', async () => {
    expect(await taken(SIZE, {}, {}, { sendBuffer: SIZE, receiveBuffer: SIZE })).to.be.at.most(2 * SIZE);
    await taken(2 * SIZE + 1, {}, {});
  });
});
