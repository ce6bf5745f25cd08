/**
 * The live probe of protocol.md 3.12: what was sent to a Linux 6.18 listener is sent to ours, and the answers are
 * compared with Linux' recorded ones. Deviations have their reasons in docs/protocol-deviations.md.
 */
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { root } from '../support/root.js';
import { Bench } from './bench.js';
import { idsnOf } from './crypto.js';
import { Peer, type Fields, type RelativeDss } from './peer.js';

interface Probe {
  name: string;
  sent_syn_option: string;
  replies: { tcp_flags: string; mptcp_options: string[]; payload_len: number }[];
}
const vectors = JSON.parse(readFileSync(new URL('test/vectors/vectors.json', root), 'utf8')) as {
  live_linux_probe: Probe[];
};
const probes = new Map(vectors.live_linux_probe.map((probe) => [probe.name, probe]));
/** The client key of the probe. */
const KEY = 0x0102030405060708n;

type Step = (peer: Peer) => void;

const map = (dsn: number, ssn: number, length: number, more: RelativeDss = {}): RelativeDss => ({
  dack: 1,
  dsn,
  ssn,
  length,
  ...more,
});
const send =
  (fields: Fields): Step =>
  (peer) =>
    peer.send({ flags: 'PA', ...fields });
/** MP_CAPABLE as the third ACK, with data when there is any. */
const capable =
  (data = '', receiver?: bigint): Step =>
  (peer) =>
    peer.send({
      flags: data === '' ? 'A' : 'PA',
      data,
      capable: {
        sender: KEY,
        receiver: receiver ?? peer.session.stackKey,
        ...(data === '' ? {} : { length: data.length }),
      },
    });
const verified: Step[] = [capable(), send({ data: 'hello', dss: map(1, 1, 5) })];
const first = (fields: Fields): Step[] => [capable(), send({ data: 'hello', ...fields })];
const then = (...steps: Fields[]): Step[] => [...verified, ...steps.map(send)];

/** What was sent after the SYN, by the name of the probe. */
const SCRIPTS: Record<string, Step[]> = {
  '3rd ack ok + data in MPC (5 bytes)': [capable('hello')],
  '3rd ack without option + data': [send({ data: 'hello' })],
  '3rd ack MPC20 (no data)': [capable()],
  'MPC20 then plain data, no DSS': first({}),
  'MPC20 then DSS data ok': first({ dss: map(1, 1, 5) }),
  'MPC20 then DSS, mapping longer than data': first({ dss: map(1, 1, 50) }),
  'MPC20 then DSS with DSN far beyond window': first({ dss: map(2 ** 31, 1, 5) }),
  'MPC20 then FASTCLOSE ack, right key': [
    capable(),
    (peer) => peer.send({ fastclose: peer.session.stackKey, dss: { dack: 1 } }),
  ],
  'MPC20 then FASTCLOSE ack, wrong key': [capable(), send({ flags: 'A', fastclose: 1n })],
  'MPC20 then infinite map': first({ dss: map(1, 1, 0) }),
  'MPC20 then unexpected checksum present': first({ dss: map(1, 1, 5, { checksum: 0x1234 }) }),
  'verified, then same DSN again with new SSN (data-level duplicate)': then({
    data: 'hello',
    dss: map(1, 6, 5),
  }),
  'verified, partial overlap DSN 3..7 new SSN': then({ data: 'lloXY', dss: map(3, 6, 5) }),
  'verified, DSN gap (DSN 11 before 6)': then(
    { data: 'kkkkk', dss: map(11, 6, 5) },
    { data: 'fffff', dss: map(6, 11, 5) },
  ),
  'verified, one mapping of 10 over two segments, DSS on first only': then(
    { data: 'aaaaa', dss: map(6, 6, 10) },
    { data: 'bbbbb' },
  ),
  'verified, identical mapping repeated on both halves': then(
    { data: 'aaaaa', dss: map(6, 6, 10) },
    { data: 'bbbbb', dss: map(6, 6, 10) },
  ),
  'verified, then 32-bit DSN map': then({ data: 'aaaaa', dss: map(6, 6, 5, { dsnWidth: 4 }) }),
  'verified, TCP RST': then({ flags: 'R' }),
  'verified, unknown subtype 9 then data': then({ data: 'aaaaa', dss: map(6, 6, 5), raw: '1e049000' }),
  'verified, ADD_ADDR with bad HMAC': [
    ...verified,
    (peer) => peer.addAddr({ id: 9, address: '10.77.0.1', hmac: '0000000000000000' }),
  ],
  'verified, ADD_ADDR with good HMAC': [...verified, (peer) => peer.addAddr({ id: 9, address: '10.77.0.1' })],
  'verified, infinite mapping then data': then({ data: 'aaaaa', dss: map(1, 6, 0) }, { data: 'bbbbb' }),
  'MPC20 then DSS with wrong SSN 100': first({ dss: map(1, 100, 5) }),
  'verified, then plain data without DSS': then({ data: 'world' }),
  'verified, then wrong SSN': then({ data: 'world', dss: map(6, 100, 5) }),
  'verified, coalesced segment: mapping covers first half only': then({
    data: 'worldmore!',
    dss: map(6, 6, 5),
  }),
  'verified, DSS on second half only': then({ data: 'aaaaa' }, { data: 'bbbbb', dss: map(6, 6, 10) }),
  'verified, MP_FAIL on ack': then({ flags: 'A', dss: { dack: 1 }, fail: 1 }),
};

async function run(
  name: string,
  steps: readonly Step[],
): Promise<{ bench: Bench; peer: Peer; answers: string[] }> {
  const probe = probes.get(name);
  if (probe === undefined) throw new Error(`no probe ${name}`);
  const bench = await Bench.create();
  bench.listen();
  const peer = new Peer(bench);
  peer.send({ flags: 'S', raw: probe.sent_syn_option });
  const answers = peer.drain().map((seen) => shape(seen.flags, [seen.raw]));
  for (const step of steps) {
    step(peer);
    bench.wait(1000);
    for (const seen of peer.drain()) answers.push(shape(seen.flags, [onlyMptcp(seen.raw)]));
  }
  return { bench, peer, answers };
}

/** Kind-30 options of a hex string of options. */
function onlyMptcp(raw: string): string {
  const octets = Buffer.from(raw, 'hex');
  const found: string[] = [];
  for (let at = 0; at < octets.length;) {
    const kind = octets.readUInt8(at);
    if (kind < 2) {
      at++;
      continue;
    }
    const length = octets.readUInt8(at + 1);
    if (kind === 30) found.push(octets.toString('hex', at, at + length));
    at += length;
  }
  return found.join('');
}

/** Flags and options; the server's key, random in every run, becomes "key". */
function shape(flags: string, options: readonly string[]): string {
  const text = options.map((option) => onlyMptcp(option)).join('');
  return `${flags} ${text.replace(/^1e0c0101[0-9a-f]{16}$/, '1e0c0101 key')}`.trim();
}

function linux(name: string): string[] {
  const names: Record<string, string> = { '0x12': 'SA', '0x14': 'RA', '0x10': 'A', '0x11': 'FA' };
  return (probes.get(name)?.replies ?? []).map((reply) =>
    shape(names[reply.tcp_flags] ?? reply.tcp_flags, [reply.mptcp_options.join('')]),
  );
}

describe('packets: the live probe of Linux 6.18', () => {
  it('is the probe of the client key with which these scripts work', () => {
    expect(idsnOf(KEY)).to.equal(0xf5a101d3d29d6f72n);
  });

  for (const { name } of vectors.live_linux_probe.slice(0, 13)) {
    it(`SYN: ${name}`, async () => {
      expect((await run(name, [])).answers).to.deep.equal(linux(name));
    });
  }

  it('DATA_FIN alone: acknowledged in the width of the last mapping, of which there was none', async () => {
    const name = 'MPC20 then DATA_FIN only';
    const { answers } = await run(name, [capable(), send({ flags: 'A', dss: map(1, 0, 1, { fin: true }) })]);
    expect(answers.slice(0, 2)).to.deep.equal(linux(name).slice(0, 2));
  });

  it('data with DATA_FIN: two DATA_ACKs', async () => {
    const name = 'MPC20 then data+DATA_FIN';
    const { answers } = await run(name, first({ dss: map(1, 1, 6, { fin: true }) }));
    expect(answers.slice(0, 3)).to.deep.equal(linux(name).slice(0, 3));
  });

  for (const [name, steps] of Object.entries(SCRIPTS)) {
    it(`point 4 and 8 to 11: ${name}`, async () => {
      expect((await run(name, steps)).answers).to.deep.equal(linux(name));
    });
  }
});

describe('packets: where the probe answers otherwise on purpose (docs/protocol-deviations.md)', () => {
  it('a third ACK that echoes a wrong key is no proof: plain TCP', async () => {
    const { bench, answers } = await run('3rd ack wrong echoed key + data', [capable('hello', 42n)]);
    expect(answers).to.deep.equal(['SA 1e0c0101 key', 'A']);
    expect(bench.app.text).to.equal('hello');
  });

  it('a bare FIN on the only subflow: FIN back, DATA_ACK unchanged', async () => {
    const { bench, answers } = await run(
      'verified, subflow FIN without DATA_FIN',
      then({ flags: 'FA', dss: { dack: 1 } }),
    );
    expect(answers.slice(2).some((answer) => answer === 'FA 1e0c2003f5a101d3d29d6f78')).to.equal(true);
    expect(bench.app.closed).to.equal(false);
  });
});
