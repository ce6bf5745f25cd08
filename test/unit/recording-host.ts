/** A `DeviceHost` that keeps what it is given. */
import type { Checksum, Device, DeviceHost, Path } from '../../src/io/device.js';

export interface Received {
  readonly path: number;
  readonly packet: Uint8Array;
  readonly checksum: Checksum;
}

export interface ReceivedSegment {
  readonly path: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
  readonly localPort: number;
  readonly segment: Uint8Array;
  readonly joined: number;
}

export class RecordingHost implements DeviceHost {
  readonly received: Received[] = [];
  readonly segments: ReceivedSegment[] = [];
  readonly states: [path: number, up: boolean][] = [];
  readonly unsegmented: number[] = [];
  readonly congestions: Uint8Array[] = [];
  writables = 0;
  /** Packets it still takes. */
  room = Infinity;

  receive(path: number, packet: Uint8Array, checksum: Checksum): boolean {
    if (this.room === 0) return false;
    this.room--;
    this.received.push({ path, packet: packet.slice(), checksum });
    return true;
  }

  receiveSegment(
    path: number,
    remote: Uint8Array,
    remotePort: number,
    localPort: number,
    segment: Uint8Array,
    joined = 0,
  ): boolean {
    this.segments.push({
      path,
      remote: remote.slice(),
      remotePort,
      localPort,
      segment: segment.slice(),
      joined,
    });
    return true;
  }

  noSegmentation(path: number): void {
    this.unsegmented.push(path);
  }

  congested(header: Uint8Array): void {
    this.congestions.push(header.slice());
  }

  writable(): void {
    this.writables++;
  }

  pathState(path: number, up: boolean): void {
    this.states.push([path, up]);
  }
}

export function path(id: number, address: string, mtu = 1500): Path {
  return { id, name: `test${String(id)}`, address, mtu };
}

/** Attaches and returns the error's code, or null. Fails if the device does not answer before it returns. */
export function attachNow(device: Device, to: Path): string | null {
  let code: string | null | undefined;
  device.attach(to, (error) => {
    code = error?.code ?? null;
  });
  if (code === undefined) throw new Error('attach did not answer');
  return code;
}

/** Binds and returns the port, or the error's code. Fails if the device does not answer before it returns. */
export function bindNow(device: Device, pathId: number, port: number): number | string {
  let result: number | string | undefined;
  device.bind(pathId, port, (error, bound) => {
    result = error?.code ?? bound;
  });
  if (result === undefined) throw new Error('bind did not answer');
  return result;
}
