/**
 * What middleboxes do to TCP segments (protocol cases of RFC 8684 section 7 and of Honda et al., "Is it still possible to
 * extend TCP?", IMC 2011). A script serves one subflow; the same ones run over links in virtual time (test/sim) and in a
 * box between two namespaces (box.ts).
 */
import { SeededRandom } from '../../src/core/random.js';
import type { ParsedSegment, Segment } from '../packet/segment.js';

/** `up`: sent by the host behind the box; `down`: to it. */
export type Direction = 'up' | 'down';
/** What becomes of a segment: nothing, one, or several; each may go either way. */
export type Script = (segment: ParsedSegment, direction: Direction) => readonly Passed[];
export interface Passed {
  readonly segment: Segment;
  readonly direction: Direction;
}

/** Without any Multipath option. */
export const stripped = (segment: ParsedSegment): Segment => ({
  ...segment,
  ...{ capable: null, join: null, dss: null, add: null, remove: null },
  ...{ prio: null, fail: null, fastclose: null, reset: null },
});

/** Takes all Multipath options from segments that `where` names. */
export const strip =
  (where: (segment: ParsedSegment, direction: Direction) => boolean): Script =>
  (segment, direction) => [{ segment: where(segment, direction) ? stripped(segment) : segment, direction }];

export const isSyn = ({ flags }: Segment): boolean => flags.includes('S');

/** Changes the payload of the `n`-th data segment of a direction, counted from 0, and of all after it if `always`. */
export const alter = (
  which: Direction,
  n: number,
  change: (data: Buffer) => Buffer,
  always = false,
): Script => {
  const seen = new Map<number, { readonly length: number; readonly data: Buffer }>();
  let order = 0;
  /** Segments that became longer or shorter: where they begin and end for the sender, and by how much. */
  const shifts: { begin: number; from: number; by: number }[] = [];
  const forward = (seq: number): number =>
    shifts.reduce((sum, { begin, by }) => (((seq - begin) | 0) > 0 ? sum + by : sum), seq) >>> 0;
  const back = (ack: number): number => {
    let value = ack;
    let before = shifts.reduce((sum, { by }) => sum + by, 0);
    for (const { from, by } of [...shifts].reverse()) {
      before -= by;
      const past = (value - from - before) | 0;
      if (by < 0) value -= past < by ? 0 : by;
      else if (past > 0) value -= Math.min(by, past);
    }
    return value >>> 0;
  };
  return (segment, direction) => {
    // Room for what is put in.
    if (isSyn(segment)) return [{ segment: { ...segment, mss: 1400 }, direction }];
    if (direction !== which) return [{ segment: { ...segment, ack: back(segment.ack) }, direction }];
    let { data } = segment;
    const seq = forward(segment.seq);
    if (data.length > 0) {
      const known = seen.get(segment.seq);
      if (known !== undefined && known.length >= data.length)
        data = known.data; // a retransmission is changed likewise
      else {
        const { length } = data;
        if (order === n || (always && order > n)) {
          const changed = change(data);
          if (changed.length !== data.length) {
            shifts.push({
              begin: segment.seq,
              from: segment.seq + data.length,
              by: changed.length - data.length,
            });
          }
          data = changed;
        }
        seen.set(segment.seq, { length, data });
        order++;
      }
    }
    return [{ segment: { ...segment, seq, data }, direction }];
  };
};

/** Halves data segments of a direction; the second half has the options, too, or none. */
export const split =
  (which: Direction, copies: boolean): Script =>
  (segment, direction) => {
    if (direction !== which || segment.data.length < 2) return [{ segment, direction }];
    const half = segment.data.length >> 1;
    const head = { ...segment, data: segment.data.subarray(0, half), flags: segment.flags.replace('F', '') };
    const rest = { ...segment, data: segment.data.subarray(half), seq: (segment.seq + half) >>> 0 };
    return [
      { segment: head, direction },
      { segment: copies ? rest : stripped(rest), direction },
    ];
  };

/**
 * Joins two data segments in a row into one with the options of the first, every `n`-th time. Both ends are told to send
 * segments small enough for that.
 */
export const coalesce = (which: Direction, n: number): Script => {
  let waiting: ParsedSegment | null = null;
  let order = 0;
  return (segment, direction) => {
    if (isSyn(segment)) return [{ segment: { ...segment, mss: 700 }, direction }];
    if (direction !== which || segment.data.length === 0) return [{ segment, direction }];
    if (waiting === null) {
      if (order++ % n !== n - 1) return [{ segment, direction }];
      waiting = segment;
      return [];
    }
    const first = waiting;
    waiting = null;
    if (segment.seq !== (first.seq + first.data.length) >>> 0) {
      return [
        { segment: first, direction },
        { segment, direction },
      ];
    }
    return [
      {
        segment: { ...first, data: Buffer.concat([first.data, segment.data]), flags: segment.flags },
        direction,
      },
    ];
  };
};

/** Segments that one of `rechunk` joins at most. */
const MOST = 3;

/**
 * Cuts the stream anew as network cards do: segments in a row with the same options (RFC 8684 section 3.3.1: copies of one
 * mapping) become one, which leaves in segments of `size` octets, all with these options. The end of a mapping or of a write
 * ends the wait for more.
 */
export const rechunk = (which: Direction, size: number): Script => {
  let held: ParsedSegment[] = [];
  let isn = 0;
  const release = (): Passed[] => {
    const [first] = held;
    const last = held.at(-1);
    if (first === undefined || last === undefined) return [];
    const data = Buffer.concat(held.map((one) => one.data));
    held = [];
    const pieces: Passed[] = [];
    for (let at = 0; at < data.length; at += size) {
      const ends = at + size >= data.length;
      const flags = ends ? last.flags : first.flags.replace(/[FP]/g, '');
      const seq = (first.seq + at) >>> 0;
      const { window } = last;
      const piece = { ...first, seq, flags, window, data: data.subarray(at, at + size) };
      pieces.push({ segment: piece, direction: which });
    }
    return pieces;
  };
  return (segment, direction) => {
    if (isSyn(segment) && direction === which) isn = segment.seq;
    if (direction !== which) return [{ segment, direction }];
    const last = held.at(-1);
    const follows =
      last !== undefined && segment.raw === last.raw && segment.seq === (last.seq + last.data.length) >>> 0;
    const passed = follows ? [] : release();
    if (isSyn(segment) || segment.data.length === 0) return [...passed, { segment, direction }];
    held.push(segment);
    const { dss, data, flags } = segment;
    const end = (segment.seq + data.length - isn) >>> 0;
    const left = dss === null ? 0 : (dss.ssn ?? 0) + (dss.length ?? 0) - end;
    return held.length < MOST && left > 0 && !/[FP]/.test(flags) ? passed : [...passed, ...release()];
  };
};

/** Two boxes that see one direction each, as where the ways there and back are different ones. */
export const apart = (up: Script, down: Script): Script => {
  return (segment, direction) => (direction === 'up' ? up : down)(segment, direction);
};

/**
 * Acknowledges data by itself as soon as it passes, with plain ACKs. It loses the data segments of these numbers, counted
 * from 0, after it has acknowledged them, and anything that repeats them on the subflow. One that loses begins after the
 * receiver's own first DATA_ACK: a plain ACK before makes the connection plain (RFC 8684 section 3.7), and TCP cannot repair
 * what was acknowledged.
 */
export const proxyAcks = (which: Direction, lost: readonly number[] = []): Script => {
  const other: Direction = which === 'up' ? 'down' : 'up';
  let order = 0;
  let edge: number | null = null;
  const gone = new Set<number>();
  let begun = lost.length === 0;
  let sent = false;
  /** The receiver's own window: what the box allows beyond it would be lost. */
  let scale = 0;
  let right = 0;
  return (segment, direction) => {
    if (direction === other) {
      if (isSyn(segment)) scale = segment.scale ?? 0;
      right = segment.ack + (segment.window << (isSyn(segment) ? 0 : scale));
      begun ||= sent && segment.dss !== null;
    }
    sent ||= direction === which && segment.data.length > 0;
    if (!begun || direction !== which || segment.data.length === 0) return [{ segment, direction }];
    const end = (segment.seq + segment.data.length) >>> 0;
    if (edge === null || ((end - edge) | 0) > 0) {
      edge = end;
      if (lost.includes(order++)) gone.add(segment.seq);
    }
    const { source, destination, sourcePort, destinationPort } = segment;
    const ack: Segment = {
      ...stripped(segment),
      ...{
        source: destination,
        destination: source,
        sourcePort: destinationPort,
        destinationPort: sourcePort,
      },
      ...{
        flags: 'A',
        seq: segment.ack,
        ack: edge,
        data: Buffer.alloc(0),
        ts: null,
        sack: null,
        window: Math.min(65535, Math.max(0, (right - edge) | 0) >> scale),
      },
    };
    const passed: Passed[] = gone.has(segment.seq) ? [] : [{ segment, direction }];
    return [...passed, { segment: ack, direction: other }];
  };
};

/** Adds a constant to the sequence numbers of both sides, as boxes do that randomise initial ones. */
export const rewriteIsn = (up: number, down: number): Script => {
  return (segment, direction) => {
    const [mine, theirs] = direction === 'up' ? [up, down] : [down, up];
    const ack = segment.flags.includes('A') ? (segment.ack - theirs) >>> 0 : 0;
    const sack = segment.sack?.map(([a, b]) => [(a - theirs) >>> 0, (b - theirs) >>> 0] as const) ?? null;
    return [{ segment: { ...segment, seq: (segment.seq + mine) >>> 0, ack, sack }, direction }];
  };
};

/**
 * Cuts the stream anew: a data segment leaves with some of the octets before it once more, and with its own options. The
 * receiver has to find its way by sequence numbers.
 */
export const resegment = (which: Direction, again: number): Script => {
  let before: ParsedSegment | null = null;
  return (segment, direction) => {
    if (isSyn(segment)) return [{ segment: { ...segment, mss: 1400 - again }, direction }];
    if (direction !== which || segment.data.length === 0) return [{ segment, direction }];
    const last = before;
    before = segment;
    if (last === null || segment.seq !== (last.seq + last.data.length) >>> 0) return [{ segment, direction }];
    const repeated = last.data.subarray(-Math.min(again, last.data.length));
    const seq = (segment.seq - repeated.length) >>> 0;
    return [{ segment: { ...segment, seq, data: Buffer.concat([repeated, segment.data]) }, direction }];
  };
};

/**
 * Passes data in order only: it loses the data segments of these numbers, counted from 0, and what lies behind such a hole
 * until the hole is filled. ACKs for octets that it has not seen do not pass either.
 */
export const inOrderOnly = (which: Direction, lost: readonly number[]): Script => {
  let order = 0;
  let next: number | null = null;
  return (segment, direction) => {
    if (isSyn(segment)) {
      if (direction === which) next = (segment.seq + 1) >>> 0;
      return [{ segment, direction }];
    }
    if (direction !== which) {
      const unseen = next !== null && segment.flags.includes('A') && ((segment.ack - next) | 0) > 1;
      return unseen ? [] : [{ segment, direction }];
    }
    if (segment.data.length === 0 || next === null) return [{ segment, direction }];
    const end = (segment.seq + segment.data.length) >>> 0;
    if (((segment.seq - next) | 0) > 0) return [];
    if (((end - next) | 0) > 0) {
      if (lost.includes(order++)) return [];
      next = end;
    }
    return [{ segment, direction }];
  };
};

/** Takes back half of the window that was offered, now and then, as a normaliser with less memory does. */
export const shrinkWindow = (which: Direction, every: number): Script => {
  let order = 0;
  return (segment, direction) => {
    if (direction !== which || isSyn(segment) || order++ % every !== every - 1)
      return [{ segment, direction }];
    return [{ segment: { ...segment, window: segment.window >> 1 }, direction }];
  };
};

/** Repeats the option of the SYN in the SYN/ACK of a server that knows nothing of it. */
export const echoOptions = (): Script => {
  let capable: ParsedSegment['capable'] = null;
  return (segment, direction) => {
    if (isSyn(segment) && direction === 'up') capable = segment.capable;
    if (!isSyn(segment) || direction === 'up' || segment.capable !== null) return [{ segment, direction }];
    return [{ segment: { ...segment, capable }, direction }];
  };
};

/** Sends every SYN twice. */
export const repeatSyn = (): Script => (segment, direction) => {
  const once = { segment, direction };
  return isSyn(segment) ? [once, once] : [once];
};

/** Moves the options of data segments to a packet of their own, which goes ahead without data. */
export const optionsAhead =
  (which: Direction): Script =>
  (segment, direction) => {
    if (direction !== which || isSyn(segment) || segment.data.length === 0) return [{ segment, direction }];
    const ahead = { ...segment, data: Buffer.alloc(0), flags: 'A' };
    return [
      { segment: ahead, direction },
      { segment: stripped(segment), direction },
    ];
  };

/** Loses one segment with data in fifty, and lets one in thirty go behind the next of its direction. */
export const unsteady = (seed: number): Script => {
  const random = new SeededRandom(seed);
  const waiting: Record<Direction, ParsedSegment | null> = { up: null, down: null };
  return (segment, direction) => {
    const behind = waiting[direction];
    waiting[direction] = null;
    const late = behind === null ? [] : [{ segment: behind, direction }];
    if (segment.data.length > 0 && random.unit() < 1 / 50) return late;
    if (segment.data.length > 0 && behind === null && random.unit() < 1 / 30) {
      waiting[direction] = segment;
      return [];
    }
    return [{ segment, direction }, ...late];
  };
};
