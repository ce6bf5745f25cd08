/**
 * A scripted middlebox on the path of one host: every packet that the host sends or gets is parsed, given to the
 * script, and built anew from what the script returns.
 */
import type { PlaitError } from '../../src/errors.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from '../../src/io/device.js';
import type { Direction, Script } from '../middlebox/scripts.js';
import { buildPacket, parsePacket } from '../packet/segment.js';

export class Middlebox implements Device {
  readonly kind = 'memory';
  readonly overhead = 0;
  readonly needsChecksum = true;
  #host: DeviceHost | null = null;

  constructor(
    readonly inner: Device,
    readonly script: Script,
  ) {}

  open(host: DeviceHost): void {
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

  send(path: number, packet: OutPacket): boolean {
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

  attach(path: Path, done: (error: PlaitError | null) => void): void {
    this.inner.attach(path, done);
  }
  detach(path: number): void {
    this.inner.detach(path);
  }
  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    this.inner.bind(path, port, done);
  }
  unbind(path: number, port: number): void {
    this.inner.unbind(path, port);
  }
  flush(): void {
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
}

const outPacket = (octets: Uint8Array): OutPacket => ({
  length: octets.length,
  segment: 0,
  partial: 0,
  copyTo: (target, offset) => {
    target.set(octets, offset);
    return octets.length;
  },
});
