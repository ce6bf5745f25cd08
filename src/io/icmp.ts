/** ICMP (RFC 792) and ICMPv6 (RFC 4443) errors, as far as devices look at them: whose packet they bring back. */

/** The source port of the TCP segment in the ICMP error that lies from `at` to `end`; 0: it is too short. */
export function quotedPort(octets: Buffer, at: number, end: number): number {
  const quoted = at + ICMP_HEADER;
  if (end <= quoted) return 0;
  const version = (octets[quoted] as number) >> 4;
  const header = version === 4 ? ((octets[quoted] as number) & 15) * 4 : IPV6_HEADER;
  return end < quoted + header + PORTS ? 0 : octets.readUInt16BE(quoted + header);
}

const ICMP_HEADER = 8;
const IPV6_HEADER = 40;
/** Octets of source and destination port. */
const PORTS = 4;
