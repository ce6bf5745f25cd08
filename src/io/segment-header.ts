/** IP headers and TCP checksums for packets that are shown to people, off the packet path. */

/**
 * Writes the header of an IP packet that fills `packet` and carries TCP. `source` and `destination` both have 4 or
 * both have 16 octets, and `packet` has room for the header (20 or 40 octets).
 */
export function writeIpHeader(packet: Uint8Array, source: Uint8Array, destination: Uint8Array): void {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if (source.length === 4) {
    // RFC 791 section 3.1
    view.setUint32(0, 0x45000000 | packet.length);
    view.setUint32(4, 0x00004000); // do not fragment
    view.setUint32(8, (HOP_LIMIT << 24) | (PROTOCOL_TCP << 16));
    packet.set(source, 12);
    packet.set(destination, 16);
    fillIpChecksum(packet);
  } else {
    // RFC 8200 section 3
    view.setUint32(0, 0x60000000);
    view.setUint16(4, packet.length - 40);
    view.setUint16(6, (PROTOCOL_TCP << 8) | HOP_LIMIT);
    packet.set(source, 8);
    packet.set(destination, 24);
  }
}

/** Puts the right checksum into an IPv4 header (RFC 791 section 3.1). */
export function fillIpChecksum(packet: Uint8Array): void {
  put16(packet, 10, 0);
  put16(packet, 10, ~fold(sum(packet, 0, ((packet[0] as number) & 15) * 4)));
}

/**
 * Puts the right checksum into the TCP header of an IP packet (RFC 9293 section 3.1). Leaves a packet alone that
 * is not TCP directly in IP or too short.
 */
export function fillTcpChecksum(packet: Uint8Array): void {
  const start = tcpStart(packet);
  if (start === 0) return;
  put16(packet, start + CHECKSUM_AT, 0);
  put16(packet, start + CHECKSUM_AT, ~fold(pseudoSum(packet, start) + sum(packet, start, packet.length)));
}

/** The same with the sum of the pseudo header alone, which leaves the rest to the kernel. */
export function fillPseudoSum(packet: Uint8Array): void {
  const start = tcpStart(packet);
  if (start !== 0) put16(packet, start + CHECKSUM_AT, fold(pseudoSum(packet, start)));
}

/** Where TCP begins; 0 where there is none. */
function tcpStart(packet: Uint8Array): number {
  const first = packet[0] ?? 0;
  const v4 = first >> 4 === 4;
  const start = v4 ? (first & 15) * 4 : 40;
  return packet.length < start + 20 || packet[v4 ? 9 : 6] !== PROTOCOL_TCP ? 0 : start;
}

function pseudoSum(packet: Uint8Array, start: number): number {
  const v4 = (packet[0] as number) >> 4 === 4;
  return sum(packet, v4 ? 12 : 8, v4 ? 20 : 40) + PROTOCOL_TCP + (packet.length - start);
}

function put16(packet: Uint8Array, at: number, value: number): void {
  packet[at] = value >> 8;
  packet[at + 1] = value;
}

/** Sum of 16-bit words, an odd octet at the end padded with zero. Exact: far below 2^53. */
function sum(octets: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let at = from; at < to; at += 2) {
    total += ((octets[at] as number) << 8) | (at + 1 < to ? (octets[at + 1] as number) : 0);
  }
  return total;
}

function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

const PROTOCOL_TCP = 6;
const CHECKSUM_AT = 16;
const HOP_LIMIT = 64;
