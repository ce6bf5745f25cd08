/**
 * A scripted middlebox on the path of one host: every packet that the host sends or gets is parsed, given to the
 * script, and built anew from what the script returns.
 */
import type { PlaitError } from '../../src/errors.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from '../../src/io/device.js';
import { buildPacket, parsePacket, type ParsedSegment, type Segment } from '../packet/segment.js';

/** `up`: sent by the host behind the box; `down`: to it. */
export type Direction = 'up' | 'down';
/** What becomes of a segment: nothing, one, or several; each may go either way. */
export type Script = (segment: ParsedSegment, direction: Direction) => readonly Passed[];
export interface Passed {
  readonly segment: Segment;
  readonly direction: Direction;
}

export class Middlebox implements Device {
  readonly kind = 'memory';
  readonly overhead = 0;
  readonly needsChecksum = true;
  #host: DeviceHost | null = null;

  constructor(
    readonly inner: Device,
    readonly script: Script,
  ) {}

  open(host: DeviceHost): void {
    this.#host = host;
    this.inner.open({
      receive: (path, packet) => this.#pass(path, packet, 'down'),
      receiveSegment: (...all) => host.receiveSegment(...all),
      noSegmentation: (path) => host.noSegmentation(path),
      writable: () => host.writable(),
      pathState: (path, up) => host.pathState(path, up),
    });
  }

  send(path: number, packet: OutPacket): boolean {
    const octets = new Uint8Array(packet.length);
    packet.copyTo(octets, 0);
    return this.#pass(path, octets, 'up');
  }

  #pass(path: number, packet: Uint8Array, from: Direction): boolean {
    for (const { segment, direction } of this.script(parsePacket(packet), from)) {
      const octets = buildPacket({ ...segment, raw: '' });
      if (direction === 'up') this.inner.send(path, outPacket(octets));
      else this.#host?.receive(path, octets, Checksum.Unknown);
    }
    return true;
  }

  attach(path: Path, done: (error: PlaitError | null) => void): void {
    this.inner.attach(path, done);
  }
  detach(path: number): void {
    this.inner.detach(path);
  }
  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    this.inner.bind(path, port, done);
  }
  unbind(path: number, port: number): void {
    this.inner.unbind(path, port);
  }
  flush(): void {
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
}

const outPacket = (octets: Uint8Array): OutPacket => ({
  length: octets.length,
  segment: 0,
  partial: 0,
  copyTo: (target, offset) => {
    target.set(octets, offset);
    return octets.length;
  },
});

// ---- scripts ---------------------------------------------------------------------------------------------------

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
  const seen = new Map<number, Buffer>();
  let order = 0;
  /** Segments that became longer or shorter: where they begin and end for the sender, and by how much. */
  const shifts: { begin: number; from: number; by: number }[] = [];
  const forward = (seq: number): number =>
    shifts.reduce((sum, { begin, by }) => (((seq - begin) | 0) > 0 ? sum + by : sum), seq) >>> 0;
  const back = (ack: number): number =>
    shifts.reduceRight((value, { from, by }) => {
      const past = (value - from) | 0;
      if (by < 0) return past < by ? value : value - by;
      return past <= 0 ? value : value - Math.min(by, past);
    }, ack) >>> 0;
  return (segment, direction) => {
    // Room for what is put in.
    if (isSyn(segment)) return [{ segment: { ...segment, mss: 1400 }, direction }];
    if (direction !== which) return [{ segment: { ...segment, ack: back(segment.ack) }, direction }];
    let { data } = segment;
    const seq = forward(segment.seq);
    if (data.length > 0) {
      const known = seen.get(segment.seq);
      if (known !== undefined && known.length >= data.length)
        data = known; // a retransmission is changed likewise
      else {
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
        seen.set(segment.seq, data);
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

/**
 * Acknowledges data by itself as soon as it passes, with plain ACKs. It loses the data segments of these numbers, counted
 * from 0, after it has acknowledged them, and anything that repeats them on the subflow.
 */
export const proxyAcks = (which: Direction, lost: readonly number[] = []): Script => {
  const other: Direction = which === 'up' ? 'down' : 'up';
  let order = 0;
  let edge: number | null = null;
  const gone = new Set<number>();
  return (segment, direction) => {
    if (direction !== which || segment.data.length === 0) return [{ segment, direction }];
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
        window: 1000,
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
