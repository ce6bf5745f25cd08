/** The core's numbers as words, for people and for JSON. */
import * as abi from '../../assembly/abi.js';
import { PlaitError, type ErrorCode } from '../errors.js';

export const TCP_STATES = [
  'CLOSED',
  'SYN_SENT',
  'SYN_RCVD',
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSE_WAIT',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
] as const;

export const CONNECTION_STATES = [
  'OPENING',
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSE_WAIT',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSED',
] as const;

/** Reasons of `ConnectionInfo.fallback`. */
const FALLBACKS: Readonly<Record<number, string>> = {
  [abi.FALLBACK_OFF]: 'multipath is switched off here',
  [abi.FALLBACK_SYN]: 'peer or network without MP_CAPABLE',
  [abi.FALLBACK_SYN_TIMEOUT]: 'SYN with MP_CAPABLE was not answered',
  [abi.FALLBACK_ACK]: 'third packet of the handshake without MP_CAPABLE',
  [abi.FALLBACK_NO_DSS]: 'no DSS from the peer',
  [abi.FALLBACK_MAPPING]: 'a mapping that does not fit the data',
  [abi.FALLBACK_CHECKSUM]: 'wrong DSS checksum',
  [abi.FALLBACK_INFINITE]: 'infinite mapping from the peer',
  [abi.FALLBACK_MP_FAIL]: 'MP_FAIL from the peer',
  [abi.FALLBACK_BLACKHOLE]: 'SYNs with MP_CAPABLE were swallowed lately',
  [abi.FALLBACK_SIMULTANEOUS]: 'both sides opened at once',
  [abi.FALLBACK_DSS_GONE]: 'DSS from the peer ceased',
  [abi.FALLBACK_NO_MAPPING]: 'data without a mapping',
  [abi.FALLBACK_CHECKSUM_FORM]: 'DSS checksum missing or not agreed on',
};

export const fallbackName = (code: number): string | null => FALLBACKS[code] ?? null;

const CLOSES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [abi.CLOSE_REFUSED]: [
    'ECONNREFUSED',
    'the peer refused the connection; check that it listens on this port',
  ],
  [abi.CLOSE_RESET]: ['ECONNRESET', 'the peer reset the connection; try again'],
  [abi.CLOSE_TIMEOUT]: [
    'ETIMEDOUT',
    'the peer did not answer in time; check the address and the paths to it',
  ],
  [abi.CLOSE_ABORTED]: ['ECONNABORTED', 'the connection was aborted on this side'],
  [abi.CLOSE_NOMEM]: [
    'ENOBUFS',
    'out of buffer memory; lower the buffer limits or the number of connections',
  ],
  [abi.CLOSE_FASTCLOSE]: ['ECONNRESET', 'the peer aborted the connection (MP_FASTCLOSE)'],
  [abi.CLOSE_PROTOCOL]: ['ECONNRESET', 'the peer broke the protocol; capture with --pcap to see where'],
  [abi.CLOSE_LOCAL]: ['ENETDOWN', 'every path of the connection went away'],
  [abi.CLOSE_REMOVED]: ['ECONNRESET', 'the peer withdrew its last address'],
  [abi.CLOSE_UNREACHABLE]: ['EHOSTUNREACH', 'a router cannot reach the peer; check its address'],
  [abi.CLOSE_NET_UNREACHABLE]: ['ENETUNREACH', "a router has no route to the peer's network"],
  [abi.CLOSE_PROHIBITED]: ['EACCES', 'a router or the peer forbids the connection'],
  [abi.CLOSE_NO_PROTOCOL]: ['ENOPROTOOPT', 'the peer does not speak TCP'],
  [abi.CLOSE_BAD_HEADER]: ['EPROTO', 'a router or the peer does not understand our packets'],
};

const CLOSE_NAMES: Readonly<Record<number, string>> = {
  [abi.CLOSE_NORMAL]: 'closed',
  [abi.CLOSE_REFUSED]: 'refused',
  [abi.CLOSE_RESET]: 'reset',
  [abi.CLOSE_TIMEOUT]: 'timeout',
  [abi.CLOSE_ABORTED]: 'aborted',
  [abi.CLOSE_NOMEM]: 'no memory',
  [abi.CLOSE_FASTCLOSE]: 'fastclose',
  [abi.CLOSE_PROTOCOL]: 'protocol error',
  [abi.CLOSE_LOCAL]: 'path closed',
  [abi.CLOSE_REMOVED]: 'address removed',
  [abi.CLOSE_UNREACHABLE]: 'host unreachable',
  [abi.CLOSE_NET_UNREACHABLE]: 'network unreachable',
  [abi.CLOSE_PROHIBITED]: 'prohibited',
  [abi.CLOSE_NO_PROTOCOL]: 'no such protocol',
  [abi.CLOSE_BAD_HEADER]: 'header not understood',
};

export const closeName = (reason: number): string => CLOSE_NAMES[reason] ?? 'closed';

/** The error of a connection that ended for this reason; null for an orderly end. */
export function closeError(reason: number): PlaitError | null {
  const entry = CLOSES[reason];
  return entry === undefined ? null : new PlaitError(entry[0], entry[1]);
}

const ERRNOS: Readonly<Record<number, number>> = {
  [abi.CLOSE_REFUSED]: 111,
  [abi.CLOSE_RESET]: 104,
  [abi.CLOSE_TIMEOUT]: 110,
  [abi.CLOSE_NOMEM]: 105,
  [abi.CLOSE_PROTOCOL]: 71,
  [abi.CLOSE_UNREACHABLE]: 113,
  [abi.CLOSE_NET_UNREACHABLE]: 101,
  [abi.CLOSE_PROHIBITED]: 13,
  [abi.CLOSE_NO_PROTOCOL]: 92,
  [abi.CLOSE_BAD_HEADER]: 71,
};

/** Linux' number for an end that is an error; 0 for one that was wanted. */
export const errnoOf = (reason: number): number => ERRNOS[reason] ?? 0;

/** The error for a negative result of a core command. */
export function commandError(code: number, what: string): PlaitError {
  switch (code) {
    case abi.E_HANDLE:
      return new PlaitError('ERR_SOCKET_CLOSED', `${what}: the connection is closed`);
    case abi.E_INUSE:
      return new PlaitError('EADDRINUSE', `${what}: address and port are in use; choose another port`);
    case abi.E_LIMIT:
      return new PlaitError('ENOBUFS', `${what}: a limit is reached; close something or raise it`);
    case abi.E_NOMEM:
      return new PlaitError('ENOBUFS', `${what}: out of memory; lower the buffer limits`);
    case abi.E_STATE:
      return new PlaitError('EPIPE', `${what}: not possible in the connection's state`);
    default:
      return new PlaitError('EINVAL', `${what}: an argument is out of range`);
  }
}
