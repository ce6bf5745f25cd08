/**
 * The network of the demo, all of it in the sending process: two loopback addresses whose packets go through links
 * like Wi-Fi and LTE. A link holds back what is sent for the whole round trip; acknowledgements come back at once.
 */
import type { Device, Path } from '../io/device.js';
import { ShapedDevice } from '../io/shaped.js';
import type { Timers } from '../io/timers.js';
import type { LinkOptions } from '../sim/link-options.js';

export interface DemoPath {
  readonly name: string;
  /** Local address. */
  readonly address: string;
  /** What people read. */
  readonly description: string;
  readonly link: LinkOptions;
}

export const WIFI: DemoPath = {
  name: 'Wi-Fi',
  address: '127.0.0.2',
  description: '40 Mbit/s, 15 ms round trip',
  link: { rate: 40e6, delay: 15_000, queue: 150_000 },
};

export const LTE: DemoPath = {
  name: 'LTE',
  address: '127.0.0.3',
  description: '20 Mbit/s, 50 ms round trip',
  link: { rate: 20e6, delay: 50_000, queue: 200_000 },
};

export const RECEIVER = '127.0.0.4';

/** The largest packet of Ethernet, Wi-Fi and LTE. Loopback's own 64 KB would make coarse links. */
export const MTU = 1500;

/** Shapes the paths of one host, and takes them away and back. */
export class DemoLinks {
  #device: ShapedDevice | null = null;
  /** Path ids by address. */
  readonly #ids = new Map<string, number>();

  /** For `HostOptions.wrapDevice`. */
  readonly wrap = (device: Device, timers: Timers): Device => {
    this.#device = new ShapedDevice(device, timers, {
      link: ({ id, address }: Path) => {
        this.#ids.set(address, id);
        return [WIFI, LTE].find((path) => path.address === address)?.link ?? null;
      },
    });
    return this.#device;
  };

  /** Cuts or joins a path in both directions, as when an interface goes away or comes back. */
  setUp(path: DemoPath, up: boolean): void {
    const id = this.#ids.get(path.address);
    if (id !== undefined) this.#device?.setUp(id, up, true);
  }
}
