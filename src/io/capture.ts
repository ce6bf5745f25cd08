/**
 * A device around a device that writes what passes to a capture: outgoing packets as the inner device took them,
 * incoming ones before the host sees them. TCP segments that travel in UDP are written as plain IP packets.
 */
import type { Clock } from '../core/clock.js';
import type { PlaitError } from '../errors.js';
import type { Checksum, Device, DeviceHost, DeviceStats, OutPacket, Path } from './device.js';
import { Direction, PcapngWriter, type CaptureSink } from './pcapng.js';
import { fillTcpChecksum, writeIpHeader } from './segment-header.js';
import { parseAddress } from './virtual-device.js';

export interface CaptureOptions {
  /** Wall-clock time at the clock's zero, in microseconds since 1970. Default 0. */
  readonly epoch?: number;
  /** A comment for a packet (for people, in Wireshark's packet details), or null. The packet is valid only during the call. */
  readonly comment?: (path: Path, direction: Direction, packet: Uint8Array) => string | null;
}

/** Wraps `device`. `sink` gets the capture file's octets in order; `clock` is the one that the stack uses. */
export function capture(
  device: Device,
  clock: Clock,
  sink: CaptureSink,
  options: CaptureOptions = {},
): Device {
  return new CaptureDevice(device, clock, new PcapngWriter(sink), options);
}

class CaptureDevice implements Device {
  readonly #inner: Device;
  readonly #clock: Clock;
  readonly #writer: PcapngWriter;
  readonly #epoch: number;
  readonly #comment: CaptureOptions['comment'];
  readonly #paths = new Map<number, CapturedPath>();
  #scratch = new Uint8Array(2048);

  constructor(inner: Device, clock: Clock, writer: PcapngWriter, options: CaptureOptions) {
    this.#inner = inner;
    this.#clock = clock;
    this.#writer = writer;
    this.#epoch = options.epoch ?? 0;
    this.#comment = options.comment;
  }

  get kind(): Device['kind'] {
    return this.#inner.kind;
  }

  get overhead(): number {
    return this.#inner.overhead;
  }

  get needsChecksum(): boolean {
    return this.#inner.needsChecksum;
  }

  get segmentation(): number {
    return this.#inner.segmentation ?? 0;
  }

  statistics(): DeviceStats {
    return this.#inner.statistics?.() ?? { dropped: null, paths: [] };
  }

  hidesEcn(address: string): boolean {
    return this.#inner.hidesEcn?.(address) ?? false;
  }

  open(host: DeviceHost): void {
    this.#inner.open({
      receive: (path: number, packet: Uint8Array, checksum: Checksum, segment?: number) => {
        this.#write(path, Direction.Inbound, packet);
        return host.receive(path, packet, checksum, segment);
      },
      receiveSegment: (path, remote, remotePort, localPort, segment, joined) => {
        this.#writeSegment(path, remote, remotePort, localPort, segment);
        return host.receiveSegment(path, remote, remotePort, localPort, segment, joined);
      },
      batchOver: () => {
        host.batchOver?.();
      },
      noSegmentation: (path) => {
        host.noSegmentation(path);
      },
      congested: (header) => {
        host.congested(header);
      },
      writable: () => {
        host.writable();
      },
      pathState: (path, up) => {
        host.pathState(path, up);
      },
    });
  }

  attach(path: Path, done: (error: PlaitError | null) => void): void {
    // Before the inner device, which may deliver packets at once.
    if (!this.#paths.has(path.id)) {
      const address = parseAddress(path.address);
      const description = `path ${String(path.id)}: ${path.address}`;
      const number = this.#writer.addInterface({ name: path.name, description, ...(address && { address }) });
      this.#paths.set(path.id, { path, number, address });
    }
    this.#inner.attach(path, done);
  }

  changed(path: number): PlaitError | null {
    return this.#inner.changed?.(path) ?? null;
  }

  detach(path: number): void {
    this.#inner.detach(path);
  }

  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    this.#inner.bind(path, port, done);
  }

  unbind(path: number, port: number): void {
    this.#inner.unbind(path, port);
  }

  send(path: number, packet: OutPacket): boolean {
    // A refused packet comes again, so it is written only once it is taken.
    if (!this.#inner.send(path, packet)) return false;
    const copy = this.#room(packet.length);
    packet.copyTo(copy, 0);
    if (!this.needsChecksum) fillTcpChecksum(copy);
    this.#write(path, Direction.Outbound, copy);
    return true;
  }

  flush(): void {
    this.#inner.flush();
  }

  close(): void {
    this.#inner.close();
  }

  /** The packet that the host will see, so that the capture shows its view and not the UDP datagram's. */
  #writeSegment(
    path: number,
    remote: Uint8Array,
    remotePort: number,
    localPort: number,
    segment: Uint8Array,
  ): void {
    const local = this.#paths.get(path)?.address ?? null;
    if (local === null || local.length !== remote.length) return;
    const header = local.length === 4 ? 20 : 40;
    const packet = this.#room(header + segment.length);
    writeIpHeader(packet, remote, local);
    packet.set(segment, header);
    if (segment.length >= 4) {
      packet[header] = remotePort >> 8;
      packet[header + 1] = remotePort;
      packet[header + 2] = localPort >> 8;
      packet[header + 3] = localPort;
    }
    fillTcpChecksum(packet);
    this.#write(path, Direction.Inbound, packet);
  }

  #write(path: number, direction: Direction, packet: Uint8Array): void {
    const captured = this.#paths.get(path);
    if (captured === undefined) return;
    const comment = this.#comment?.(captured.path, direction, packet) ?? null;
    this.#writer.packet(captured.number, this.#epoch + this.#clock.now(), direction, packet, comment);
  }

  #room(length: number): Uint8Array {
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(2 * length);
    return this.#scratch.subarray(0, length);
  }
}

interface CapturedPath {
  readonly path: Path;
  /** The interface's number in the capture. */
  readonly number: number;
  readonly address: Uint8Array | null;
}
