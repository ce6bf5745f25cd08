import { expect } from 'chai';
import { checkBalia, checkEquilibrium, checkLia, checkOlia, checkWvegas } from './congestion-vectors.js';
import { addressOctets, fromHex, patternOctets, toHex, u32, u64 } from './octets.js';
import { Has, checkMalformed, checkParsed, checkWritten, parseSegment } from './option-vectors.js';
import { onBothBuilds, type Probe } from './probe.js';
import {
  readVectors,
  ruleLength,
  type DssVector,
  type HmacVector,
  type LiveItem,
  type TcpVector,
  type Vectors,
} from './vectors.js';

const vectors = readVectors();

/** How one entry of each list is checked. Answers of a live kernel (live_linux_probe) need the whole stack. */
const checks: { [K in ListName]: (p: Probe, entry: Vectors[K][number]) => void } = {
  tokens: (p, vector) => {
    p.x.sha256(p.put(fromHex(vector.key.slice(2))), 8, p.base + OUT);
    expect(toHex(p.get(p.base + OUT, 32))).to.equal(vector.sha256);
    expect(u32(p.x.tokenOf(BigInt(vector.key)))).to.equal(Number(vector.token_v1));
  },
  idsn: (p, vector) => {
    expect(u64(p.x.idsnOf(BigInt(vector.key)))).to.equal(BigInt(vector.idsn_v1));
  },
  hmac_kernel_kunit: (p, vector) => {
    const key = Buffer.from(vector.key_ascii, 'ascii');
    const message = Buffer.from(vector.msg_ascii, 'ascii');
    p.x.hmac(p.put(key), key.length, p.put(message, 64), message.length, p.base + OUT);
    expect(toHex(p.get(p.base + OUT, 32))).to.equal(vector.hmac_sha256);
    expect(joinHmac(p, vector.key1, vector.key2, vector.nonce1, vector.nonce2)).to.equal(vector.hmac_sha256);
  },
  hmac_synack: (p, vector) => {
    const full = joinHmac(p, vector.key_b, vector.key_a, vector.nonce_b, vector.nonce_a);
    expect(full).to.equal(vector.hmac_full);
    expect(full.slice(0, 16)).to.equal(vector.wire_8);
  },
  hmac_ack: (p, vector) => {
    const full = joinHmacOf(p, vector);
    expect(full).to.equal(vector.hmac_full);
    expect(full.slice(0, 40)).to.equal(vector.wire_20);
  },
  hmac_addaddr: (p, vector) => {
    const address = addressOctets(vector.address);
    const hmac = p.x.addAddrHmac(
      BigInt(vector.key_sender),
      BigInt(vector.key_receiver),
      vector.addr_id,
      p.put(address),
      address.length,
      vector.port ?? 0,
    );
    expect(u64(hmac)).to.equal(BigInt(`0x${vector.wire_8_rightmost}`));
  },
  dss_checksum: (p, vector) => {
    const payload = dssPayload(vector);
    const sum = p.x.sum16(p.put(payload), payload.length, 0n);
    expect(p.x.fold(sum), vector.name).to.equal(Number(vector.payload_sum));
    const checksum = p.x.dssChecksum(BigInt(vector.dsn), vector.ssn, vector.data_level_length, sum);
    expect(checksum, vector.name).to.equal(Number(vector.checksum));
  },
  dss_checksum_split: (p, vector) => {
    const payload = patternOctets(ruleLength(vector.payload_rule));
    const at = p.put(payload);
    const first = p.x.sum16(at, vector.split_at, 0n);
    const second = p.x.sum16(at + vector.split_at, payload.length - vector.split_at, 0n);
    expect(p.x.fold(first)).to.equal(Number(vector.sum_first));
    expect(p.x.fold(second)).to.equal(Number(vector.sum_second));
    expect(p.x.fold(p.x.swap16(second))).to.equal(Number(vector.sum_second_byteswapped));
    expect(p.x.fold(first + p.x.swap16(second))).to.equal(Number(vector.combined));
  },
  tcp_checksum_v4: (p, vector) => {
    checkTcpChecksum(p, vector, 4);
  },
  tcp_checksum_v6: (p, vector) => {
    checkTcpChecksum(p, vector, 16);
  },
  options: (p, vector) => {
    checkParsed(p, vector);
    checkWritten(p, vector);
  },
  malformed_options: (p, vector) => {
    checkMalformed(p, vector.name, fromHex(vector.bytes));
  },
  dsn_expand32: (p, vector) => {
    const expanded = u64(p.x.dsnExpand(BigInt(vector.reference), Number(vector.wire32)));
    expect(expanded).to.equal(BigInt(vector.expanded));
  },
  lia_steps: checkLia,
  olia_steps: checkOlia,
  balia_steps: checkBalia,
  wvegas_steps: checkWvegas,
  cc_equilibrium: checkEquilibrium,
};

/** Packets of two Linux hosts, by the kind of check; `null`: the packet has to parse, no more. */
const liveChecks: Record<string, ((p: Probe, item: LiveItem) => void) | null> = {
  seen: null,
  add_addr_hmac: (p, item) => {
    const { x } = p;
    const length = x.addFamily() === 4 ? 4 : 16;
    const [sender, receiver] = [liveKey(item.key_sender), liveKey(item.key_receiver)];
    const hmac = x.addAddrHmac(sender, receiver, x.addId(), x.addAt(), length, x.addPort());
    expect(x.addHmac()).to.equal(hmac);
  },
  'join_syn token found': (p, item) => {
    expect(p.x.joinToken()).to.equal(p.x.tokenOf(liveKey(item.receiver_key)));
  },
  join_synack_hmac: (p, item) => {
    expect(u32(p.x.joinNonce())).to.equal(Number(`0x${item.nonce_b ?? ''}`));
    const sent = toHex(p.get(p.x.joinHmacAt(), 8));
    const [keyA, keyB, nonceA, nonceB] = liveJoin(item);
    expect(joinHmac(p, keyB, keyA, nonceB, nonceA).slice(0, 16)).to.equal(sent);
  },
  join_ack_hmac: (p, item) => {
    const sent = toHex(p.get(p.x.joinHmacAt(), 20));
    expect(joinHmac(p, ...liveJoin(item)).slice(0, 40)).to.equal(sent);
  },
  dss_checksum: (p, item) => {
    const { x } = p;
    const payload = fromHex(item.payload ?? '');
    expect(u64(x.dssDsn())).to.equal(BigInt(item.dsn ?? ''));
    expect(x.dssSsn()).to.equal(item.ssn);
    expect(x.dssDataLength()).to.equal(item.data_level_length);
    expect((x.dssFlags() & 0x10) !== 0).to.equal(item.data_fin);
    expect(x.dssChecksumField()).to.equal(Number(item.checksum));
    const sum = x.sum16(p.put(payload, OUT), payload.length, 0n);
    expect(x.dssChecksum(x.dssDsn(), x.dssSsn(), x.dssDataLength(), sum)).to.equal(x.dssChecksumField());
  },
  mp_capable_data_checksum: (p, item) => {
    const { x } = p;
    const payload = fromHex(item.payload ?? '');
    const dsn = x.idsnOf(x.capSenderKey()) + 1n;
    expect(u64(dsn)).to.equal(BigInt(item.dsn ?? ''));
    const sum = x.sum16(p.put(payload, OUT), payload.length, 0n);
    expect(x.dssChecksum(dsn, item.ssn ?? 0, x.capDataLength(), sum)).to.equal(x.capChecksum());
  },
  fastclose_key_is_receiver_key: (p) => {
    // The connection's first data carried the key of the host that receives MP_FASTCLOSE.
    const key = u64(p.x.fastcloseKey());
    const keys = vectors.live_linux.items
      .filter((item) => item.check === 'mp_capable_data_checksum')
      .map((item) => BigInt(`0x${item.bytes.slice(8, 24)}`));
    expect(keys).to.include(key);
  },
};

type ListName = Exclude<keyof Vectors, 'meta' | 'live_linux' | 'live_linux_probe'>;

/** Where results go, above every input. */
const OUT = 1 << 17;

onBothBuilds('vectors', (probe) => {
  for (const name of Object.keys(checks) as ListName[]) {
    it(`${name}: ${String(vectors.meta.counts[name])}`, () => {
      let checked = 0;
      const check = checks[name] as (p: Probe, entry: unknown) => void;
      for (const entry of vectors[name]) {
        check(probe(), entry);
        checked++;
      }
      expect(checked).to.equal(vectors.meta.counts[name]);
      expect(checked).to.be.greaterThan(0);
    });
  }

  it('live_linux: packets of two Linux hosts', () => {
    const p = probe();
    let checked = 0;
    for (const item of vectors.live_linux.items) {
      const check = liveChecks[item.check];
      if (check === undefined) expect.fail(`no check for ${item.check}`);
      const options = fromHex(item.bytes);
      const padded = new Uint8Array(Math.ceil(options.length / 4) * 4).fill(1);
      padded.set(options);
      const seen = parseSegment(p, padded, Number(item.tcp_flags), item.payload_len);
      expect(seen & Has.multipath, `frame ${String(item.frame)}`).to.not.equal(0);
      check?.(p, item);
      checked++;
    }
    expect(checked).to.equal(28);
  });
});

describe('vectors', () => {
  it('every list of the file is known, and counted', () => {
    const lists = Object.keys(vectors).filter((name) => name !== 'meta');
    expect([...Object.keys(checks), 'live_linux', 'live_linux_probe']).to.have.members(lists);
    const counted = Object.keys(vectors.meta.counts);
    expect([...Object.keys(checks), 'live_linux_probe']).to.have.members(counted);
  });
});

function joinHmac(p: Probe, keyA: string, keyB: string, nonceA: string, nonceB: string): string {
  p.x.joinHmac(BigInt(keyA), BigInt(keyB), Number(nonceA), Number(nonceB), p.base + OUT);
  return toHex(p.get(p.base + OUT, 32));
}

function joinHmacOf(p: Probe, vector: HmacVector): string {
  return joinHmac(p, vector.key_a, vector.key_b, vector.nonce_a, vector.nonce_b);
}

function liveKey(key: string | undefined): bigint {
  return BigInt(`0x${key ?? ''}`);
}

function liveJoin(item: LiveItem): [string, string, string, string] {
  return [
    `0x${item.key_a ?? ''}`,
    `0x${item.key_b ?? ''}`,
    `0x${item.nonce_a ?? ''}`,
    `0x${item.nonce_b ?? ''}`,
  ];
}

function dssPayload(vector: DssVector): Uint8Array {
  if (vector.payload !== null) return fromHex(vector.payload);
  return patternOctets(ruleLength(vector.payload_rule ?? ''));
}

/** Segments are written out in hexadecimal, a long payload by its rule: `...+payload(byte i=(i*7+3) mod 256, n)`. */
function checkTcpChecksum(p: Probe, vector: TcpVector, addressLength: 4 | 16): void {
  const [, header, length] = /^([0-9a-f]+)(?:\+payload\(byte i=\(i\*7\+3\) mod 256, (\d+)\))?$/.exec(
    vector.segment_with_zero_checksum,
  ) ?? [undefined, '', ''];
  const segment = Uint8Array.of(...fromHex(header ?? ''), ...patternOctets(Number(length ?? 0)));
  const src = p.put(addressOctets(vector.src), OUT);
  const dst = p.put(addressOctets(vector.dst), OUT + 16);
  const { x } = p;
  const pseudo =
    addressLength === 4 ? x.pseudo4(src, dst, segment.length) : x.pseudo6(src, dst, segment.length);
  expect(x.checksum(x.sum16(p.put(segment), segment.length, pseudo)), vector.name).to.equal(
    Number(vector.checksum),
  );
  // A receiver sums the segment with its checksum: all ones.
  const sent = Uint8Array.from(segment);
  sent[16] = Number(vector.checksum) >> 8;
  sent[17] = Number(vector.checksum) & 255;
  expect(x.fold(x.sum16(p.put(sent), sent.length, pseudo))).to.equal(0xffff);
}
