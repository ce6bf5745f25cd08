/** What a script knows of Multipath TCP so far: keys and addresses by name, and per connection both keys. */
import { addressOctets, addressOf } from './wire.js';
import { initialNumber, tokenOf, type Hash } from './keys.js';
import type { Endpoint } from './flow.js';

export class MptcpConnection {
  hash: Hash = 'sha256';
  /** Keys as on the wire; null: not seen yet. */
  peerKey: bigint | null = null;
  stackKey: bigint | null = null;
  /** Next data sequence numbers of either side, counted from the initial ones. */
  peerNext = 1n;
  stackNext = 1n;

  /** Token by which the script's peer joins. */
  get stackToken(): number {
    return this.stackKey === null ? 0 : tokenOf(this.stackKey, this.hash);
  }
  get peerToken(): number {
    return this.peerKey === null ? 0 : tokenOf(this.peerKey, this.hash);
  }
  get stackIdsn(): bigint {
    return this.stackKey === null ? 0n : initialNumber(this.stackKey, this.hash);
  }
  get peerIdsn(): bigint {
    return this.peerKey === null ? 0n : initialNumber(this.peerKey, this.hash);
  }
}

/** Names of a script, whose values it gives or learns from packets. */
export class Names {
  readonly keys = new Map<string, bigint>();
  /** Keys that the script itself gave a value. */
  readonly given = new Set<string>();
  readonly addresses = new Map<string, Endpoint>();
}

/** Addresses of the script's peer with their IDs; further ones count up from the first. */
export class PeerAddresses {
  readonly #list: { id: number; address: string }[] = [];

  /** The ID of an address, which gets the next free one unless it has one. */
  idOf(address: string, id: number | null = null): number {
    const known = this.#list.find((entry) => entry.address === address && (id === null || entry.id === id));
    if (known !== undefined) return known.id;
    const chosen = id ?? (this.#list.length === 0 ? 0 : Math.max(...this.#list.map((entry) => entry.id)) + 1);
    this.#list.push({ id: chosen, address });
    return chosen;
  }

  /** The address with an ID, or a new one with it, or with the next free ID. */
  withId(id: number | null): { id: number; address: string } {
    const known = id === null ? undefined : this.#list.find((entry) => entry.id === id);
    if (known !== undefined) return known;
    const last = this.#list
      .map(({ address }) => addressOctets(address))
      .sort((a, b) => a.at(-1)! - b.at(-1)!);
    const octets = Buffer.from(last.at(-1) ?? []);
    octets[octets.length - 1]!++;
    const address = addressOf(octets);
    return { id: this.idOf(address, id), address };
  }
}
