/** TCP options as scripts write them. */

export type OptionSpec =
  | { readonly kind: 'nop' | 'eol' | 'sackOK' }
  | { readonly kind: 'mss' | 'wscale'; readonly value: number }
  | { readonly kind: 'sack'; readonly blocks: readonly (readonly [left: number, right: number])[] }
  | { readonly kind: 'timestamp'; readonly val: number; readonly ecr: number }
  | { readonly kind: 'fastopen'; readonly experimental: boolean; readonly cookie: Buffer }
  | { readonly kind: 'md5'; readonly digest: Buffer }
  /** Any kind by number, with the octets after its length. */
  | { readonly kind: 'raw'; readonly option: number; readonly data: Buffer }
  | MptcpSpec;

export type MptcpSpec =
  | MpCapableSpec
  | MpJoinSynSpec
  | MpJoinSynAckSpec
  | MpJoinAckSpec
  | DssSpec
  | AddAddressSpec
  | { readonly kind: 'remove_address'; readonly ids: readonly number[] }
  /** `id` is a form of version 0. */
  | { readonly kind: 'mp_prio'; readonly backup: boolean; readonly id: number | null }
  | { readonly kind: 'mp_fail'; readonly dsn: DataNumber | null }
  | { readonly kind: 'mp_fastclose'; readonly key: KeySpec | null; readonly plus: bigint }
  | { readonly kind: 'mp_reset'; readonly reason: number; readonly transient: boolean };

/** A bare name stands for a key known or learnt here; `name = N` gives it a value. */
export interface KeySpec {
  readonly name: string;
  readonly value: bigint | null;
}

export interface MpCapableSpec {
  readonly kind: 'mp_capable';
  readonly version: 0 | 1;
  readonly flags: number;
  /** None, the sender's, or the sender's and the receiver's. */
  readonly keys: readonly KeySpec[];
  /** Data-level length; null: the option has none. */
  readonly length: number | null;
  /** Beside the length. */
  readonly checksum: 'none' | 'auto' | number;
}

export type TokenSpec =
  | { readonly kind: 'auto' }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'hash'; readonly hash: 'sha1' | 'sha256'; readonly key: string };

export type HmacSpec =
  | { readonly kind: 'auto' }
  | { readonly kind: 'number'; readonly value: bigint }
  /** Names of the sender's key and of the receiver's. */
  | { readonly kind: 'keys'; readonly sender: string; readonly receiver: string };

export interface MpJoinSynSpec {
  readonly kind: 'mp_join_syn';
  readonly backup: boolean;
  /** null: auto. */
  readonly id: number | null;
  readonly token: TokenSpec;
  readonly nonce: number | null;
}

export interface MpJoinSynAckSpec {
  readonly kind: 'mp_join_syn_ack';
  readonly backup: boolean;
  readonly id: number | null;
  readonly hmac: HmacSpec;
  readonly nonce: number | null;
}

export interface MpJoinAckSpec {
  readonly kind: 'mp_join_ack';
  readonly hmac: HmacSpec;
}

/** A data sequence number or acknowledgment. */
export type DataNumber =
  /** From the initial number of whoever numbers this data: 1 is the first octet. */
  | { readonly kind: 'relative'; readonly value: bigint }
  /** Lowest 64 bits of the hash of a key, by name or by value, and so many more. */
  | {
      readonly kind: 'hash';
      readonly key: string | bigint;
      readonly hash: 'sha1' | 'sha256' | null;
      readonly plus: bigint;
    };

export interface DataField {
  readonly width: 4 | 8;
  /** null: auto. */
  readonly value: DataNumber | null;
}

export interface DssSpec {
  readonly kind: 'dss';
  readonly dack: DataField | null;
  readonly dsn: DataField | null;
  /** null: auto. */
  readonly ssn: number | null;
  readonly length: number | null;
  /** No checksum at all, a right one, or this one. */
  readonly checksum: 'none' | 'auto' | number;
  readonly fin: boolean;
}

export interface AddAddressSpec {
  readonly kind: 'add_address';
  readonly id: number | null;
  readonly name: string;
  /** Given beside the name; null: known, or learnt. */
  readonly address: string | null;
  readonly port: number | null;
  /** null: an echo. */
  readonly hmac: 'auto' | bigint | null;
}
