import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { loadCore } from '../../src/core/load.js';
import { Core } from '../../src/core/core.js';
import { SeededRandom } from '../../src/core/random.js';
import { resourceConfig } from '../../src/net/resources.js';
import type { ResourceLimits } from '../../src/net/types.js';

describe('limits of resources', () => {
  it('become settings that the core takes', async () => {
    const { x } = new Core(await loadCore('debug'), new SeededRandom(1));
    const limits: ResourceLimits = {
      ...{ memory: 1 << 24, heldPerConnection: 65536, held: 1 << 20, ranges: 10, mappings: 10, signals: 4 },
      ...{ reinjections: 5, segments: 100, privateCopies: 65536, timeWait: 7, halfOpen: 8, pendingJoins: 9 },
      resetsPerSecond: 0,
    };
    const config = resourceConfig(limits);
    expect(config).to.have.length(Object.keys(limits).length);
    expect(config).to.deep.include([abi.CFG_TIME_WAIT_MAX, 7]);
    for (const [key, value] of config) expect(x.configure(key, value), String(key)).to.equal(0);
  });

  it('refuse names and values that make no sense', () => {
    for (const bad of [
      { ranges: 0 },
      { ranges: 1.5 },
      { memory: 2 ** 40 },
      { mappings: NaN },
      { toString: 1 },
      { x: 1 },
    ]) {
      expect(() => resourceConfig(bad), JSON.stringify(bad)).to.throw(/limit/);
    }
  });

  it('refuse in the core what is out of range, too', async () => {
    const { x } = new Core(await loadCore('debug'), new SeededRandom(1));
    for (const value of [0, -1, NaN, 2 ** 40])
      expect(x.configure(abi.CFG_RANGES_MAX, value)).to.equal(abi.E_INVAL);
  });
});
