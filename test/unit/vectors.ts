/** The vector file test/vectors/vectors.json, as far as the tests read it. 64-bit numbers are hex strings. */
import { readFileSync } from 'node:fs';

export interface HmacVector {
  key_a: string;
  key_b: string;
  nonce_a: string;
  nonce_b: string;
  hmac_full: string;
}

export interface DssVector {
  name: string;
  dsn: string;
  ssn: number;
  data_level_length: number;
  payload: string | null;
  payload_rule: string | null;
  payload_sum: string;
  checksum: string;
}

export interface TcpVector {
  name: string;
  src: string;
  dst: string;
  segment_with_zero_checksum: string;
  checksum: string;
}

/** Fields of an option; which are present depends on the subtype. */
export interface OptionFields {
  subtype: number;
  A?: number;
  B?: number;
  C?: number;
  H?: number;
  F?: number;
  m?: number;
  M?: number;
  a?: number;
  E?: number;
  T?: number;
  sender_key?: string;
  receiver_key?: string;
  data_level_length?: number;
  implied_dsn?: string;
  checksum?: string;
  addr_id?: number;
  receiver_token?: string;
  sender_nonce?: string;
  truncated_hmac?: string | null;
  hmac?: string;
  data_ack?: string;
  dsn?: string;
  ssn?: number;
  address?: string;
  port?: number | null;
  addr_ids?: number[];
  reason?: number;
}

export interface OptionVector {
  name: string;
  version: number;
  bytes: string;
  padded_in_header: string;
  tcp_flags: string;
  payload_len: number;
  fields: OptionFields;
}

export interface StepVector {
  cwnd_pkts: number[];
  rtt_s: number[];
  alpha: number | number[];
  increase_per_acked_pkt: number[];
}

export interface LiveItem {
  frame: number;
  bytes: string;
  tcp_flags: string;
  payload_len: number;
  check: string;
  key_sender?: string;
  key_receiver?: string;
  receiver_key?: string;
  key_a?: string;
  key_b?: string;
  nonce_a?: string;
  nonce_b?: string;
  dsn?: string;
  ssn?: number;
  data_level_length?: number;
  data_fin?: boolean;
  checksum?: string;
  payload?: string;
}

export interface Vectors {
  meta: { counts: Record<string, number> };
  tokens: { key: string; sha256: string; token_v1: string }[];
  idsn: { key: string; idsn_v1: string }[];
  hmac_kernel_kunit: {
    key_ascii: string;
    key1: string;
    key2: string;
    msg_ascii: string;
    nonce1: string;
    nonce2: string;
    hmac_sha256: string;
  }[];
  hmac_synack: (HmacVector & { wire_8: string })[];
  hmac_ack: (HmacVector & { wire_20: string })[];
  hmac_addaddr: {
    key_sender: string;
    key_receiver: string;
    addr_id: number;
    address: string;
    port: number | null;
    wire_8_rightmost: string;
  }[];
  dss_checksum: DssVector[];
  dss_checksum_split: {
    payload_rule: string;
    split_at: number;
    sum_first: string;
    sum_second: string;
    sum_second_byteswapped: string;
    combined: string;
  }[];
  tcp_checksum_v4: TcpVector[];
  tcp_checksum_v6: TcpVector[];
  options: OptionVector[];
  malformed_options: { name: string; bytes: string; expected: string }[];
  dsn_expand32: { reference: string; wire32: string; expanded: string }[];
  lia_steps: (StepVector & { alpha: number; which: string[]; after_loss: number[] })[];
  olia_steps: (StepVector & { alpha: number[]; l_bytes: number[]; M: number[]; B: number[] })[];
  balia_steps: (StepVector & { alpha: number[]; decrease_pkts: number[]; cwnd_after_loss: number[] })[];
  wvegas_steps: {
    cwnd: number;
    base_rtt_us: number;
    rtt_us: number;
    alpha_in: number;
    other_instant_rates_q16: number[];
    queue_delay_in_us: number;
    result: {
      diff: number;
      alpha: number;
      cwnd: number;
      queue_delay_us: number;
      drained: boolean;
      instant_rate_q16: number | null;
    };
  }[];
  cc_equilibrium: {
    loss: number[];
    rtt_s: number[];
    tcp_rate_pkts: number[];
    lia_window: number[];
    lia_rate: number[];
    lia_total: number;
    olia_total: number;
    ewtcp_total_a_1_over_n2: number;
  }[];
  live_linux: { items: LiveItem[] };
  live_linux_probe: unknown[];
}

export function readVectors(): Vectors {
  const file = new URL('../../../test/vectors/vectors.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Vectors;
}

/** The payload of a DSS vector, written out or by the generator's rule. */
export function ruleLength(rule: string): number {
  const match = /^byte i = \(i\*7\+3\) mod 256, length (\d+)$/.exec(rule);
  if (match === null) throw new Error(`unknown payload rule: ${rule}`);
  return Number(match[1]);
}
