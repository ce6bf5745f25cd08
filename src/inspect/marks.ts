/** What a packet means in its connection, beyond its own fields. */

/** Outcome of a check; `unverified`: keys, nonces or octets that it needs were not captured. */
export type Verdict = 'good' | 'bad' | 'unverified';

export type Mark =
  // TCP
  | { readonly kind: 'retransmission'; readonly octets: number; readonly acked: boolean }
  | { readonly kind: 'outOfOrder' }
  /** Octets before this segment were not captured, or not yet. */
  | { readonly kind: 'gap'; readonly octets: number }
  | { readonly kind: 'duplicateAck'; readonly count: number }
  | { readonly kind: 'windowUpdate' }
  | { readonly kind: 'zeroWindow' }
  | { readonly kind: 'windowProbe' }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'badChecksum' }
  // Data sequence space
  | { readonly kind: 'reinjection'; readonly of: string; readonly octets: number }
  /** The same data again on the same subflow, under other subflow sequence numbers. */
  | { readonly kind: 'repeatedData'; readonly octets: number }
  /** Data that the peer has DATA_ACKed already. */
  | { readonly kind: 'oldData'; readonly octets: number }
  /** This many octets before it are still missing. */
  | { readonly kind: 'dataAhead'; readonly octets: number }
  /** With this segment the data is complete up to a relative data sequence number. */
  | { readonly kind: 'dataComplete'; readonly to: number }
  | { readonly kind: 'unmapped'; readonly octets: number }
  | { readonly kind: 'dataFin' }
  | { readonly kind: 'dataFinAcked' }
  | { readonly kind: 'dssChecksum'; readonly verdict: Verdict; readonly dsn: number; readonly length: number }
  | { readonly kind: 'infiniteMapping' }
  // Handshakes and signals
  | { readonly kind: 'newSubflow'; readonly from: string; readonly to: string }
  | { readonly kind: 'joinHmac'; readonly verdict: Verdict }
  /** The SYN/ACK of a join has no MP_JOIN. */
  | { readonly kind: 'joinIgnored' }
  | { readonly kind: 'unknownToken' }
  | { readonly kind: 'wrongKey' }
  | { readonly kind: 'addAddrHmac'; readonly verdict: Verdict }
  | { readonly kind: 'echoOf'; readonly announced: boolean }
  | { readonly kind: 'fallback'; readonly reason: string }
  | { readonly kind: 'fastclose'; readonly verdict: Verdict }
  | { readonly kind: 'reset'; readonly reason: string | null };

export type MarkKind = Mark['kind'];

/** How much attention a mark deserves. */
export type Weight = 'error' | 'warning' | 'note';

export function weightOf(mark: Mark): Weight {
  if ('verdict' in mark) return mark.verdict === 'bad' ? 'error' : 'note';
  return WEIGHTS[mark.kind] ?? 'note';
}

export function markText(mark: Mark): string {
  switch (mark.kind) {
    case 'retransmission':
      return mark.acked ? 'retransmission of acknowledged data' : 'retransmission';
    case 'outOfOrder':
      return 'out of order';
    case 'gap':
      return `${String(mark.octets)} octets before it missing`;
    case 'duplicateAck':
      return `duplicate ACK ${String(mark.count)}`;
    case 'windowUpdate':
      return 'window update';
    case 'zeroWindow':
      return 'zero window';
    case 'windowProbe':
      return 'window probe';
    case 'keepalive':
      return 'keepalive';
    case 'badChecksum':
      return 'TCP checksum bad';
    case 'reinjection':
      return `reinjection of ${mark.of}`;
    case 'repeatedData':
      return 'data repeated';
    case 'oldData':
      return 'data acknowledged already';
    case 'dataAhead':
      return `ahead of ${String(mark.octets)} octets`;
    case 'dataComplete':
      return `complete to ${String(mark.to)}`;
    case 'unmapped':
      return 'no mapping';
    case 'dataFin':
      return 'DATA_FIN';
    case 'dataFinAcked':
      return 'DATA_FIN acknowledged';
    case 'dssChecksum':
      return `DSS checksum ${mark.verdict}`;
    case 'infiniteMapping':
      return 'infinite mapping';
    case 'newSubflow':
      return `${mark.from} > ${mark.to}`;
    case 'joinHmac':
      return `HMAC ${mark.verdict}`;
    case 'joinIgnored':
      return 'join not answered';
    case 'unknownToken':
      return 'token unknown';
    case 'wrongKey':
      return 'key is not the one of the SYN/ACK';
    case 'addAddrHmac':
      return `HMAC ${mark.verdict}`;
    case 'echoOf':
      return mark.announced ? 'echo' : 'echo of nothing';
    case 'fallback':
      return `falls back: ${mark.reason}`;
    case 'fastclose':
      return `fastclose, key ${mark.verdict}`;
    case 'reset':
      return mark.reason === null ? 'reset' : `reset: ${mark.reason}`;
  }
}

/** RFC 8684 section 3.6. */
export function resetReason(reason: number): string {
  return RESET_REASONS[reason] ?? `reason ${String(reason)}`;
}

const RESET_REASONS: readonly string[] = [
  'unspecified error',
  'Multipath TCP error',
  'lack of resources',
  'administratively prohibited',
  'too much outstanding data',
  'unacceptable performance',
  'middlebox interference',
];

const WEIGHTS: Partial<Record<MarkKind, Weight>> = {
  retransmission: 'warning',
  outOfOrder: 'warning',
  gap: 'warning',
  duplicateAck: 'warning',
  zeroWindow: 'warning',
  badChecksum: 'error',
  reinjection: 'warning',
  repeatedData: 'warning',
  oldData: 'warning',
  unmapped: 'error',
  infiniteMapping: 'error',
  joinIgnored: 'error',
  unknownToken: 'error',
  wrongKey: 'error',
  fallback: 'error',
  reset: 'error',
};
