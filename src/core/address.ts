/** IP addresses between text and the 16 octets of the boundary (IPv4 as ::ffff:a.b.c.d). */
import ipaddr from 'ipaddr.js';
import { PlaitError } from '../errors.js';

/** 16 octets of an address in text form; a zone is dropped. Throws EINVAL. */
export function addressBytes(text: string): Uint8Array {
  const dotted = DOTTED.exec(text);
  if (dotted !== null) {
    const v4 = dotted.slice(1).map(Number);
    if (v4.every((octet) => octet < 256)) return Uint8Array.of(...MAPPED, ...v4);
  }
  const bare = text.replace(/%.*$/, '');
  if (!ipaddr.isValid(bare)) {
    throw new PlaitError('EINVAL', `${text} is not an IP address; give it as 192.0.2.1 or 2001:db8::1`);
  }
  const parsed = ipaddr.parse(bare);
  const v6 =
    parsed.kind() === 'ipv4' ? (parsed as ipaddr.IPv4).toIPv4MappedAddress() : (parsed as ipaddr.IPv6);
  return Uint8Array.from(v6.toByteArray());
}

/** 16 octets of an address that has 4 or 16. */
export function sixteen(octets: Uint8Array): Uint8Array {
  return octets.length === 16 ? octets : Uint8Array.of(...MAPPED, ...octets);
}

/** Text form; mapped IPv4 addresses in dotted form. */
export function addressText(bytes: Uint8Array): string {
  for (let i = 0; i < MAPPED.length; i++) {
    if (bytes[i] !== MAPPED[i]) return new ipaddr.IPv6(Array.from(bytes)).toString();
  }
  return `${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
}

/** The one form in which addresses are compared. Throws EINVAL. */
export function canonicalAddress(text: string): string {
  return addressText(addressBytes(text));
}

/** As everybody writes IPv4 addresses; the library takes octal and hexadecimal numbers, too. */
const DOTTED = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
/** ::ffff:0:0/96 */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

export function familyOf(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4;
}

/** Whether two addresses share their first `bits` bits (of 32 or 128) and their family. */
export function samePrefix(a: string, b: string, bits: number): boolean {
  if (familyOf(a) !== familyOf(b)) return false;
  const x = addressBytes(a);
  const y = addressBytes(b);
  const start = familyOf(a) === 4 ? 96 : 0;
  for (let i = 0; i < bits; i++) {
    const bit = start + i;
    const mask = 0x80 >> (bit & 7);
    if (((x[bit >> 3] ?? 0) & mask) !== ((y[bit >> 3] ?? 0) & mask)) return false;
  }
  return true;
}
