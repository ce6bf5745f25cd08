/** Mappings of one direction of a subflow (RFC 8684 section 3.3), and the sums over what they cover. */
import type { Dissector } from './dissector.js';
import type { Mark, Verdict } from './marks.js';
import { octetsIn, type Ranges } from './ranges.js';

export interface Mapping {
  /** Relative subflow sequence number of the first octet, 1 for the first of the subflow. */
  readonly ssn: number;
  /** Relative data sequence number of the first octet. */
  readonly dsn: number;
  /** Octets of payload, without DATA_FIN. */
  readonly payload: number;
  readonly sum: MappingSum | null;
}

/** What a checksum is computed over, as far as it was seen. */
export interface MappingSum {
  /** Full 64 bits; null when they are not known. */
  readonly dsn64: bigint | null;
  /** As on the wire. */
  readonly ssn: number;
  readonly length: number;
  readonly checksum: number;
  readonly seen: Ranges<null>;
  octets: number;
  total: number;
  verdict: Verdict | null;
}

/** A piece of payload in the data sequence space. */
export interface MappedPiece {
  readonly dsn: number;
  readonly length: number;
}

export class MappingList {
  readonly #dissector: Dissector;
  #list: Mapping[] = [];
  /** After the highest octet that a mapping covers. */
  #end = 0;

  constructor(dissector: Dissector) {
    this.#dissector = dissector;
  }

  /** Adds a mapping unless it repeats one. Marks: the verdict on its checksum, if it has no payload. */
  add(mapping: Mapping): Mark[] {
    if (mapping.payload === 0) return this.#judge(mapping);
    const known = this.#covering(mapping.ssn);
    const same = known?.ssn === mapping.ssn && known.dsn === mapping.dsn && known.payload === mapping.payload;
    if (same) return [];
    this.#list.push(mapping);
    this.#end = Math.max(this.#end, mapping.ssn + mapping.payload);
    if (this.#list.length > LONGEST) this.#list.shift();
    return [];
  }

  /**
   * The data sequence numbers of payload at `ssn`, of which `captured` are the octets at hand. What no mapping covers
   * is left out.
   */
  map(ssn: number, length: number, captured: Uint8Array): { pieces: MappedPiece[]; marks: Mark[] } {
    const pieces: MappedPiece[] = [];
    const marks: Mark[] = [];
    let at = ssn;
    const end = ssn + length;
    while (at < end) {
      const mapping = this.#covering(at);
      if (mapping === null) {
        const next = this.#list
          .filter((one) => one.ssn > at)
          .reduce((low, one) => Math.min(low, one.ssn), end);
        at = next;
        continue;
      }
      const until = Math.min(end, mapping.ssn + mapping.payload);
      pieces.push({ dsn: mapping.dsn + at - mapping.ssn, length: until - at });
      if (mapping.sum !== null) {
        marks.push(
          ...this.#add(mapping, mapping.sum, at, captured.subarray(at - ssn, until - ssn), until - at),
        );
      }
      at = until;
    }
    return { pieces, marks };
  }

  /** Forgets mappings that lie below an acknowledged subflow sequence number and are judged. */
  acknowledged(ssn: number): void {
    const limit = ssn - KEPT_BEHIND;
    if (this.#list.length < 64 || this.#list[0]!.ssn + this.#list[0]!.payload > limit) return;
    this.#list = this.#list.filter((one) => one.ssn + one.payload > limit);
  }

  /** Later mappings come first: they are the ones in use. */
  #covering(ssn: number): Mapping | null {
    if (ssn >= this.#end) return null;
    for (let i = this.#list.length - 1; i >= 0; i--) {
      const mapping = this.#list[i]!;
      if (mapping.ssn <= ssn && ssn < mapping.ssn + mapping.payload) return mapping;
    }
    return null;
  }

  /** Adds octets at a subflow sequence number to a mapping's sum. */
  #add(mapping: Mapping, sum: MappingSum, ssn: number, octets: Uint8Array, length: number): Mark[] {
    if (sum.verdict !== null) return [];
    if (octets.length < length) {
      // Not all of it was captured.
      sum.verdict = 'unverified';
      return [this.#mark(mapping, sum)];
    }
    const start = ssn - mapping.ssn;
    let at = start;
    const present = sum.seen.add(start, start + length, null);
    for (const { start: from, end } of [...present, { start: start + length, end: start + length }]) {
      if (from > at) this.#sumUp(sum, at, octets.subarray(at - start, from - start));
      at = end;
    }
    sum.octets += length - octetsIn(present);
    return sum.octets === mapping.payload ? this.#judge(mapping) : [];
  }

  /** RFC 1071 section 2 (B): octets at an odd place count with their bytes swapped. */
  #sumUp(sum: MappingSum, at: number, octets: Uint8Array): void {
    const part = this.#dissector.octetSum(octets);
    const total = sum.total + ((at & 1) === 0 ? part : ((part & 0xff) << 8) | (part >> 8));
    sum.total = (total & 0xffff) + (total >> 16);
  }

  #judge(mapping: Mapping): Mark[] {
    const { sum } = mapping;
    if (sum === null) return [];
    if (sum.dsn64 === null) {
      sum.verdict = 'unverified';
    } else {
      const right = this.#dissector.dssChecksum(sum.dsn64, sum.ssn, sum.length, sum.total);
      sum.verdict = right === sum.checksum ? 'good' : 'bad';
    }
    return [this.#mark(mapping, sum)];
  }

  #mark(mapping: Mapping, sum: MappingSum): Mark {
    return {
      kind: 'dssChecksum',
      verdict: sum.verdict ?? 'unverified',
      dsn: mapping.dsn,
      length: sum.length,
    };
  }
}

/** Mappings of a direction that are remembered. */
const LONGEST = 4096;
/** Octets behind the acknowledgement for which mappings are kept: retransmissions still come. */
const KEPT_BEHIND = 1 << 20;
