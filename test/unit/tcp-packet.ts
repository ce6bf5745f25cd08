/** TCP packets for tests of devices and links. */
import type { OutPacket } from '../../src/io/device.js';
import { fillTcpChecksum, writeIpHeader } from '../../src/io/segment-header.js';
import { parseAddress } from '../../src/io/virtual-device.js';

export interface TcpFields {
  source?: string;
  destination?: string;
  sourcePort?: number;
  destinationPort?: number;
  sequence?: number;
  acknowledgement?: number;
  flags?: number;
  options?: Uint8Array;
  payload?: number;
}

/** The TCP segment of these fields, without a checksum. */
export function tcpSegment(fields: TcpFields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  const header = 20 + options.length;
  const segment = new Uint8Array(header + (fields.payload ?? 0)).fill(0x61, header);
  const view = new DataView(segment.buffer);
  view.setUint16(0, fields.sourcePort ?? 40000);
  view.setUint16(2, fields.destinationPort ?? 443);
  view.setUint32(4, fields.sequence ?? 1);
  view.setUint32(8, fields.acknowledgement ?? 1);
  view.setUint8(12, (header / 4) << 4);
  view.setUint8(13, fields.flags ?? 0x10);
  view.setUint16(14, 65535);
  segment.set(options, 20);
  return segment;
}

/** An IPv4 or IPv6 packet with this segment and right checksums. */
export function tcpPacket(fields: TcpFields = {}): Uint8Array {
  const source = parseAddress(fields.source ?? '10.0.0.1') as Uint8Array;
  const destination = parseAddress(fields.destination ?? '10.0.0.2') as Uint8Array;
  const segment = tcpSegment(fields);
  const header = source.length === 4 ? 20 : 40;
  const packet = new Uint8Array(header + segment.length);
  writeIpHeader(packet, source, destination);
  packet.set(segment, header);
  fillTcpChecksum(packet);
  return packet;
}

/** Octets in the form that a stack hands to a device. */
export function outPacket(octets: Uint8Array): OutPacket {
  return {
    length: octets.length,
    segment: 0,
    partial: 0,
    copyTo(target, offset) {
      target.set(octets, offset);
      return octets.length;
    },
  };
}
