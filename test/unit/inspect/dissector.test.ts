import { expect } from 'chai';
import type { Dissection, TcpOption } from '../../../src/inspect/dissection.js';
import { loadDissector, type Dissector } from '../../../src/inspect/dissector.js';
import { addressOctets, fromHex, patternOctets, randomOctets } from '../octets.js';
import { readVectors, ruleLength, type OptionFields, type OptionVector } from '../vectors.js';
import { ipPacket, malformedOptions, tcpSegment, vectorPacket, vectorPackets } from './packets.js';

const vectors = readVectors();

describe('the dissector', () => {
  let dissector: Dissector;

  before(async () => {
    dissector = await loadDissector();
  });

  it('reads every option vector', () => {
    for (const vector of vectors.options) {
      const option = multipathOption(dissector.dissect(vectorPacket(vector)));
      expect(option.standing, vector.name).to.equal(standing(vector));
      if (option.name === 'other') continue;
      expect(exact(asVector(option)), vector.name).to.deep.equal(comparable(vector.fields));
    }
  });

  it('shows malformed options and reads on behind them', () => {
    for (const { name, bytes } of vectors.malformed_options) {
      const octets = fromHex(bytes);
      const { tcp, problem } = dissector.dissect(ipPacket({ options: malformedOptions(octets) }));
      expect(problem, name).to.equal(null);
      const option = tcp?.options.find(({ kind }) => kind === 30);
      const expected = name.startsWith('subtype 9')
        ? 'unknown'
        : name === 'DSS with zero flags'
          ? 'read'
          : 'malformed';
      expect(option?.standing, name).to.equal(expected);
      const overruns = (octets[1] ?? 0) > octets.length || (octets[1] ?? 0) < 2;
      expect(
        tcp?.options.some((later) => later.name === 'timestamps'),
        name,
      ).to.equal(!overruns);
    }
  });

  it('shows what an option says that stands on the wrong packet', () => {
    const reset = Uint8Array.of(0x1e, 4, 0x81, 2);
    expect(multipathOption(dissector.dissect(ipPacket({ options: reset })))).to.include({
      standing: 'misplaced',
      name: 'mp_tcprst',
      transient: true,
      reason: 2,
    });
    const size = Uint8Array.of(2, 4, 5, 0xb4);
    const { tcp } = dissector.dissect(ipPacket({ options: size }));
    expect(tcp?.options[0]).to.include({ name: 'mss', size: 1460, standing: 'misplaced' });
  });

  it('shows what options of version 0 say, which a stack refuses', () => {
    const options: [string, object][] = [
      ['1e0834020a000201', { addressId: 2, address: '10.0.2.1', port: null, hmac: null, echo: false }],
      ['1e0a34030a00020101bb0101', { addressId: 3, address: '10.0.2.1', port: 443, hmac: null }],
      ['1e14360420010db8000000000000000000000001', { addressId: 4, address: '2001:db8::1', port: null }],
      ['1e16360520010db800000000000000000000000101bb0101', { address: '2001:db8::1', port: 443, hmac: null }],
      ['1e045107', { name: 'mp_prio', backup: true, addressId: 7 }],
      ['1e045009', { name: 'mp_prio', backup: false, addressId: 9 }],
    ];
    for (const [hex, fields] of options) {
      const option = multipathOption(dissector.dissect(ipPacket({ options: fromHex(hex) })));
      expect(option, hex).to.include({ standing: 'refused', ...fields });
    }
    // The other version's length, an unknown one, and a priority too long.
    for (const hex of [
      '1e0836020a000201',
      '1e0832020a000201',
      '1e14340420010db8000000000000000000000001',
      '1e05510701010101',
    ]) {
      const { tcp } = dissector.dissect(ipPacket({ options: fromHex(hex) }));
      expect(tcp?.options[0]?.standing, hex).to.equal('malformed');
    }
  });

  it('keeps options in their order, repetitions marked', () => {
    const prio = [0x1e, 3, 0x51, 1];
    const { tcp } = dissector.dissect(ipPacket({ options: Uint8Array.of(...prio, ...prio, 0, 0, 0, 0) }));
    expect(tcp?.options.map((option) => `${option.name} ${option.standing}`)).to.deep.equal([
      'mp_prio read',
      'nop read',
      'mp_prio repeated',
      'nop read',
      'end read',
    ]);
  });

  it('derives what the vectors derive', () => {
    for (const { key, token_v1 } of vectors.tokens) {
      expect(dissector.token(BigInt(key))).to.equal(Number(token_v1));
    }
    for (const { key, idsn_v1 } of vectors.idsn) {
      expect(dissector.idsn(BigInt(key))).to.equal(BigInt(idsn_v1));
    }
    for (const { key_a, key_b, nonce_a, nonce_b, hmac_full } of vectors.hmac_ack) {
      const hmac = dissector.joinHmac(BigInt(key_a), BigInt(key_b), Number(nonce_a), Number(nonce_b));
      expect(hmac).to.equal(hmac_full);
    }
    for (const v of vectors.hmac_addaddr) {
      const [sender, receiver] = [BigInt(v.key_sender), BigInt(v.key_receiver)];
      const hmac = dissector.addAddrHmac(sender, receiver, v.addr_id, addressOctets(v.address), v.port);
      expect(hmac).to.equal(BigInt(`0x${v.wire_8_rightmost}`));
    }
    for (const v of vectors.dss_checksum) {
      const payload =
        v.payload !== null ? fromHex(v.payload) : patternOctets(ruleLength(v.payload_rule ?? ''));
      const sum = dissector.octetSum(payload);
      expect(sum, v.name).to.equal(Number(v.payload_sum));
      expect(dissector.dssChecksum(BigInt(v.dsn), v.ssn, v.data_level_length, sum), v.name).to.equal(
        Number(v.checksum),
      );
    }
  });

  it('judges the TCP checksum', () => {
    const payload = patternOctets(101);
    for (const [source, destination] of [
      ['10.0.0.1', '10.0.0.2'],
      ['2001:db8::1', '2001:db8::2'],
    ] as const) {
      const packet = ipPacket({ source, destination, payload });
      const start = source.includes(':') ? 40 : 20;
      const state = (octets: Uint8Array, length = octets.length): string | undefined =>
        dissector.dissect(octets, length).tcp?.checksumState;
      expect(state(packet)).to.equal('good');
      expect(state(packet.subarray(0, packet.length - 1), packet.length)).to.equal('unverified');
      const changed = packet.slice();
      changed[packet.length - 1]! ^= 1;
      expect(state(changed)).to.equal('bad');
      // What is in the field before the network card completes it: the sum of the pseudo header.
      const pseudo = packet.slice();
      pseudo.fill(0, start);
      const view = new DataView(pseudo.buffer);
      const rest = new Uint8Array(packet.length - start);
      rest.set(packet.subarray(start));
      rest.fill(0, 16, 18);
      const whole = ~new DataView(packet.buffer).getUint16(start + 16) & 0xffff;
      const difference = whole - dissector.octetSum(rest);
      const offloaded = packet.slice();
      view.setUint16(0, difference < 0 ? difference + 0xffff : difference);
      offloaded.set(pseudo.subarray(0, 2), start + 16);
      expect(state(offloaded)).to.equal('offloaded');
    }
  });

  it('reads TCP inside UDP when the ports repeat', () => {
    const segment = tcpSegment({ sourcePort: 4000, destinationPort: 5000, payload: patternOctets(9) });
    const around = (source: number, destination: number): Uint8Array => {
      const packet = ipPacket({ payload: new Uint8Array(8 + segment.length - 20) });
      packet[9] = 17;
      const view = new DataView(packet.buffer);
      view.setUint16(20, source);
      view.setUint16(22, destination);
      view.setUint16(24, 8 + segment.length);
      view.setUint16(26, 0);
      packet.set(segment, 28);
      return packet;
    };
    const inside = dissector.dissect(around(4000, 5000));
    expect(inside.outer).to.deep.equal({ sourcePort: 4000, destinationPort: 5000 });
    expect(inside.tcp).to.include({ sourcePort: 4000, length: 9, checksumState: 'unverified' });
    expect(dissector.dissect(around(61234, 5000)).outer?.sourcePort).to.equal(61234);
    expect(dissector.dissect(around(53, 5353)).problem).to.equal('not TCP');
  });

  it('finds TCP behind IPv6 extension headers', () => {
    const plain = ipPacket({ source: '2001:db8::1', destination: '2001:db8::2' });
    const extended = new Uint8Array(plain.length + 16);
    extended.set(plain.subarray(0, 40));
    new DataView(extended.buffer).setUint16(4, plain.length - 40 + 16);
    extended[6] = 0; // hop by hop, then destination options
    extended.set([60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0], 40);
    extended.set(plain.subarray(40), 56);
    const { ip, tcp } = dissector.dissect(extended);
    expect(ip).to.include({ headerLength: 56, protocol: 6 });
    expect(tcp).to.include({ sourcePort: 10000, checksumState: 'good' });
  });

  it('says what keeps it from reading', () => {
    const packet = ipPacket({ options: fromHex('0101080a0000000100000002'), payload: patternOctets(10) });
    const problem = (octets: Uint8Array, length = octets.length): string | null =>
      dissector.dissect(octets, length).problem;
    expect(problem(new Uint8Array())).to.equal('IP header cut off');
    expect(problem(packet.subarray(0, 19), packet.length)).to.equal('IP header cut off');
    expect(problem(packet.subarray(0, 39), packet.length)).to.equal('TCP header cut off');
    expect(problem(packet.subarray(0, 51), packet.length)).to.equal('TCP header cut off');
    expect(problem(packet.subarray(0, 52), packet.length)).to.equal(null);
    const short = packet.slice();
    short[32] = 0x40;
    expect(problem(short)).to.equal('TCP header malformed');
    const fragment = packet.slice();
    fragment[7] = 1;
    expect(problem(fragment)).to.equal('fragment');
    const ping = packet.slice();
    ping[9] = 1;
    expect(problem(ping)).to.equal('not TCP');
    expect(problem(Uint8Array.of(0x20, 0, 0))).to.equal('not IP');
  });

  it('survives every truncation of every vector packet', () => {
    for (const { name, packet } of vectorPackets(vectors)) {
      for (let length = 0; length < packet.length; length++) {
        const cut = dissector.dissect(packet.subarray(0, length), packet.length);
        const claimed = dissector.dissect(packet.subarray(0, length));
        for (const { tcp } of [cut, claimed]) {
          const captured = tcp?.payload.length ?? 0;
          expect(captured, name).to.be.at.most(length);
        }
      }
    }
  });

  it('survives random octets and does not grow', () => {
    const seeds = vectorPackets(vectors).map(({ packet }) => packet);
    const noise = randomOctets(1 << 16, 4711);
    for (let i = 0; i < 20000; i++) {
      const packet = (seeds[i % seeds.length] as Uint8Array).slice();
      for (let change = 0; change <= i % 5; change++) {
        const [at, value] = [noise[(3 * i + change) & 0xffff], noise[(7 * i + change) & 0xffff]];
        packet[(at as number) % packet.length] = value as number;
      }
      const { tcp } = dissector.dissect(packet);
      expect(tcp?.options.length ?? 0).to.be.at.most(40);
      dissector.dissect(noise.subarray(i & 0xfff, (i & 0xfff) + (i & 127)));
    }
  });
});

function multipathOption(packet: Dissection): TcpOption {
  const option = packet.tcp?.options.find(({ kind }) => kind === 30);
  if (option === undefined) throw new Error('no Multipath option');
  return option;
}

/** As in the core's tests: version 1, no unknown extension, SHA-256; experiments are unknown. */
function standing({ version, fields }: OptionVector): string {
  if (fields.subtype === 15) return 'unknown';
  if (version === 1) return fields.subtype === 0 && (fields.B === 1 || fields.H !== 1) ? 'refused' : 'read';
  return 'refused';
}

/** The option in the words of the vectors. */
function asVector(option: TcpOption): Record<string, unknown> {
  const bits = (value: number, names: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(names).map(([name, bit]) => [name, (value & bit) === 0 ? 0 : 1]));
  switch (option.name) {
    case 'mp_capable':
      return given({
        subtype: 0,
        ...bits(option.flags, { A: 0x80, B: 0x40, C: 0x20, H: 1 }),
        sender_key: option.senderKey,
        receiver_key: option.receiverKey,
        data_level_length: option.dataLength,
        checksum: option.checksum,
      });
    case 'mp_join':
      return given({
        subtype: 1,
        B: option.backup === null ? null : Number(option.backup),
        addr_id: option.addressId,
        receiver_token: option.token,
        sender_nonce: option.nonce,
        [option.nonce === null ? 'hmac' : 'truncated_hmac']: option.hmac,
      });
    case 'dss':
      return given({
        subtype: 2,
        ...bits(option.flags, { F: 0x10, m: 8, M: 4, a: 2, A: 1 }),
        data_ack: option.dataAck,
        dsn: option.mapping?.dsn ?? null,
        ssn: option.mapping?.ssn ?? null,
        data_level_length: option.mapping?.length ?? null,
        checksum: option.mapping?.checksum ?? null,
      });
    case 'add_addr':
      if (option.standing === 'refused')
        return { subtype: 3, ipver: 4, addr_id: option.addressId, address: option.address };
      return {
        subtype: 3,
        E: Number(option.echo),
        addr_id: option.addressId,
        address: option.address,
        port: option.port,
        truncated_hmac: option.hmac === null ? null : option.hmac.toString(16).padStart(16, '0'),
      };
    case 'remove_addr':
      return { subtype: 4, addr_ids: [...option.addressIds] };
    case 'mp_prio':
      return given({ subtype: 5, B: Number(option.backup), addr_id: option.addressId });
    case 'mp_fail':
      return { subtype: 6, dsn: option.dsn };
    case 'mp_fastclose':
      return { subtype: 7, receiver_key: option.key };
    case 'mp_tcprst':
      return { subtype: 8, ...bits(option.flags, { U: 8, V: 4, W: 2, T: 1 }), reason: option.reason };
    default:
      throw new Error(`no vector has ${option.name}`);
  }
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** The vector's fields, absent flags of MP_CAPABLE as 0. */
function comparable(fields: OptionFields): Record<string, unknown> {
  const result: Record<string, unknown> = { ...fields };
  delete result.version;
  delete result.implied_ssn;
  delete result.implied_dsn;
  if (fields.subtype === 0) Object.assign(result, { A: 0, B: 0, C: 0, H: 0, ...result });
  return exact(result);
}

/** Numbers of any kind as bigints: 64 bits do not fit into another. */
function exact(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const number = typeof value === 'number' || (typeof value === 'string' && value.startsWith('0x'));
      return [name, number ? BigInt(value) : value];
    }),
  );
}
