/** Nothing is allocated per packet: neither in the cores' memory nor by JavaScript, through both stacks. */
import { expect } from 'chai';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { Stream } from '../../bench/stream.js';
import type { HostsOptions } from '../../bench/two-hosts.js';

const PACKETS = 1e6;
/** What one round moves; young enough garbage of it has not been collected when it is measured. */
const ROUND = 8 << 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;

describe('a million packets from application to application', function () {
  this.timeout(60_000);

  const cases: readonly (readonly [string, HostsOptions])[] = [
    ['without checksums', {}],
    ['with TCP and DSS checksums', { tcpChecksum: true, config: [[CFG_CHECKSUM, 1]] }],
  ];
  for (const [name, options] of cases) {
    it(name, async () => {
      const stream = await Stream.open(options);
      const { client, server } = stream.hosts;
      const linear = (): number[] =>
        [client, server].flatMap(({ core }) => [core.x.memoryUsed(), core.memoryBytes]);
      const before = linear();
      const rounds: number[] = [];
      const until = stream.segments + PACKETS;
      while (stream.segments < until) {
        collect();
        const [heap, segments] = [process.memoryUsage().heapUsed, stream.segments];
        stream.transfer(ROUND);
        rounds.push((process.memoryUsage().heapUsed - heap) / (stream.segments - segments));
      }
      expect(linear()).to.deep.equal(before);
      // Views of whole batches and the events of a turn: a few octets per packet. A view each would be a hundred.
      expect(median(rounds), 'octets of JavaScript per packet').to.be.below(40);
    });
  }
});
