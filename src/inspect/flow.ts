/** One direction of a subflow, seen as TCP: relative numbers, repetitions, windows, round trips. */
import { TcpFlag, optionNamed, type TcpSegment } from './dissection.js';
import type { Mark } from './marks.js';
import type { MappingList } from './mapping.js';
import { octetsIn, Ranges } from './ranges.js';
import { unwrap32 } from './sequence.js';

export class Flow {
  readonly address: string;
  readonly port: number;
  /** Initial sequence number; without a SYN the number before the first one seen. null: nothing was seen. */
  origin: number | null = null;
  synSeen = false;
  /** Relative number of the FIN. */
  finAt: number | null = null;
  /** Shift of this side's window; null: its SYN was not captured or has none. */
  scale: number | null = null;
  /** Relative number after the highest octet sent. */
  next = 0;
  /** Highest acknowledgement of this direction that the other side sent. */
  acked = 0;
  /** Last acknowledgement and window that this side sent. */
  lastAck = -1;
  lastWindow = -1;
  /** Octets of payload before the first one that has a mapping: data on a SYN (TCP Fast Open). */
  synData = 0;
  readonly seen = new Ranges<null>();
  readonly mappings: MappingList;
  readonly stats = { packets: 0, octets: 0, retransmissions: 0, retransmittedOctets: 0 };
  readonly rtt = { samples: 0, sum: 0, min: Infinity };
  /** Octets of the last segment that TCP had sent before. */
  repeated = 0;
  #duplicates = 0;
  /** Segments that wait for their acknowledgement, for round trips. */
  #waiting: { end: number; time: number }[] = [];
  /** When the segment after a hole was seen first, by the end of the hole. */
  #holes = new Map<number, number>();

  constructor(address: string, port: number, mappings: MappingList) {
    this.address = address;
    this.port = port;
    this.mappings = mappings;
  }

  get endpoint(): string {
    return this.address.includes(':')
      ? `[${this.address}]:${String(this.port)}`
      : `${this.address}:${String(this.port)}`;
  }

  /** Relative form of a sequence number of this direction. */
  relative(seq: number, reference = this.next): number {
    return unwrap32(seq, this.origin ?? seq, reference);
  }

  /** Notes where the numbers begin: at a SYN, or one before the first octet seen. */
  begin(tcp: TcpSegment): void {
    const syn = (tcp.flags & TcpFlag.SYN) !== 0;
    // A reset may carry any number when it answers something that has no connection.
    if (this.origin === null && (syn || (tcp.flags & TcpFlag.RST) === 0)) {
      this.origin = syn ? tcp.seq : (tcp.seq - 1) >>> 0;
      this.next = syn ? 0 : 1;
    }
    if (!syn) return;
    this.synSeen = true;
    this.scale = optionNamed(tcp, 'wscale')?.shift ?? null;
    this.synData = tcp.length;
  }

  /** Notes an acknowledgement of this direction; `ack` as on the wire. Returns it relative. */
  acknowledge(ack: number, time: number): number {
    if (this.origin === null) {
      this.origin = (ack - 1) >>> 0;
      this.next = 1;
    }
    const relative = this.relative(ack, Math.max(this.acked, this.next));
    // An acknowledgement of what was not captured tells that it was sent.
    if (relative > this.acked) this.acked = relative;
    this.#measure(relative, time);
    return relative;
  }

  /** Takes a segment of this direction at its relative number; the peer's window decides what a probe is. */
  segment(tcp: TcpSegment, seq: number, time: number, peerWindow: number, roundTrip: number): Mark[] {
    const syn = (tcp.flags & TcpFlag.SYN) !== 0 ? 1 : 0;
    const fin = (tcp.flags & TcpFlag.FIN) !== 0 ? 1 : 0;
    const span = tcp.length + syn + fin;
    this.stats.packets++;
    this.stats.octets += tcp.length;
    this.repeated = 0;
    if ((tcp.flags & TcpFlag.RST) !== 0) return [];
    if (fin === 1) this.finAt = seq + tcp.length;
    const probe = seq === this.next - 1 && tcp.length <= 1 && syn + fin === 0;
    if (probe && this.seen.size > 0) {
      this.repeated = tcp.length;
      return [{ kind: peerWindow === 0 ? 'windowProbe' : 'keepalive' }];
    }
    if (span === 0) return [];
    const marks = this.#octets(seq, seq + span, time, roundTrip);
    if (marks.some(({ kind }) => kind === 'retransmission')) {
      this.stats.retransmissions++;
      this.#waiting = this.#waiting.filter(({ end }) => end <= seq);
    } else {
      this.#waiting.push({ end: seq + span, time });
    }
    return marks;
  }

  #octets(start: number, end: number, time: number, roundTrip: number): Mark[] {
    const expected = this.next;
    const known = octetsIn(this.seen.add(start, end, null));
    this.next = Math.max(this.next, end);
    this.repeated = known;
    if (known > 0) {
      this.stats.retransmittedOctets += known;
      return [{ kind: 'retransmission', octets: known, acked: end <= this.acked }];
    }
    if (start > expected) {
      // What was acknowledged has passed somewhere else, or before the capture began.
      if (start <= this.acked) return [];
      this.#holes.set(start, time);
      return [{ kind: 'gap', octets: start - expected }];
    }
    if (end > expected || expected === start) return [];
    // It fills a hole: late from the network when it comes at once, else sent again after the first was lost.
    const since = [...this.#holes].find(([holeEnd]) => holeEnd >= end)?.[1] ?? time;
    if (this.seen.contiguousFrom(start) >= this.next) this.#holes.clear();
    if (time - since < Math.max(roundTrip / 2, REORDERING)) return [{ kind: 'outOfOrder' }];
    this.stats.retransmittedOctets += end - start;
    return [{ kind: 'retransmission', octets: end - start, acked: false }];
  }

  /** Takes the acknowledgement and window that this side sends. `plain`: an ACK that says nothing else. */
  window(ack: number, window: number, plain: boolean, outstanding: boolean): Mark[] {
    const { lastAck, lastWindow } = this;
    this.lastAck = ack;
    this.lastWindow = window;
    const marks: Mark[] = [];
    if (window === 0) marks.push({ kind: 'zeroWindow' });
    if (!plain || ack !== lastAck) {
      this.#duplicates = 0;
      return marks;
    }
    if (window !== lastWindow) marks.push({ kind: 'windowUpdate' });
    else if (outstanding) marks.push({ kind: 'duplicateAck', count: ++this.#duplicates });
    return marks;
  }

  #measure(ack: number, time: number): void {
    let sent: number | null = null;
    while (this.#waiting.length > 0 && this.#waiting[0]!.end <= ack) sent = this.#waiting.shift()!.time;
    if (sent === null) return;
    this.rtt.samples++;
    this.rtt.sum += time - sent;
    this.rtt.min = Math.min(this.rtt.min, time - sent);
  }
}

/** Microseconds within which a late segment counts as reordered when the round trip is not known. */
const REORDERING = 3000;
