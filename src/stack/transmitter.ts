/** Takes packets out of the core's transmit ring to the devices of their paths; one that is full gets them later. */
import type { Core } from '../core/core.js';
import type { Device, Path } from '../io/device.js';
import type { Backlog } from './backlog.js';
import { Outgoing } from './outgoing.js';

/** Where the packets of a path go. */
export interface Outlet {
  readonly path: Path;
  readonly device: Device;
  /** What the device refused. */
  readonly backlog: Backlog;
}

export class Transmitter {
  readonly #core: Core;
  readonly #outlets: ReadonlyMap<number, Outlet>;
  readonly #outgoing: Outgoing;
  /** Paths whose device was full. */
  readonly #stalled = new Set<Outlet>();

  /** `outlets` by path. */
  constructor(core: Core, outlets: ReadonlyMap<number, Outlet>) {
    this.#core = core;
    this.#outlets = outlets;
    this.#outgoing = new Outgoing(core);
  }

  /** Empties the ring. */
  transmit(): void {
    const { x } = this.#core;
    const packet = this.#outgoing;
    for (let n = x.txPending(); n > 0; n--) {
      const path = packet.load(x.txFirst());
      const outlet = this.#outlets.get(path);
      if (outlet !== undefined && packet.length > 0) {
        const { backlog, device } = outlet;
        if (!backlog.isEmpty || !device.send(path, packet)) {
          backlog.push(packet);
          if (!this.#stalled.has(outlet)) x.setPathBlocked(path, 1);
          this.#stalled.add(outlet);
        }
      }
      x.txDone(1);
    }
  }

  /** Some device takes packets again. */
  resume(): void {
    for (const outlet of this.#stalled) {
      const { path, device, backlog } = outlet;
      if (!backlog.drain((packet) => device.send(path.id, packet))) continue;
      this.#stalled.delete(outlet);
      this.#core.x.setPathBlocked(path.id, 0);
    }
  }

  /** A path is gone. */
  forget(outlet: Outlet): void {
    this.#stalled.delete(outlet);
  }
}
