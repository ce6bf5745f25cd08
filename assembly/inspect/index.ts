/**
 * The packet dissector: every export of inspect.wasm, through which as-bind passes arrays, strings and 64-bit numbers.
 * It reads with the same sources as the core (wire/, mptcp/keys.ts), which both compilers therefore accept.
 */
import { get8, get16 } from '../bytes';
import { dssChecksum as dssSum, fold, pseudo4, pseudo6, sum16 } from '../checksum';
import { addAddrHmac as hmacOfAddress, idsnOf, joinHmac as hmacOfJoin, tokenOf } from '../mptcp/keys';
import { seg } from '../wire/segment';
import { parseTcpHeader, TCP_CHECKSUM_AT, TCP_HEADER } from '../wire/tcp';
import { locateTcp, partial } from './ip';
import {
  CHECKSUM_BAD,
  CHECKSUM_GOOD,
  CHECKSUM_OFFLOADED,
  CHECKSUM_UNVERIFIED,
  PROBLEM_NONE,
  PROBLEM_TCP_CUT,
  PROBLEM_TCP_MALFORMED,
  W_ACK,
  W_DESTINATION_PORT,
  W_FLAGS,
  W_OUTER,
  W_PAYLOAD,
  W_PAYLOAD_CAPTURED,
  W_PROBLEM,
  W_SEQ,
  W_SOURCE_PORT,
  W_TCP_CHECKSUM,
  W_TCP_CHECKSUM_STATE,
  W_TCP_HEADER,
  W_URGENT,
  W_WINDOW,
} from './layout';
import { walkOptions } from './options';
import { getWord, setWord, words } from './words';

/**
 * Reads an IP packet of which `packet` holds the first octets; on the wire it had `length`. Returns the words of
 * layout.ts, valid until the next call.
 */
export function dissect(packet: Uint8Array, length: u32): Uint64Array {
  memory.fill(words.dataStart, 0, words.byteLength);
  const captured = <u32>packet.length;
  const start = packet.dataStart;
  let problem = locateTcp(start, captured, max<u32>(length, captured), seg);
  if (problem == PROBLEM_NONE) problem = tcp(start, captured);
  setWord(W_PROBLEM, problem);
  return words;
}

function tcp(packet: usize, captured: u32): u32 {
  const at = seg.tcp;
  const end = packet + captured;
  if (at + TCP_HEADER > end) return seg.tcpLength < TCP_HEADER ? PROBLEM_TCP_MALFORMED : PROBLEM_TCP_CUT;
  const header = parseTcpHeader(seg);
  if (header == 0) return PROBLEM_TCP_MALFORMED;
  setWord(W_TCP_HEADER, header);
  setWord(W_SOURCE_PORT, seg.srcPort);
  setWord(W_DESTINATION_PORT, seg.dstPort);
  setWord(W_SEQ, seg.seq);
  setWord(W_ACK, seg.ack);
  setWord(W_FLAGS, get16(at + 12) & 0xfff);
  setWord(W_WINDOW, seg.window);
  setWord(W_TCP_CHECKSUM, get16(at + TCP_CHECKSUM_AT));
  setWord(W_URGENT, get16(at + 18));
  setWord(W_PAYLOAD, seg.length);
  if (seg.payload < end) setWord(W_PAYLOAD_CAPTURED, min<u32>(seg.length, <u32>(end - seg.payload)));
  setWord(W_TCP_CHECKSUM_STATE, checksumState());
  walkOptions(packet, at + TCP_HEADER, min(seg.payload, end), seg);
  return seg.payload > end ? PROBLEM_TCP_CUT : PROBLEM_NONE;
}

function checksumState(): u32 {
  const field = get16(seg.tcp + TCP_CHECKSUM_AT);
  // Inside UDP, whose own checksum guards the segment, nobody computes this one.
  if (partial || getWord(W_OUTER) != 0) return CHECKSUM_UNVERIFIED;
  const pseudo =
    seg.family == 4
      ? pseudo4(seg.srcPtr, seg.dstPtr, seg.tcpLength)
      : pseudo6(seg.srcPtr, seg.dstPtr, seg.tcpLength);
  if (fold(sum16(seg.tcp, seg.tcpLength, pseudo)) == 0xffff) return CHECKSUM_GOOD;
  return field == fold(pseudo) ? CHECKSUM_OFFLOADED : CHECKSUM_BAD;
}

/** Token of the host that owns the key. */
export function token(key: u64): u32 {
  return tokenOf(key);
}

/** Initial data sequence number of the host that owns the key. */
export function idsn(key: u64): u64 {
  return idsnOf(key);
}

const DIGEST = memory.data(32, 8);

/** HMAC of a join as 64 hexadecimal digits; A is the host that sends it. */
export function joinHmac(keyA: u64, keyB: u64, nonceA: u32, nonceB: u32): string {
  hmacOfJoin(keyA, keyB, nonceA, nonceB, DIGEST);
  let text = '';
  for (let i: usize = 0; i < 32; i++) text += hex(get8(DIGEST + i));
  return text;
}

function hex(octet: u32): string {
  return DIGITS.charAt(octet >> 4) + DIGITS.charAt(octet & 15);
}

const DIGITS = '0123456789abcdef';

/** HMAC of an ADD_ADDR; `address` has 4 or 16 octets, port 0 is none. */
export function addAddrHmac(keySender: u64, keyReceiver: u64, id: u32, address: Uint8Array, port: u32): u64 {
  return hmacOfAddress(keySender, keyReceiver, <u8>id, address.dataStart, address.length, <u16>port);
}

/** One's-complement sum of octets, of which the first is at an even place. */
export function octetSum(octets: Uint8Array): u32 {
  return fold(sum16(octets.dataStart, octets.length, 0));
}

/** DSS checksum of a mapping whose payload has this sum (`octetSum`). */
export function dssChecksum(dsn: u64, ssn: u32, length: u32, sum: u32): u32 {
  return dssSum(dsn, ssn, <u16>length, bswap<u16>(<u16>sum));
}
