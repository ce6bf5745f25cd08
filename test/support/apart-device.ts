/** Packets whose payload comes in a buffer of its own, as from a device whose kernel has written it there. */
import { Checksum, type DeviceHost } from '../../src/io/device.js';
import { SeededRandom } from '../../src/core/random.js';
import { ForwardingDevice } from './forwarding-device.js';

export class ApartDevice extends ForwardingDevice {
  /** Of the packets with payload, those that bring it so. */
  share = 1;
  /** Packets that had to bring it as usual, since nobody takes more buffers. */
  refused = 0;
  readonly #random = new SeededRandom(5);

  override open(host: DeviceHost): void {
    const receive = (path: number, packet: Uint8Array): boolean => {
      if (this.#random.u32() < this.share * 2 ** 32 && payloadAt(packet) < packet.length) {
        if (receiveApart(host, path, packet, 0)) return true;
        this.refused++;
      }
      return host.receive(path, packet, Checksum.Good);
    };
    this.inner.open(
      new Proxy(host, {
        get: (target, name) => {
          const value: unknown = name === 'receive' ? receive : Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      }),
    );
  }
}

/** Hands over a packet with sound checksum. False: it has no payload, or there is no room for it so. */
export function receiveApart(host: DeviceHost, path: number, packet: Uint8Array, segment: number): boolean {
  const ring = host.receiveRing;
  const header = payloadAt(packet);
  if (ring === undefined || header >= packet.length) return false;
  if (!ring.takesBuffers(1) || ring.reserve(packet.length, 1) === 0) return false;
  const at = ring.first;
  // What lies behind the headers is not the payload until the core asks for it.
  ring.memory.fill(0xee, at, at + packet.length).set(packet.subarray(0, header), at);
  ring.commit(path, at, packet.length, Checksum.Good, segment, Buffer.from(packet.subarray(header)));
  host.batchOver?.();
  return true;
}

/** Where the payload of an IP packet begins, as its headers say. */
function payloadAt(packet: Uint8Array): number {
  const first = packet[0] ?? 0;
  const ip = first >> 4 === 4 ? (first & 15) * 4 : 40;
  return ip + ((packet[ip + 12] ?? 255) >> 4) * 4;
}
