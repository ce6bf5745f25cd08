/**
 * A device that takes super-segments and hands segments to the one below it, as a network card with segmentation
 * offload does: what the core leaves to such a device, and what it must have told it.
 */
import type { Device, OutPacket } from '../../src/io/device.js';
import { fillTcpChecksum } from '../../src/io/segment-header.js';
import { outPacket } from '../unit/tcp-packet.js';
import { ForwardingDevice } from './forwarding-device.js';

const FIN_PSH = 0x09;

export class SegmentingDevice extends ForwardingDevice {
  /** Super-segments, and the segments of which they consisted. */
  supers = 0;
  cut = 0;
  /** Packets whose checksum was complete already. */
  complete = 0;

  constructor(
    inner: Device,
    readonly segmentation = 65535,
  ) {
    super(inner);
  }

  override send(path: number, packet: OutPacket): boolean {
    const whole = new Uint8Array(packet.length);
    packet.copyTo(whole, 0);
    if (packet.partial === 0) this.complete++;
    if (packet.segment === 0) return this.#pass(path, whole);
    if (packet.length > this.segmentation) throw new Error(`${packet.length} octets are too many`);
    const view = new DataView(whole.buffer);
    const v4 = (whole[0] as number) >> 4 === 4;
    const tcp = packet.partial;
    const header = tcp + ((whole[tcp + 12] as number) >> 4) * 4;
    this.supers++;
    for (let at = header, n = 0; at < whole.length; at += packet.segment, n++) {
      const last = at + packet.segment >= whole.length;
      const payload = whole.subarray(at, Math.min(at + packet.segment, whole.length));
      const segment = new Uint8Array(header + payload.length);
      segment.set(whole.subarray(0, header));
      segment.set(payload, header);
      const out = new DataView(segment.buffer);
      if (v4) {
        out.setUint16(2, segment.length);
        out.setUint16(4, view.getUint16(4) + n);
        fillIpChecksum(out);
      } else {
        out.setUint16(4, segment.length - 40);
      }
      out.setUint32(tcp + 4, view.getUint32(tcp + 4) + (at - header));
      if (!last) out.setUint8(tcp + 13, view.getUint8(tcp + 13) & ~FIN_PSH);
      this.cut++;
      this.#pass(path, segment);
    }
    return true;
  }

  #pass(path: number, packet: Uint8Array): boolean {
    fillTcpChecksum(packet);
    return this.inner.send(path, outPacket(packet));
  }
}

function fillIpChecksum(header: DataView): void {
  header.setUint16(10, 0);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += header.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  header.setUint16(10, ~sum);
}
