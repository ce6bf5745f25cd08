/** Seeded middleboxes that change headers and options, cut the stream anew, or forget; octets stay as they are. */
import { SeededRandom } from '../../src/core/random.js';
import {
  clampMss,
  padOptions,
  rebind,
  reorderOptions,
  repeatOptions,
  resetOld,
  signals,
  stripTcp,
  swap,
  zeroChecksums,
} from '../middlebox/options.js';
import {
  echoOptions,
  inOrderOnly,
  isSyn,
  optionsAhead,
  repeatSyn,
  resegment,
  shrinkWindow,
  type Direction,
  type Script,
} from '../middlebox/scripts.js';

export interface Box {
  readonly name: string;
  readonly script: Script;
  /** Whether it changes octets. */
  readonly alters: boolean;
  /** How many times the cost of one retransmission it may take; 1 when absent. */
  readonly times?: number;
  /** Whether the only subflow may have to be replaced. */
  readonly breaks?: boolean;
  /** Beside another box or losses it leaves nothing to be done. */
  readonly alone?: boolean;
  /** A connection may have to end with an error: mappings vanish, or the last DATA_ACK does. */
  readonly fatal?: boolean;
  /** The share of packets that the paths lose as well. */
  readonly loss?: number;
}

export function headerBox(random: SeededRandom): Box {
  const way: Direction = random.unit() < 0.5 ? 'up' : 'down';
  const n = random.int(1, 80);
  const few = random.int(1, 12);
  const own = new SeededRandom(random.u32());
  const box = (name: string, script: Script, more: Partial<Box> = {}): Box => ({
    name: `${name}, ${way}, ${String(n)}, ${String(few)}`,
    script,
    alters: false,
    ...more,
  });
  const syn = (segment: Parameters<Script>[0], direction: Direction): boolean =>
    isSyn(segment) && direction === way;
  const late = (): ((segment: Parameters<Script>[0], direction: Direction) => boolean) => {
    let count = 0;
    return (segment, direction) => direction === way && !isSyn(segment) && count++ >= n;
  };
  const always = (segment: Parameters<Script>[0], direction: Direction): boolean =>
    direction === way && !isSyn(segment);
  const boxes: (() => Box)[] = [
    () => box('reorders options', reorderOptions(way, own)),
    () => box('repeats options', repeatOptions(way)),
    () => box('pads options', padOptions(way, few)),
    () => box('takes timestamps from SYNs', stripTcp(['ts'], syn)),
    () => box('takes timestamps from others', stripTcp(['ts'], always)),
    () => box('takes timestamps later', stripTcp(['ts'], late())),
    () => box('takes SACK from SYNs', stripTcp(['sackOk'], syn)),
    () => box('takes SACK blocks', stripTcp(['sack'], always)),
    // One side believes in a scale: what it says of its window is not what the other understands.
    () => box('takes the window scale', stripTcp(['scale'], syn), { times: Infinity }),
    () =>
      box('takes all options of TCP', stripTcp(['mss', 'scale', 'sackOk', 'ts'], syn), { times: Infinity }),
    () => box('clamps MSS', clampMss(way, 88 + n * 16)),
    () => box('takes signals', signals(way, 0)),
    () => box('repeats signals', signals(way, 2)),
    () => box('checksums 0', zeroChecksums(way, n - 1)),
    () => box('resets what is old', resetOld(way, n * 1000)),
    () => box('rebinds', rebind(n + 4), { breaks: true, fatal: true, alone: true, times: Infinity }),
    () => box('swaps', swap(way, few), { alone: true }),
    () => box('cuts anew', resegment(way, n * 10)),
    // The new data by which F-RTO looks for a spurious timeout is lost as well.
    () => box('in order only', inOrderOnly(way, [n]), { times: 3 }),
    () => box('shrinks windows', shrinkWindow(way, few)),
    () => box('echoes options', echoOptions()),
    () => box('repeats SYNs', repeatSyn()),
    () => box('sends options ahead', optionsAhead(way)),
  ];
  const made = boxes[random.int(0, boxes.length - 1)];
  if (made === undefined) throw new Error('no box');
  return made();
}
