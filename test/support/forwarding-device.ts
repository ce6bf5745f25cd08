/** A device around another one that passes everything on: the base of those that look at packets, or hold them up. */
import type { PlaitError } from '../../src/errors.js';
import type { Device, DeviceHost, OutPacket, Path } from '../../src/io/device.js';

export class ForwardingDevice implements Device {
  constructor(readonly inner: Device) {}
  get kind(): Device['kind'] {
    return this.inner.kind;
  }
  get overhead(): number {
    return this.inner.overhead;
  }
  get needsChecksum(): boolean {
    return this.inner.needsChecksum;
  }
  open(host: DeviceHost): void {
    this.inner.open(host);
  }
  attach(path: Path, ready: (error: PlaitError | null) => void): void {
    this.inner.attach(path, ready);
  }
  changed(path: number): PlaitError | null {
    return this.inner.changed?.(path) ?? null;
  }
  detach(path: number): void {
    this.inner.detach(path);
  }
  bind(path: number, port: number, ready: (error: PlaitError | null, port: number) => void): void {
    this.inner.bind(path, port, ready);
  }
  unbind(path: number, port: number): void {
    this.inner.unbind(path, port);
  }
  send(path: number, packet: OutPacket): boolean {
    return this.inner.send(path, packet);
  }
  flush(): void {
    this.inner.flush();
  }
  close(): void {
    this.inner.close();
  }
}
