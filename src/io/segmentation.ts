/** Cuts a packet into its segments as the kernel's offload would, for where it does not. */
import { FRONT, OutBatch } from './out-batch.js';
import { fillIpChecksum, fillPseudoSum } from './segment-header.js';

/**
 * The segments of a packet with `segment` > 0, copied. Each has the packet's header with its own length, sequence number
 * and identification; CWR stands on the first, PSH and FIN on the last (as RFC 3168 section 6.1.2 and TSO have it).
 */
export function cut(packet: OutBatch): OutBatch {
  const { headerLength, segment, partial, length } = packet;
  const whole = new Uint8Array(length);
  packet.copyTo(whole, 0);
  const count = Math.ceil((length - headerLength) / segment);
  const slot = (FRONT + headerLength + segment + 15) & ~15;
  const pieces = new OutBatch(count);
  const memory = new Uint8Array(count * slot);
  pieces.clear(memory);
  for (let i = 0; i < count; i++) {
    const from = headerLength + i * segment;
    const payload = Math.min(segment, length - from);
    const at = i * slot + FRONT;
    memory.set(whole.subarray(0, headerLength), at);
    memory.set(whole.subarray(from, from + payload), at + headerLength);
    fit(memory.subarray(at, at + headerLength + payload), partial, i, i * segment, i === count - 1);
    pieces.add(at, headerLength, at + headerLength, payload, 0, 0, 0, partial);
  }
  return pieces;
}

/** Makes the copied header of piece `i` its own. `tcp`: where TCP's header begins; `offset`: of its payload. */
function fit(piece: Uint8Array, tcp: number, i: number, offset: number, last: boolean): void {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
  if ((piece[0] as number) >> 4 === 4) {
    view.setUint16(2, piece.length);
    view.setUint16(4, view.getUint16(4) + i);
    fillIpChecksum(piece);
  } else {
    view.setUint16(4, piece.length - 40);
  }
  view.setUint32(tcp + 4, view.getUint32(tcp + 4) + offset);
  let flags = view.getUint8(tcp + 13);
  if (i > 0) flags &= ~CWR;
  if (!last) flags &= ~(FIN | PSH);
  view.setUint8(tcp + 13, flags);
  fillPseudoSum(piece);
}

const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;
