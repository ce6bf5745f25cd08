/** ICMP errors for tests of devices. */
import { parseAddress } from '../../src/io/virtual-device.js';
import { writeIpHeader } from '../../src/io/segment-header.js';

/** An error from `router` about `packet`, to where that came from; with right checksums. `word`: the MTU, say. */
export function icmpPacket(
  router: string,
  type: number,
  code: number,
  word: number,
  packet: Uint8Array,
): Uint8Array {
  const source = parseAddress(router) as Uint8Array;
  const v6 = source.length === 16;
  const header = v6 ? 40 : 20;
  const quoted = packet.subarray(0, v6 ? 1200 : 548);
  const octets = new Uint8Array(header + 8 + quoted.length);
  writeIpHeader(octets, source, packet.subarray(v6 ? 8 : 12, v6 ? 24 : 16));
  const view = new DataView(octets.buffer);
  octets[v6 ? 6 : 9] = v6 ? 58 : 1;
  octets[header] = type;
  octets[header + 1] = code;
  view.setUint32(header + 4, word);
  octets.set(quoted, header + 8);
  // RFC 4443 section 2.3: with the pseudo header of IPv6.
  const pseudo = v6 ? sum(octets, 8, 40) + (octets.length - header) + 58 : 0;
  view.setUint16(header + 2, ~fold(pseudo + sum(octets, header, octets.length)) & 0xffff);
  if (v6) return octets;
  view.setUint16(10, 0);
  view.setUint16(10, ~fold(sum(octets, 0, header)) & 0xffff);
  return octets;
}

/** Of 16-bit words. */
function sum(octets: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i++) total += (octets[i] as number) << ((i - from) % 2 === 0 ? 8 : 0);
  return total;
}

function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
