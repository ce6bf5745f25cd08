/** IP headers outside the core: of a TCP segment that came without one (inside UDP), and of one that did not leave. */

import { sixteen } from '../core/address.js';

/** Octets of the header for a packet from `remote` (4 or 16 octets). */
export const ipHeaderLength = (remote: Uint8Array): number => (remote.length === 4 ? 20 : 40);

/** `local` is 16 octets, `length` the octets that follow the header. */
export function writeIpHeader(
  header: Uint8Array,
  remote: Uint8Array,
  local: Uint8Array,
  length: number,
): void {
  const dv = new DataView(header.buffer, header.byteOffset, header.length);
  header.fill(0);
  if (remote.length === 16) {
    header[0] = 0x60;
    dv.setUint16(4, length);
    dv.setUint16(6, 0x0640);
    header.set(remote, 8);
    header.set(local, 24);
    return;
  }
  dv.setUint16(0, 0x4500);
  dv.setUint16(2, header.length + length);
  dv.setUint16(8, 0x4006);
  header.set(remote, 12);
  header.set(local.subarray(12), 16);
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += dv.getUint16(i);
  sum = (sum & 0xffff) + (sum >>> 16);
  dv.setUint16(10, ~(sum + (sum >>> 16)) & 0xffff);
}

export interface Flow {
  /** 16 octets. */
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly localPort: number;
  readonly remotePort: number;
}

/** Whose packet it is: one that this host has written. */
export function readFlow(packet: Uint8Array): Flow {
  const dv = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const v4 = dv.getUint8(0) >> 4 === 4;
  const tcp = v4 ? 20 : 40;
  const size = v4 ? 4 : 16;
  return {
    local: sixteen(packet.subarray(tcp - 2 * size, tcp - size)),
    remote: sixteen(packet.subarray(tcp - size, tcp)),
    localPort: dv.getUint16(tcp),
    remotePort: dv.getUint16(tcp + 2),
  };
}
