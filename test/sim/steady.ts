/**
 * Moves a million packets from application to application, as a program of its own: what other tests leave in the heap, and how
 * the engine has compiled the same code for them, must not count. `node steady.js [checksums]` prints `Steady` as JSON.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { Stream } from '../../bench/stream.js';

export interface Steady {
  /** Octets of the cores' memory in use, and its size, of both sides, before and after. */
  readonly before: number[];
  readonly after: number[];
  /** Octets that JavaScript allocates per packet. */
  readonly allocated: number;
}

const PACKETS = 1e6;
/** What one round moves; young enough garbage of it has not been collected when it is measured. */
const ROUND = 8 << 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const checksums = process.argv[2] === 'checksums';
const stream = await Stream.open(checksums ? { tcpChecksum: true, config: [[CFG_CHECKSUM, 1]] } : {});
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
const allocated = rounds.sort((a, b) => a - b)[rounds.length >> 1] ?? NaN;
console.log(JSON.stringify({ before, after: linear(), allocated } satisfies Steady));
