/** Link-layer headers of packet sockets (packet(7)): Ethernet's, or none on interfaces that carry bare IP. */
import { interfaceAttribute, interfaceName } from './interfaces.js';

/** Octets that precede the IP packet at most. */
export const LINK_HEADER_MAX = 14;
/** `struct sockaddr_ll`. */
export const LINK_ADDRESS_SIZE = 20;

export interface LinkHeader {
  /** `struct sockaddr_ll` of the interface to send on. */
  readonly name: Uint8Array;
  /** 14 octets or none. */
  readonly octets: Uint8Array;
}

/** To a neighbour with this link address; null when it is needed and not known. */
export function linkHeader(device: number, family: 4 | 6, neighbour: Uint8Array | null): LinkHeader | null {
  const protocol = family === 4 ? ETH_P_IP : ETH_P_IPV6;
  const name = linkAddress(device, protocol);
  const label = interfaceName(device);
  if (label === null || !hasHeader(Number(interfaceAttribute(label, 'type')))) {
    return { name, octets: new Uint8Array(0) };
  }
  if (neighbour === null || neighbour.length !== 6) return null;
  const own = Buffer.from((interfaceAttribute(label, 'address') ?? '').replaceAll(':', ''), 'hex');
  const octets = Buffer.alloc(LINK_HEADER_MAX);
  octets.set(neighbour);
  octets.set(own.subarray(0, 6), 6);
  octets.writeUInt16BE(protocol, 12);
  return { name, octets };
}

/** `struct sockaddr_ll` of an interface (0: any) and an Ethernet protocol. */
export function linkAddress(device: number, protocol: number): Uint8Array {
  const name = Buffer.alloc(LINK_ADDRESS_SIZE);
  name.writeUInt16LE(AF_PACKET, 0);
  name.writeUInt16BE(protocol, 2);
  name.writeInt32LE(device, 4);
  return name;
}

/** Octets before the IP header of a packet that came with the `sockaddr_ll` at `at`. */
export const linkHeaderLength = (names: Uint8Array, at: number): number =>
  hasHeader((names[at + 8] as number) | ((names[at + 9] as number) << 8)) ? LINK_HEADER_MAX : 0;

/** Index of the interface that a packet with the `sockaddr_ll` at `at` came through. */
export const linkDevice = (names: Uint8Array, at: number): number =>
  (names[at + 4] as number) |
  ((names[at + 5] as number) << 8) |
  ((names[at + 6] as number) << 16) |
  ((names[at + 7] as number) << 24);

/** The link address of its sender, a copy. */
export const linkSender = (names: Uint8Array, at: number): Uint8Array => names.slice(at + 12, at + 18);

const hasHeader = (type: number): boolean => type === ARPHRD_ETHER || type === ARPHRD_LOOPBACK;

// linux/if_packet.h, linux/if_ether.h, linux/if_arp.h
export const AF_PACKET = 17;
export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
