/** Joins the TCP segments of datagrams that the kernel joined, as generic receive offload does below a TCP of its own. */

/** A run of segments as one: from `start` to `end`, made of segments with `payload` octets each; 0: it is one. */
export type Joined = (start: number, end: number, payload: number) => void;

/**
 * Segments of `size` octets lie in `data` from `from` on, the last one perhaps shorter and ending at `to`. Moves the
 * payload of each that continues the one before, in every respect, behind that one's payload.
 */
export function joinSegments(data: Buffer, from: number, to: number, size: number, each: Joined): void {
  for (let first = from; first < to;) {
    let end = Math.min(first + size, to);
    let next = end;
    const header = headerLength(data, first, end);
    const payload = end - first - header;
    if (header > 0 && data[first + 13] === ACK) {
      const sequence = data.readUInt32BE(first + 4);
      for (; next < to && (data[first + 13] as number) === ACK; next = Math.min(next + size, to)) {
        const last = Math.min(next + size, to);
        if (headerLength(data, next, last) !== header) break;
        if (data.readUInt32BE(next + 4) !== (sequence + end - first - header) >>> 0) break;
        if (((data[next + 13] as number) & ~(PSH | FIN)) !== ACK || !sameHeader(data, first, next, header))
          break;
        data[first + 13] = data[next + 13] as number;
        data.copyWithin(end, next + header, last);
        end += last - next - header;
      }
    }
    each(first, end, end - first - header > payload ? payload : 0);
    first = next;
  }
}

/** Octets of the header of a segment that carries data, or 0. */
function headerLength(data: Buffer, start: number, end: number): number {
  if (end - start <= TCP_HEADER) return 0;
  const length = ((data[start + 12] as number) >> 4) * 4;
  return length >= TCP_HEADER && length < end - start ? length : 0;
}

/** Whether all is the same but sequence number and flags. */
function sameHeader(data: Buffer, a: number, b: number, length: number): boolean {
  if (data[a + 12] !== data[b + 12] || data.readUInt16LE(a + 14) !== data.readUInt16LE(b + 14)) return false;
  for (let i = 0; i < length; i += 4) {
    if (i === 4 || i === 12) continue;
    if (data.readUInt32LE(a + i) !== data.readUInt32LE(b + i)) return false;
  }
  return true;
}

const TCP_HEADER = 20;
const FIN = 0x01;
const PSH = 0x08;
const ACK = 0x10;
