/** `struct virtio_net_hdr` (linux/virtio_net.h): what kernel and device tell each other of a packet's checksum and segments. */
import type { OutBatch } from './out-batch.js';

export const VNET_SIZE = 10;

/** Writes the header of an outgoing packet whose link header has `link` octets to `at`. */
export function writeVnetHeader(octets: Uint8Array, at: number, packet: OutBatch, link: number): void {
  const { segment, partial, header, headerLength } = packet;
  let type = 0;
  if (segment > 0) {
    type = (octets[header] as number) >> 4 === 4 ? GSO_TCPV4 : GSO_TCPV6;
    if (((octets[header + partial + 13] as number) & CWR) !== 0) type |= GSO_ECN;
  }
  octets[at] = partial > 0 ? NEEDS_CSUM : 0;
  octets[at + 1] = type;
  put16(octets, at + 2, segment > 0 ? link + headerLength : 0);
  put16(octets, at + 4, segment);
  put16(octets, at + 6, partial > 0 ? link + partial : 0);
  put16(octets, at + 8, partial > 0 ? TCP_CHECKSUM_AT : 0);
}

/** Whether the checksum needs no look: it was verified, or never was on a wire. */
export const vnetTrusted = (octets: Uint8Array, at: number): boolean =>
  ((octets[at] as number) & (NEEDS_CSUM | DATA_VALID)) !== 0;

/** Payload octets of the segments that the kernel joined; 0: it is one. */
export const vnetSegment = (octets: Uint8Array, at: number): number =>
  octets[at + 1] === 0 ? 0 : (octets[at + 4] as number) | ((octets[at + 5] as number) << 8);

function put16(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value;
  octets[at + 1] = value >> 8;
}

const NEEDS_CSUM = 1;
const DATA_VALID = 2;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_ECN = 0x80;
const TCP_CHECKSUM_AT = 16;
/** In the octet of TCP's flags. */
const CWR = 0x80;
