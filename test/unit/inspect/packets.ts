/** Packets for the dissector: segments in IP, and the option vectors as segments. */
import { fillTcpChecksum, writeIpHeader } from '../../../src/io/segment-header.js';
import { TcpFlag } from '../../../src/inspect/dissection.js';
import { addressOctets, fromHex } from '../octets.js';
import type { OptionVector, Vectors } from '../vectors.js';

export interface Segment {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  /** Octets of options, a multiple of four. */
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

/** A segment with its header, without checksum. */
export function tcpSegment(s: Segment): Uint8Array {
  const options = s.options ?? new Uint8Array();
  const payload = s.payload ?? new Uint8Array();
  const header = 20 + options.length;
  const segment = new Uint8Array(header + payload.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, s.sourcePort ?? 10000);
  view.setUint16(2, s.destinationPort ?? 80);
  view.setUint32(4, s.seq ?? 1);
  view.setUint32(8, s.ack ?? 1);
  view.setUint16(12, ((header / 4) << 12) | (s.flags ?? TcpFlag.ACK));
  view.setUint16(14, s.window ?? 1000);
  segment.set(options, 20);
  segment.set(payload, header);
  return segment;
}

/** An IP packet with right checksums. */
export function ipPacket(s: Segment): Uint8Array {
  const source = addressOctets(s.source ?? '10.0.0.1');
  const destination = addressOctets(s.destination ?? '10.0.0.2');
  const header = source.length === 4 ? 20 : 40;
  const segment = tcpSegment(s);
  const packet = new Uint8Array(header + segment.length);
  packet.set(segment, header);
  writeIpHeader(packet, source, destination);
  fillTcpChecksum(packet);
  return packet;
}

/** A packet of the kind that the vector's option belongs on. */
export function vectorPacket(vector: OptionVector): Uint8Array {
  const flags = vector.tcp_flags.split('|').reduce((sum, name) => sum | flagNamed(name), 0);
  const payload = new Uint8Array(vector.payload_len).fill(0x61);
  return ipPacket({ flags, payload, options: fromHex(vector.padded_in_header) });
}

/** Every option of the vectors as a packet, the malformed ones with timestamps behind them where there is room. */
export function vectorPackets(vectors: Vectors): { name: string; packet: Uint8Array }[] {
  return [
    ...vectors.options.map((vector) => ({ name: vector.name, packet: vectorPacket(vector) })),
    ...vectors.malformed_options.map(({ name, bytes }) => ({
      name,
      packet: ipPacket({ flags: TcpFlag.ACK, options: malformedOptions(fromHex(bytes)) }),
    })),
  ];
}

/** The octets of a malformed option, aligned by NOPs in front, and timestamps behind it unless it overruns. */
export function malformedOptions(octets: Uint8Array): Uint8Array {
  const overruns = (octets[1] ?? 0) > octets.length;
  const all = overruns ? octets : Uint8Array.of(...octets, ...fromHex('080a0000000100000002'));
  const options = new Uint8Array(Math.ceil(all.length / 4) * 4).fill(1);
  options.set(all, options.length - all.length);
  return options;
}

function flagNamed(name: string): number {
  const flag = Object.entries(TcpFlag).find(([known]) => known === name)?.[1];
  if (flag === undefined) throw new Error(`no TCP flag is called ${name}`);
  return flag;
}
