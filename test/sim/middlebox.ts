/**
 * A scripted middlebox on the path of one host: every packet that the host sends or gets is parsed, given to the
 * script, and built anew from what the script returns.
 */
import { Checksum, type Device, type DeviceHost, type OutPacket } from '../../src/io/device.js';
import type { Direction, Script } from '../middlebox/scripts.js';
import { buildPacket, parsePacket } from '../packet/segment.js';
import { ForwardingDevice } from '../support/forwarding-device.js';
import { outPacket } from '../unit/tcp-packet.js';

export class Middlebox extends ForwardingDevice {
  #host: DeviceHost | null = null;

  constructor(
    inner: Device,
    readonly script: Script,
  ) {
    super(inner);
  }

  override open(host: DeviceHost): void {
    this.#host = host;
    this.inner.open({
      receive: (path, packet) => this.#pass(path, packet, 'down'),
      receiveSegment: (...all) => host.receiveSegment(...all),
      noSegmentation: (path) => host.noSegmentation(path),
      congested: (header) => host.congested(header),
      writable: () => host.writable(),
      pathState: (path, up) => host.pathState(path, up),
    });
  }

  override send(path: number, packet: OutPacket): boolean {
    const octets = new Uint8Array(packet.length);
    packet.copyTo(octets, 0);
    return this.#pass(path, octets, 'up');
  }

  #pass(path: number, packet: Uint8Array, from: Direction): boolean {
    for (const { segment, direction } of this.script(parsePacket(packet), from)) {
      const octets = buildPacket({ ...segment, raw: '' });
      if (direction === 'up') this.inner.send(path, outPacket(octets));
      else this.#host?.receive(path, octets, Checksum.Unknown);
    }
    return true;
  }
}
