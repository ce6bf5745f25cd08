/** What stands before the IP header in captures of the usual link types (tcpdump.org/linktypes.html). */

export interface LinkPayload {
  readonly packet: Uint8Array;
  /** Octets before it. */
  readonly offset: number;
}

/** The IP packet in a frame, or null: another protocol, or too short. An unknown link type is null, too. */
export function ipOfFrame(linkType: number, frame: Uint8Array): LinkPayload | null {
  const offset = ipOffset(linkType, frame);
  return offset === null || offset > frame.length ? null : { packet: frame.subarray(offset), offset };
}

/** Whether frames of this link type are understood. */
export function knowsLinkType(linkType: number): boolean {
  return LINK_TYPES.has(linkType);
}

function ipOffset(linkType: number, frame: Uint8Array): number | null {
  switch (linkType) {
    case LinkType.Ethernet:
      return afterEtherType(frame, 12);
    case LinkType.LinuxCooked:
      return afterEtherType(frame, 14);
    case LinkType.LinuxCooked2:
      return isIp(word(frame, 0)) ? 20 : afterTags(frame, word(frame, 0), 20);
    case LinkType.Null:
    case LinkType.Loop:
      // The address family in either byte order; what counts is the version in the header behind it.
      return isIpVersion(frame[4]) ? 4 : null;
    case LinkType.Raw:
    case LinkType.RawOpenBsd:
    case LinkType.RawBsd:
    case LinkType.Ipv4:
    case LinkType.Ipv6:
      return 0;
    default:
      return null;
  }
}

/** Behind the protocol field at `at` and any VLAN tags. */
function afterEtherType(frame: Uint8Array, at: number): number | null {
  return afterTags(frame, word(frame, at), at + 2);
}

function afterTags(frame: Uint8Array, type: number | null, start: number): number | null {
  let at = start;
  let protocol = type;
  // 802.1Q, 802.1ad and what came before it: tag, then the next protocol.
  while (protocol === 0x8100 || protocol === 0x88a8 || protocol === 0x9100) {
    protocol = word(frame, at + 2);
    at += 4;
  }
  if (protocol === 0x8864) {
    // PPPoE: header of six octets, then PPP's protocol.
    const ppp = word(frame, at + 6);
    return ppp === 0x0021 || ppp === 0x0057 ? at + 8 : null;
  }
  return isIp(protocol) ? at : null;
}

function word(frame: Uint8Array, at: number): number | null {
  return at + 2 <= frame.length ? (frame[at]! << 8) | frame[at + 1]! : null;
}

function isIp(etherType: number | null): boolean {
  return etherType === 0x0800 || etherType === 0x86dd;
}

function isIpVersion(octet: number | undefined): boolean {
  return octet !== undefined && (octet >> 4 === 4 || octet >> 4 === 6);
}

export const LinkType = {
  Null: 0,
  Ethernet: 1,
  RawBsd: 12,
  RawOpenBsd: 14,
  Raw: 101,
  Loop: 108,
  LinuxCooked: 113,
  Ipv4: 228,
  Ipv6: 229,
  LinuxCooked2: 276,
} as const;

const LINK_TYPES: ReadonlySet<number> = new Set(Object.values(LinkType));
