/** What the dissector says of one packet: numbers as they stand on the wire, nothing relative to a connection. */

/** Why a packet could not be read to its end. */
export type Problem =
  | 'not IP'
  | 'IP header cut off'
  | 'IP header malformed'
  | 'fragment'
  | 'not TCP'
  | 'TCP header cut off'
  | 'TCP header malformed';

/**
 * `unverified`: part of the packet is missing, or nobody computes this checksum. `offloaded`: only the pseudo header is
 * summed, because the packet was captured before the network card completed it.
 */
export type ChecksumState = 'unverified' | 'good' | 'bad' | 'offloaded';

export interface Dissection {
  /** null: read to its end. */
  readonly problem: Problem | null;
  readonly ip: IpHeader | null;
  /** Ports of the UDP datagram that the segment travels in (device `udp`); null: TCP directly in IP. */
  readonly outer: { readonly sourcePort: number; readonly destinationPort: number } | null;
  /** null: no TCP header, or too little of it. */
  readonly tcp: TcpSegment | null;
}

export interface IpHeader {
  readonly family: 4 | 6;
  /** Text form. */
  readonly source: string;
  readonly destination: string;
  /** Octets, IPv6 extension headers included. */
  readonly headerLength: number;
  /** Octets of the packet with its header, as IP says (or, where IP says 0, as there were). */
  readonly length: number;
  /** DSCP and ECN. */
  readonly tos: number;
  /** Time to live, hop limit. */
  readonly ttl: number;
  /** IPv4 identification, IPv6 flow label. */
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Octets. */
  readonly fragmentOffset: number;
  /** Of the payload. */
  readonly protocol: number;
  /** IPv6 has none: `unverified`. */
  readonly checksum: ChecksumState;
}

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  /** `TcpFlag`, 12 bits with the reserved ones. */
  readonly flags: number;
  /** As on the wire, unscaled. */
  readonly window: number;
  readonly urgent: number;
  readonly checksum: number;
  readonly checksumState: ChecksumState;
  /** Octets with options. */
  readonly headerLength: number;
  /** Every option in its place, padding included. */
  readonly options: readonly TcpOption[];
  /** Octets of payload that the packet had. */
  readonly length: number;
  /** Those that were captured: a view on the packet given to `dissect`. */
  readonly payload: Uint8Array;
}

export const TcpFlag = {
  FIN: 0x001,
  SYN: 0x002,
  RST: 0x004,
  PSH: 0x008,
  ACK: 0x010,
  URG: 0x020,
  ECE: 0x040,
  CWR: 0x080,
  AE: 0x100,
} as const;

/**
 * How a stack takes an option. `read`: as it says. `misplaced`: well-formed, for another kind of packet, and ignored.
 * `refused`: well-formed, of a version or with bits that RFC 8684 has an implementation ignore. `repeated`: the first of
 * its kind counts. `malformed`: its length does not fit. `unknown`: a kind or subtype without a meaning here.
 * The fields of all but the last two are those on the wire.
 */
export type Standing = 'read' | 'misplaced' | 'refused' | 'repeated' | 'malformed' | 'unknown';

interface OptionPlace {
  /** TCP option kind. */
  readonly kind: number;
  /** The option's octets, kind and length included: a view on the packet. */
  readonly octets: Uint8Array;
  readonly standing: Standing;
}

export type TcpOption = OptionPlace & OptionValue;
export type OptionName = OptionValue['name'];
/** The option of one name, with its fields. */
export type OptionNamed<Name extends OptionName> = OptionPlace & Extract<OptionValue, { name: Name }>;

export type OptionValue =
  | { readonly name: 'end' | 'nop' | 'sackOK' }
  | { readonly name: 'mss'; readonly size: number }
  /** As on the wire; a stack takes more than 14 for 14. */
  | { readonly name: 'wscale'; readonly shift: number }
  | { readonly name: 'timestamps'; readonly value: number; readonly echo: number }
  /** Left and right edge of each block. */
  | { readonly name: 'sack'; readonly blocks: readonly (readonly [left: number, right: number])[] }
  /** Fast Open (RFC 7413), also in its experimental form: the cookie in hexadecimal, '' to ask for one. */
  | { readonly name: 'fastopen'; readonly cookie: string }
  | MultipathValue
  /** Malformed, or unknown: the octets say what there is. `subtype` is Multipath TCP's, null for other kinds. */
  | { readonly name: 'other'; readonly subtype: number | null };

/** RFC 8684 section 3. Keys, data sequence numbers and HMACs of 64 bits are bigints, longer HMACs hexadecimal. */
export type MultipathValue =
  | {
      readonly name: 'mp_capable';
      readonly version: number;
      /** A 0x80 checksums, B 0x40, C 0x20 no joins to this address, H 0x01 HMAC-SHA256. */
      readonly flags: number;
      readonly senderKey: bigint | null;
      readonly receiverKey: bigint | null;
      readonly dataLength: number | null;
      readonly checksum: number | null;
    }
  | {
      readonly name: 'mp_join';
      /** null on the third packet. */
      readonly backup: boolean | null;
      readonly addressId: number | null;
      /** On SYN. */
      readonly token: number | null;
      readonly nonce: number | null;
      /** 64 bits on SYN/ACK, 160 on the third packet. */
      readonly hmac: string | null;
    }
  | {
      readonly name: 'dss';
      /** As on the wire: F 0x10, m 0x08, M 0x04, a 0x02, A 0x01. */
      readonly flags: number;
      readonly dataFin: boolean;
      /** Low 32 bits only unless `dataAck64`. */
      readonly dataAck: bigint | null;
      readonly dataAck64: boolean;
      readonly mapping: DssMapping | null;
    }
  | {
      readonly name: 'add_addr';
      readonly echo: boolean;
      readonly addressId: number;
      readonly address: string;
      readonly port: number | null;
      readonly hmac: bigint | null;
    }
  | { readonly name: 'remove_addr'; readonly addressIds: readonly number[] }
  /** Version 0 may name an address. */
  | { readonly name: 'mp_prio'; readonly backup: boolean; readonly addressId: number | null }
  | { readonly name: 'mp_fail'; readonly dsn: bigint }
  | { readonly name: 'mp_fastclose'; readonly key: bigint }
  | {
      readonly name: 'mp_tcprst';
      /** T 0x1: the peer may try again later. */
      readonly flags: number;
      readonly transient: boolean;
      readonly reason: number;
    };

export interface DssMapping {
  /** Low 32 bits only unless `dsn64`. */
  readonly dsn: bigint;
  readonly dsn64: boolean;
  readonly ssn: number;
  /** Octets, DATA_FIN included; 0: the infinite mapping. */
  readonly length: number;
  readonly checksum: number | null;
}

/** The first option of a name that a stack reads, or undefined. */
export function optionNamed<Name extends OptionName>(
  segment: TcpSegment,
  name: Name,
): OptionNamed<Name> | undefined {
  return segment.options.find(
    (option): option is OptionNamed<Name> => option.name === name && option.standing === 'read',
  );
}
