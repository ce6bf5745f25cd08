/**
 * Readers of octets and text that come from elsewhere, each as a function that throws when a reader does what it must
 * not: anything but its own error. Where two readings of the same octets have to agree, they are compared.
 */
import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { PlaitError } from '../../src/errors.js';
import { loadDissector } from '../../src/inspect/dissector.js';
import { CaptureReader } from '../../src/io/capture-reader.js';
import { Direction, PcapngWriter } from '../../src/io/pcapng.js';
import * as transfer from '../../src/transfer/protocol.js';
import { parseScript } from '../../tools/packetdrill/parser.js';
import { ScriptError } from '../../tools/packetdrill/socket-layer.js';
import { root } from '../support/root.js';
import { Probe } from '../unit/probe.js';
import { Failure } from './failure.js';

export interface Format {
  /** Inputs that are right, to be broken. */
  readonly samples: readonly Uint8Array[];
  /** Throws a `Failure`. */
  readonly read: (octets: Uint8Array) => void;
}

export const FORMAT_NAMES = ['parser', 'inspect', 'pcapng', 'packetdrill', 'transfer'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export async function loadFormat(name: FormatName): Promise<Format> {
  switch (name) {
    case 'parser':
      return parser();
    case 'inspect':
      return inspect();
    case 'pcapng':
      return { samples: captures(), read: readCapture };
    case 'packetdrill':
      return { samples: scripts(), read: readScript };
    case 'transfer':
      return { samples: messages(), read: readMessages };
  }
}

/** Right inputs with octets changed, cut out, doubled; and plain random octets. */
export function formatArbitrary({ samples }: Format): fc.Arbitrary<Uint8Array> {
  const random = fc.uint8Array({ maxLength: 400, size: 'max' });
  if (samples.length === 0) return random;
  const change = fc.tuple(fc.nat(3), fc.nat(), fc.nat(255), fc.nat(40));
  const broken = fc
    .tuple(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 8, size: 'max' }))
    .map(([sample, changes]) =>
      changes.reduce((octets, [how, at, value, count]) => breakOne(octets, how, at, value, count), sample),
    );
  return fc.oneof({ arbitrary: broken, weight: 4 }, { arbitrary: random, weight: 1 });
}

function breakOne(octets: Uint8Array, how: number, where: number, value: number, count: number): Uint8Array {
  const at = where % (octets.length + 1);
  const copy = Uint8Array.from(octets);
  switch (how) {
    case 0:
      if (at < copy.length) copy[at] = value;
      return copy;
    case 1:
      return Uint8Array.from([...copy.subarray(0, at), ...copy.subarray(at + count)]);
    case 2:
      return Uint8Array.from([
        ...copy.subarray(0, at),
        ...copy.subarray(at, at + count),
        ...copy.subarray(at),
      ]);
    default:
      return copy.subarray(0, at);
  }
}

/** Runs `read` and lets only errors of the class pass. */
function only(kind: string, allowed: new (...args: never[]) => Error, read: () => void): void {
  try {
    read();
  } catch (error) {
    if (error instanceof allowed) return;
    const { name = '', message = String(error) } = error as Partial<Error>;
    throw new Failure(kind, `${name}: ${message}`);
  }
}

// ---- TCP segments in the core -------------------------------------------------------------------------------------

const GETTERS = [
  ...(['options', 'payloadLength', 'capLength', 'capSenderKey', 'capReceiverKey', 'capDataLength'] as const),
  ...([
    'joinLength',
    'joinToken',
    'joinNonce',
    'dssFlags',
    'dssAck',
    'dssDsn',
    'dssSsn',
    'dssDataLength',
  ] as const),
  ...([
    'addId',
    'addFamily',
    'addPort',
    'addHmac',
    'rmCount',
    'failDsn',
    'fastcloseKey',
    'rstReason',
  ] as const),
];

/** What is read must not depend on what lies behind the segment. */
function parser(): Format {
  const probe = new Probe('probe.debug.wasm');
  const reading = (octets: Uint8Array, around: number): string => {
    probe.fill(probe.base, octets.length + 256, around);
    const at = probe.put(octets, 64);
    // Options that are absent leave what was there before: start from the same segment.
    const plain = probe.put(
      Uint8Array.from({ length: 20 }, (_, i) => (i === 12 ? 0x50 : 0)),
      octets.length + 128,
    );
    probe.x.parse(plain, 20);
    const good = probe.x.parse(at, octets.length);
    return good === 0 ? 'malformed' : GETTERS.map((name) => String(probe.x[name]())).join();
  };
  const read = (octets: Uint8Array): void => {
    const first = guarded(() => reading(octets, 0));
    const [has = '0', payload = '0'] = first.split(',');
    if (first === 'malformed') return;
    if (Number(payload) > octets.length - 20)
      throw new Failure('parser', `${payload} octets of payload in ${octets.length}`);
    const again = guarded(() => reading(octets, 0xff));
    if (again.split(',')[0] !== has) throw new Failure('parser', 'octets behind the segment were read');
  };
  return { samples: segments(), read };
}

function guarded(read: () => string): string {
  try {
    return read();
  } catch (error) {
    throw new Failure('trap', (error as Error).message);
  }
}

/** Segments with every option. */
function segments(): Uint8Array[] {
  const options = [
    '0204058c0402080a00000001000000000103030a1e0401010101',
    '1e0c010101020304050607080101',
    '1e1401010102030405060708111213141516171801010101',
    '1e180181010203040506070811121314151617180005abcd',
    '1e0c100166840dda010203041e041001',
    '1e1c201f0000000000000001000000000000000200000003000a1234',
    '0101080a00000001000000021e1020050000000100000002000000010005',
    '1e103001c0a800010102030405060708',
    '1e1e3002200108db000000000000000000000001005001020304050607080101',
    '1e0440011e0350011e0c60000102030405060708',
    '1e0c700001020304050607081e048001',
    '0101051200000001000000020000000300000004',
  ];
  return options.flatMap((hex) =>
    [0x02, 0x12, 0x10, 0x14].map((flags) => {
      const body = Buffer.from(hex.padEnd(Math.ceil(hex.length / 8) * 8, '01'), 'hex');
      const header = Buffer.alloc(20);
      header[12] = (5 + body.length / 4) << 4;
      header[13] = flags;
      return Uint8Array.from(Buffer.concat([header, body, Buffer.from('payload')]));
    }),
  );
}

// ---- the dissector, captures --------------------------------------------------------------------------------------

async function inspect(): Promise<Format> {
  const dissector = await loadDissector();
  const packets = segments().map((segment) => {
    const header = Buffer.from('4500000000004000400600000a0000010a000002', 'hex');
    header.writeUInt16BE(20 + segment.length, 2);
    return Uint8Array.from(Buffer.concat([header, segment]));
  });
  return {
    samples: packets,
    read: (octets) => {
      try {
        dissector.dissect(octets);
        dissector.dissect(octets, octets.length + 100);
      } catch (error) {
        throw new Failure('inspect', (error as Error).message);
      }
    },
  };
}

function readCapture(octets: Uint8Array): void {
  only('pcapng', PlaitError, () => {
    const reader = new CaptureReader();
    const half = octets.length >> 1;
    for (const chunk of [octets.subarray(0, half), octets.subarray(half)]) {
      reader.push(chunk);
      for (let frame = reader.next(), n = 0; frame !== null; frame = reader.next()) {
        if (n++ > octets.length) throw new Error('more frames than octets');
        if (frame.octets.length > octets.length) throw new Error('a frame longer than the file');
      }
    }
    reader.end();
  });
}

function captures(): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter((chunk) => void chunks.push(chunk.slice()));
  const id = writer.addInterface({ name: 'eth0', address: Uint8Array.of(10, 0, 0, 1) });
  for (const segment of segments().slice(0, 3))
    writer.packet(id, 1e15, Direction.Inbound, segment, 'a comment');
  const old = 'd4c3b2a1020004000000000000000000ffff0000650000000100000002000000040000000400000045000014';
  return [Uint8Array.from(Buffer.concat(chunks)), Uint8Array.from(Buffer.from(old, 'hex'))];
}

// ---- scripts, transfers -------------------------------------------------------------------------------------------

function scripts(): Uint8Array[] {
  const folder = new URL('test/packet/', root);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pkt'))
    .sort()
    .map((name) => Uint8Array.from(readFileSync(new URL(name, folder))));
}

function readScript(octets: Uint8Array): void {
  only('packetdrill', ScriptError, () =>
    parseScript('fuzz.pkt', Buffer.from(octets).toString('latin1'), new Map()),
  );
}

function messages(): Uint8Array[] {
  return [transfer.encodeHello(), transfer.encodeOffer(3, 1000), transfer.encodeDone(5)].map((b) =>
    Uint8Array.from(b),
  );
}

function readMessages(octets: Uint8Array): void {
  const bytes = Buffer.from(octets);
  // A greeting has a fixed length: its reader is given exactly that.
  if (bytes.length === transfer.HELLO_LENGTH)
    only('transfer', PlaitError, () => void transfer.decodeHello(bytes));
  for (const decode of [
    ...[transfer.decodeOffer, transfer.decodeEntry, transfer.decodeProblem],
    ...[transfer.decodeOutcome, transfer.decodeDone],
  ]) {
    only('transfer', PlaitError, () => void decode(bytes));
  }
}
