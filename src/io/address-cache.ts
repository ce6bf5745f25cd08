/**
 * IP addresses between text, which node's sockets speak, and octets, which packets hold. Both directions are
 * remembered, because parsing and printing cost more than a packet's way through a device.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export class AddressCache {
  readonly #octets = new Map<string, Uint8Array>();
  readonly #text = new Map<number | string, string>();

  /** The 4 or 16 octets of an address in text form (a zone is ignored), or null if it is none. */
  octets(text: string): Uint8Array | null {
    const known = this.#octets.get(text);
    if (known !== undefined) return known;
    const octets = parseAddress(text);
    if (octets === null) return null;
    if (this.#octets.size >= CAPACITY) this.#octets.clear();
    this.#octets.set(text, octets);
    return octets;
  }

  /** The text of the destination address of an IP packet. */
  destination(packet: Buffer): string {
    const v4 = (packet[0] as number) >> 4 === 4;
    const key = v4 ? packet.readUInt32BE(16) : packet.toString('latin1', 24, 40);
    const known = this.#text.get(key);
    if (known !== undefined) return known;
    const text = ipaddr.fromByteArray([...packet.subarray(v4 ? 16 : 24, v4 ? 20 : 40)]).toString();
    if (this.#text.size >= CAPACITY) this.#text.clear();
    this.#text.set(key, text);
    return text;
  }
}

/** The 4 or 16 octets of an IP address in text form (a zone is ignored), or null if it is none. */
export function parseAddress(text: string): Uint8Array | null {
  return isIP(text) !== 0 ? Uint8Array.from(ipaddr.parse(text).toByteArray()) : null;
}

/** Whether these octets are an IPv6 link-local address, which needs an interface to mean anything. */
export function isLinkLocal(octets: Uint8Array): boolean {
  return octets.length === 16 && octets[0] === 0xfe && ((octets[1] as number) & 0xc0) === 0x80;
}

/** Addresses remembered in each direction; a busier server starts over. */
const CAPACITY = 4096;
