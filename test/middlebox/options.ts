/**
 * Middleboxes that change TCP options or headers and leave the octets alone: normalisers, and boxes that know nothing of
 * Multipath TCP. Scripts as in scripts.ts.
 */
import type { SeededRandom } from '../../src/core/random.js';
import { buildPacket, parsePacket, type ParsedSegment, type Segment } from '../packet/segment.js';
import { isSyn, stripped, type Direction, type Script } from './scripts.js';

const ROOM = 40;

/** Options of a segment, each as hex, without padding. */
function optionsOf({ raw }: ParsedSegment): string[] {
  const octets = Buffer.from(raw, 'hex');
  const list: string[] = [];
  for (let at = 0; at < octets.length && octets[at] !== 0;) {
    const length = octets[at] === 1 ? 1 : (octets[at + 1] ?? 0);
    if (octets[at] !== 1) list.push(octets.toString('hex', at, at + length));
    at += length;
  }
  return list;
}

const octetsOf = (options: readonly string[]): number => options.join('').length / 2;

/** Packets that grow need room below the MTU. */
const roomy = (segment: ParsedSegment): Segment => ({ ...segment, mss: Math.min(segment.mss ?? 1400, 1400) });

/** The same segment with these options, unless there are too many. */
const withOptions = (segment: ParsedSegment, options: readonly string[]): Segment =>
  octetsOf(options) > ROOM ? segment : { ...segment, exactly: options.join('') };

/** Options in another order, on every segment another one. */
export const reorderOptions =
  (which: Direction, random: SeededRandom): Script =>
  (segment, direction) => {
    if (direction !== which) return [{ segment, direction }];
    const options = optionsOf(segment);
    for (let i = options.length - 1; i > 0; i--) {
      const j = random.int(0, i);
      [options[i], options[j]] = [options[j] ?? '', options[i] ?? ''];
    }
    return [{ segment: withOptions(segment, options), direction }];
  };

/** Every Multipath option twice, where there is room. */
export const repeatOptions =
  (which: Direction): Script =>
  (segment, direction) => {
    if (isSyn(segment)) return [{ segment: roomy(segment), direction }];
    if (direction !== which) return [{ segment, direction }];
    const options = optionsOf(segment).flatMap((one) => (one.startsWith('1e') ? [one, one] : [one]));
    return [{ segment: withOptions(segment, options), direction }];
  };

/** NOPs before every option, as many as there is room for. */
export const padOptions =
  (which: Direction, most: number): Script =>
  (segment, direction) => {
    if (isSyn(segment)) return [{ segment: roomy(segment), direction }];
    if (direction !== which) return [{ segment, direction }];
    let left = ROOM - octetsOf(optionsOf(segment));
    const options = optionsOf(segment).map((one) => {
      const n = Math.min(left, most);
      left -= n;
      return '01'.repeat(n) + one;
    });
    return [{ segment: withOptions(segment, options), direction }];
  };

/** Takes TCP's own options away where `where` says so. */
export const stripTcp =
  (
    names: readonly ('mss' | 'scale' | 'sackOk' | 'sack' | 'ts')[],
    where: (segment: ParsedSegment, direction: Direction) => boolean,
  ): Script =>
  (segment, direction) => {
    if (!where(segment, direction)) return [{ segment, direction }];
    return [{ segment: { ...segment, ...Object.fromEntries(names.map((name) => [name, null])) }, direction }];
  };

/** Smaller segments than either host asked for. */
export const clampMss =
  (which: Direction, mss: number): Script =>
  (segment, direction) => [
    {
      segment:
        isSyn(segment) && direction === which
          ? { ...segment, mss: Math.min(mss, segment.mss ?? mss) }
          : segment,
      direction,
    },
  ];

/** Takes away what tells of addresses and priorities, or sends it twice. */
export const signals =
  (which: Direction, copies: 0 | 2): Script =>
  (segment, direction) => {
    const signal = segment.add !== null || segment.remove !== null || segment.prio !== null;
    if (direction !== which || !signal) return [{ segment, direction }];
    const once = { segment, direction };
    return copies === 2
      ? [once, once]
      : [{ segment: { ...segment, add: null, remove: null, prio: null }, direction }];
  };

/** DSS checksums that are there become 0. */
export const zeroChecksums = (which: Direction, n: number): Script => {
  let order = 0;
  return (segment, direction) => {
    const { dss, capable } = segment;
    if (direction !== which || (dss?.checksum ?? capable?.checksum) === undefined || order++ < n)
      return [{ segment, direction }];
    if (capable?.checksum !== undefined)
      return [{ segment: { ...segment, capable: { ...capable, checksum: 0 } }, direction }];
    return [{ segment: { ...segment, dss: { ...dss, checksum: 0 } }, direction }];
  };
};

/** Answers what it has seen before with a RST that lies `behind` the window, in the name of the receiver. */
export const resetOld = (which: Direction, behind: number): Script => {
  let edge: number | null = null;
  return (segment, direction) => {
    if (direction !== which || segment.data.length === 0) return [{ segment, direction }];
    const end = (segment.seq + segment.data.length) >>> 0;
    const old = edge !== null && ((end - edge) | 0) <= 0;
    if (!old) edge = end;
    if (!old) return [{ segment, direction }];
    const { source, destination, sourcePort, destinationPort } = segment;
    const reset: Segment = {
      ...stripped(segment),
      ...{
        source: destination,
        destination: source,
        sourcePort: destinationPort,
        destinationPort: sourcePort,
      },
      ...{
        flags: 'R',
        seq: (segment.ack - behind) >>> 0,
        ack: 0,
        data: Buffer.alloc(0),
        ts: null,
        sack: null,
      },
    };
    return [
      { segment, direction },
      { segment: reset, direction: which === 'up' ? 'down' : 'up' },
    ];
  };
};

/**
 * A NAT that forgets, once, `n` segments after the first DSS came back (before, nothing could take the subflow's place):
 * what follows goes out from another port, and only that comes back.
 */
export const rebind = (n: number): Script => {
  const away = new Map<number, number>();
  const back = new Map<number, number>();
  let count = 0;
  let begun = false;
  return (segment, direction) => {
    if (direction === 'up') {
      const known = away.has(segment.sourcePort);
      if ((begun && count++ === n) || !known) {
        const port = known ? 20_000 + (segment.sourcePort % 10_000) : segment.sourcePort;
        back.delete(away.get(segment.sourcePort) ?? 0);
        away.set(segment.sourcePort, port);
        back.set(port, segment.sourcePort);
      }
      return [
        {
          segment: { ...segment, sourcePort: away.get(segment.sourcePort) ?? segment.sourcePort },
          direction,
        },
      ];
    }
    begun ||= segment.dss !== null;
    const port = back.get(segment.destinationPort);
    if (port === undefined && isSyn(segment)) return [{ segment, direction }];
    return port === undefined ? [] : [{ segment: { ...segment, destinationPort: port }, direction }];
  };
};

/** Swaps every `n`-th segment with the next of its direction. */
export const swap = (which: Direction, n: number): Script => {
  let waiting: ParsedSegment | null = null;
  let order = 0;
  return (segment, direction) => {
    if (direction !== which || isSyn(segment)) return [{ segment, direction }];
    if (waiting !== null) {
      const before = waiting;
      waiting = null;
      return [
        { segment, direction },
        { segment: before, direction },
      ];
    }
    if (order++ % n !== n - 1) return [{ segment, direction }];
    waiting = segment;
    return [];
  };
};

/** One box behind the other. */
export const chain =
  (first: Script, second: Script): Script =>
  (segment, direction) => {
    // Towards the network the first box comes first, from there the second.
    const [near, far] = direction === 'up' ? [first, second] : [second, first];
    return near(segment, direction).flatMap((passed) =>
      passed.direction === direction
        ? far(parsePacket(buildPacket({ ...passed.segment, raw: '' })), direction)
        : [passed],
    );
  };
