/** What the attacker reads from the stack's packets: as little as it needs to stay in step. */

export interface Reply {
  v4: boolean;
  /** Port of the stack, port of the attacker. */
  from: number;
  to: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  length: number;
  scale: number;
  /** Timestamp, -1: none. */
  stamp: number;
  /** Key of MP_CAPABLE on SYN/ACK; 0n: none. */
  key: bigint;
  /** MP_CAPABLE or MP_JOIN is there. */
  capable: boolean;
  join: boolean;
  joinToken: number;
  joinNonce: number;
  /** DATA_ACK with its width in octets, 0: none. */
  dackWidth: number;
  dack: bigint;
  /** Data-level length of the mapping, -1: none. */
  mapLength: number;
  dsn: bigint;
  addId: number;
}

const reply: Reply = {
  v4: true,
  ...{ from: 0, to: 0, seq: 0, ack: 0, flags: 0, window: 0, length: 0, scale: -1, stamp: -1 },
  ...{ key: 0n, capable: false, join: false, joinToken: 0, joinNonce: 0 },
  ...{ dackWidth: 0, dack: 0n, mapLength: -1, dsn: 0n, addId: -1 },
};

/** Reads a packet. The result is used again by the next call. */
export function readReply(octets: Uint8Array, length: number): Reply {
  const dv = new DataView(octets.buffer, octets.byteOffset, length);
  const v4 = dv.getUint8(0) >> 4 === 4;
  const tcp = v4 ? 20 : 40;
  const header = (dv.getUint8(tcp + 12) >> 4) * 4;
  const r = reply;
  r.v4 = v4;
  r.from = dv.getUint16(tcp);
  r.to = dv.getUint16(tcp + 2);
  r.seq = dv.getUint32(tcp + 4);
  r.ack = dv.getUint32(tcp + 8);
  r.flags = dv.getUint8(tcp + 13);
  r.window = dv.getUint16(tcp + 14);
  r.length = length - tcp - header;
  r.scale = r.stamp = r.mapLength = r.addId = -1;
  r.key = 0n;
  r.capable = r.join = false;
  r.dackWidth = 0;
  for (let at = tcp + 20; at < tcp + header;) {
    const kind = dv.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const size = dv.getUint8(at + 1);
    if (kind === 3) r.scale = dv.getUint8(at + 2);
    else if (kind === 8) r.stamp = dv.getUint32(at + 2);
    else if (kind === 30) readMptcp(r, dv, at, size);
    at += size;
  }
  return r;
}

function readMptcp(r: Reply, dv: DataView, at: number, size: number): void {
  switch (dv.getUint8(at + 2) >> 4) {
    case 0:
      r.capable = true;
      if (size >= 12) r.key = dv.getBigUint64(at + 4);
      return;
    case 1:
      r.join = true;
      if (size === 12) r.joinToken = dv.getUint32(at + 4);
      if (size === 12) r.joinNonce = dv.getUint32(at + 8);
      if (size === 16) r.joinNonce = dv.getUint32(at + 12);
      return;
    case 2: {
      const flags = dv.getUint8(at + 3);
      let p = at + 4;
      if ((flags & 1) !== 0) {
        r.dackWidth = (flags & 2) !== 0 ? 8 : 4;
        r.dack = r.dackWidth === 8 ? dv.getBigUint64(p) : BigInt(dv.getUint32(p));
        p += r.dackWidth;
      }
      if ((flags & 4) !== 0) {
        const wide = (flags & 8) !== 0;
        r.dsn = wide ? dv.getBigUint64(p) : BigInt(dv.getUint32(p));
        p += wide ? 8 : 4;
        r.mapLength = dv.getUint16(p + 4);
      }
      return;
    }
    case 3:
      r.addId = dv.getUint8(at + 3);
  }
}
