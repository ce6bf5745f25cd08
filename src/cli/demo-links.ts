/** The two paths of the demo: loopback addresses whose packets go through links like Wi-Fi and LTE. */
import type { Device, Path } from '../io/device.js';
import { ShapedDevice } from '../io/shaped.js';
import type { Timers } from '../io/timers.js';
import type { LinkOptions } from '../sim/link-options.js';

export interface DemoPath {
  readonly name: string;
  /** Local address of the sending process. */
  readonly sender: string;
  /** Local address of the receiving process. */
  readonly receiver: string;
  /** What people read: rate and round trip. */
  readonly description: string;
  /** One direction of it. Both processes shape what they send, so each adds half of the round trip. */
  readonly link: LinkOptions;
}

export const WIFI: DemoPath = {
  name: 'Wi-Fi',
  sender: '127.0.0.2',
  receiver: '127.0.0.4',
  description: '40 Mbit/s, 15 ms round trip',
  link: { rate: 40e6, delay: 7_500, queue: 150_000 },
};

export const LTE: DemoPath = {
  name: 'LTE',
  sender: '127.0.0.3',
  receiver: '127.0.0.5',
  description: '20 Mbit/s, 50 ms round trip',
  link: { rate: 20e6, delay: 25_000, queue: 200_000 },
};

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
        return PATHS.find(({ sender, receiver }) => address === sender || address === receiver)?.link ?? null;
      },
    });
    return this.#device;
  };

  /** Cuts or joins a path. With `notify` the host is told, as when an interface goes away. */
  setUp(address: string, up: boolean, notify: boolean): void {
    const id = this.#ids.get(address);
    if (id !== undefined) this.#device?.setUp(id, up, notify);
  }
}

const PATHS: readonly DemoPath[] = [WIFI, LTE];
