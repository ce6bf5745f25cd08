/** Watches the local addresses over which subflows can run, on whatever platform lists them. */
import type { Cancel, Timers } from '../io/timers.js';

/** One usable address of an interface that is up. */
export interface LocalAddress {
  /** Interface name ("eth0"). */
  readonly name: string;
  /** In text form, without zone. */
  readonly address: string;
  readonly family: 4 | 6;
  /** Largest IP packet in octets. */
  readonly mtu: number;
  readonly loopback: boolean;
  /** 169.254.0.0/16 or fe80::/10. */
  readonly linkLocal: boolean;
}

/** Lists the addresses of every interface that is up at this moment. */
export type AddressSource = () => readonly LocalAddress[];

export interface AddressFilter {
  /** Only these addresses, whatever kind they are. */
  readonly include?: readonly string[];
  /** Also addresses of this machine to itself. Default false. */
  readonly loopback?: boolean;
  /** Also link-local addresses. Default false. */
  readonly linkLocal?: boolean;
}

export interface WatchOptions extends AddressFilter {
  readonly source: AddressSource;
  readonly timers: Timers;
  /** Milliseconds between two looks. Default 500. */
  readonly poll?: number;
}

/** What came and what went since the last call. An address whose MTU or interface changed goes and comes. */
export type OnAddresses = (added: readonly LocalAddress[], removed: readonly LocalAddress[]) => void;

export interface InterfaceWatch {
  /** The addresses as of the last look. */
  readonly addresses: readonly LocalAddress[];
  /** Looks now. */
  refresh(): void;
  close(): void;
}

/**
 * The first look happens before this returns and is found in `addresses`; `onChange` is called for later changes
 * only.
 */
export function watchInterfaces(options: WatchOptions, onChange: OnAddresses): InterfaceWatch {
  return new Watch(options, onChange);
}

/** The addresses that the filter lets through, in the order of `addresses`. */
export function selectAddresses(addresses: readonly LocalAddress[], filter: AddressFilter): LocalAddress[] {
  const { include, loopback = false, linkLocal = false } = filter;
  return addresses.filter((one) =>
    include === undefined
      ? (loopback || !one.loopback) && (linkLocal || !one.linkLocal)
      : include.includes(one.address),
  );
}

class Watch implements InterfaceWatch {
  addresses: readonly LocalAddress[];
  readonly #options: WatchOptions;
  readonly #onChange: OnAddresses;
  #cancel: Cancel | null = null;

  constructor(options: WatchOptions, onChange: OnAddresses) {
    this.#options = options;
    this.#onChange = onChange;
    this.addresses = selectAddresses(options.source(), options);
    this.#schedule();
  }

  refresh(): void {
    const before = this.addresses;
    const now = selectAddresses(this.#options.source(), this.#options);
    this.addresses = now;
    const added = now.filter((one) => !before.some((other) => same(one, other)));
    const removed = before.filter((one) => !now.some((other) => same(one, other)));
    if (added.length + removed.length > 0) this.#onChange(added, removed);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #schedule(): void {
    const { timers, poll = 500 } = this.#options;
    this.#cancel = timers.at(timers.now() + poll * 1000, () => {
      // Before the look: its callback may close this watch.
      this.#schedule();
      this.refresh();
    });
  }
}

function same(a: LocalAddress, b: LocalAddress): boolean {
  return a.address === b.address && a.name === b.name && a.mtu === b.mtu;
}
