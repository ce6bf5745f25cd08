/** Watches the local addresses over which subflows can run, on whatever platform lists them. */
import type { Cancel, Timers } from '../io/timers.js';

/** One usable address of an interface that is up. */
export interface LocalAddress {
  /** Interface name ("eth0"). */
  readonly name: string;
  /** The system's number of the interface, which one that is made again gets anew; 0: unknown. */
  readonly index: number;
  /** In text form, without zone. */
  readonly address: string;
  readonly family: 4 | 6;
  /** Largest IP packet in octets. */
  readonly mtu: number;
  readonly loopback: boolean;
  /** 169.254.0.0/16 or fe80::/10. */
  readonly linkLocal: boolean;
}

/** Lists the addresses of every interface that is up at this moment. Throws if they cannot be known now. */
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
  /** Whether an address that is listed no more is still this machine's: only its interface is down. Default: it is not. */
  readonly holds?: (address: string) => boolean;
}

/** What happened since the last call. */
export interface AddressChanges {
  readonly added: readonly LocalAddress[];
  readonly removed: readonly LocalAddress[];
  /** Their interface went down, or came up again with the same address. */
  readonly down: readonly LocalAddress[];
  readonly up: readonly LocalAddress[];
  /** The interface has another MTU or name, or is another one. It is up, whether it was before or not. */
  readonly changed: readonly AddressChange[];
}

export interface AddressChange {
  readonly before: LocalAddress;
  readonly now: LocalAddress;
}

export type OnAddresses = (changes: AddressChanges) => void;

export interface InterfaceWatch {
  /** The addresses as of the last look, without those that are down. */
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
  #down: readonly LocalAddress[] = [];
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
    const { holds = (): boolean => false } = this.#options;
    const [before, downBefore] = [this.addresses, this.#down];
    const now = this.#look();
    if (now === null) return;
    const isIn = (list: readonly LocalAddress[], one: LocalAddress): boolean =>
      list.some((other) => same(one, other));
    const added = now.filter((one) => !isIn(before, one) && !isIn(downBefore, one));
    const gone = [...before, ...downBefore].filter((one) => !isIn(now, one));
    const changed: AddressChange[] = [];
    for (const [at, one] of [...gone.entries()].reverse()) {
      const found = added.findIndex((other) => succeeds(one, other));
      if (found < 0) continue;
      gone.splice(at, 1);
      for (const other of added.splice(found, 1)) changed.push({ before: one, now: other });
    }
    const held = gone.filter(
      ({ address }) => !now.some((other) => other.address === address) && holds(address),
    );
    this.addresses = now;
    this.#down = held;
    const changes: AddressChanges = {
      added,
      removed: gone.filter((one) => !isIn(held, one)),
      down: held.filter((one) => !isIn(downBefore, one)),
      up: now.filter((one) => isIn(downBefore, one)),
      changed,
    };
    if (Object.values(changes).some((list: readonly unknown[]) => list.length > 0)) this.#onChange(changes);
  }

  /** Null: the system cannot tell now, and all is taken to be as before. */
  #look(): LocalAddress[] | null {
    try {
      return selectAddresses(this.#options.source(), this.#options);
    } catch {
      return null;
    }
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
  return a.address === b.address && a.name === b.name && a.mtu === b.mtu && a.index === b.index;
}

/** Whether the second is the first one still. A link-local address means something at its own interface only. */
function succeeds(a: LocalAddress, b: LocalAddress): boolean {
  return a.address === b.address && (!a.linkLocal || (a.name === b.name && a.index === b.index));
}
