/**
 * Segments that carry on the one in hand become part of it before it is handled, as in the receive offload (GRO) of
 * Linux: a sender's burst differs in sequence numbers and payload only, and costs little more than one segment then.
 */
import {
  CHECKSUM_GOOD,
  CHECKSUM_PARTIAL,
  RX_CHECKSUM,
  RX_LEN,
  RX_PATH,
  RX_PLACED,
  RX_PTR,
  RX_SIZE,
  TCP_ESTABLISHED,
} from '../abi';
import { MIB_InSegs } from '../mib';
import { get16, get32, get8 } from '../bytes';
import { fold, sum16 } from '../checksum';
import { countBy } from '../counters';
import { ACK, PSH, seg } from '../wire/segment';
import { tcpSumRight } from '../wire/tcp';
import { Subflow } from './subflow';

/** Payload of a joined segment at most; a mapping's length has 16 bits. */
const MOST: u32 = 65000;

/**
 * The segment in hand lies in the receive descriptor `at`, `following` more come after it. Joins those of them that
 * carry it on; only what is next in order, since the others are acknowledged one by one. Returns how many.
 */
export function coalesce(sf: Subflow, at: usize, following: u32): u32 {
  if (load<u32>(at + RX_PLACED) != 0) return 0;
  if (seg.flags != ACK || seg.length == 0 || seg.seq != sf.rcvNxt || sf.oooCount != 0 || sf.state != TCP_ESTABLISHED) {
    return 0;
  }
  const first = seg.length;
  let joined: u32 = 0;
  while (joined < following && seg.flags == ACK) {
    at += RX_SIZE;
    if (!joinNext(at)) break;
    joined++;
  }
  if (joined != 0) {
    if (seg.joined == 0) seg.joined = first;
    countBy(MIB_InSegs, joined);
  }
  return joined;
}

/** Joins the packet of a descriptor if it is the next segment of the same burst, and sound. */
@inline
function joinNext(at: usize): bool {
  const before = at - RX_SIZE;
  const packet: usize = load<u32>(at + RX_PTR);
  const given = load<u32>(at + RX_CHECKSUM);
  const end = seg.payload + seg.length;
  if (load<u32>(at + RX_PLACED) != 0) return false;
  if (packet < end || load<u64>(at + RX_PATH) != load<u64>(before + RX_PATH)) return false; // checksum state as well
  const ipLength = <u32>(seg.tcp - seg.packet);
  const headerLength = <u32>(seg.payload - seg.packet);
  const length = load<u32>(at + RX_LEN);
  if (length <= headerLength || !sameIp(packet, ipLength)) return false;
  const total = seg.family == 4 ? get16(packet + 2) : get16(packet + 4) + ipLength;
  const tcp = packet + ipLength;
  if (total <= headerLength || total > length || !sameTcp(tcp, headerLength - ipLength)) return false;
  const n = total - headerLength;
  if (get32(tcp + 4) != seg.seq + seg.length || seg.length + n > MOST) return false;
  if (seg.family == 4 && fold(sum16(packet, ipLength, 0)) != 0xffff) return false;
  if (given != CHECKSUM_GOOD && !tcpSumRight(seg, tcp, total - ipLength, given == CHECKSUM_PARTIAL)) return false;
  seg.flags = get8(tcp + 13);
  memory.copy(end, packet + headerLength, n); // over headers, the packet's own as well
  seg.length += n;
  seg.tcpLength += n;
  return true;
}

/** All but length, identification and checksum. */
@inline
function sameIp(packet: usize, length: u32): bool {
  const first = seg.packet;
  if (seg.family == 4) {
    return (
      length == 20 &&
      load<u16>(packet) == load<u16>(first) &&
      load<u32>(packet, 6) == load<u32>(first, 6) &&
      load<u64>(packet, 12) == load<u64>(first, 12)
    );
  }
  return (
    load<u32>(packet) == load<u32>(first) && load<u16>(packet, 6) == load<u16>(first, 6) && same(packet, first, 8, 40)
  );
}

/** All but sequence number, checksum and PSH. */
@inline
function sameTcp(tcp: usize, length: u32): bool {
  const first = seg.tcp;
  return (
    load<u32>(tcp) == load<u32>(first) &&
    load<u32>(tcp, 8) == load<u32>(first, 8) &&
    load<u8>(tcp, 12) == load<u8>(first, 12) &&
    (get8(tcp + 13) & ~PSH) == ACK &&
    load<u16>(tcp, 14) == load<u16>(first, 14) &&
    same(tcp, first, 20, length)
  );
}

/** Octets `from` to before `to`, a multiple of four. */
@inline
function same(a: usize, b: usize, from: u32, to: u32): bool {
  let i = from;
  for (; i + 8 <= to; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  return i == to || load<u32>(a + i) == load<u32>(b + i);
}
