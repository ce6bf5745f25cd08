/**
 * Payload changed at every place of a stream, with and without DSS checksums: there is no place where the transfer
 * stands still. What comes out is what RFC 8684 section 3.7 says: the octets as they came, on plain TCP, where the
 * change is noticed; where nothing tells of it, a stream of the right length.
 */
import { expect } from 'chai';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { Pair, done, start, type Transfer } from './pair.js';
import { alter, type Direction, type Script } from '../middlebox/scripts.js';
import { Middlebox } from './middlebox.js';

const RTT = 20_000;
/** One data-level timeout (200 ms beyond the round trip and its variation), the round trip that it asks for, and a delayed ACK. */
const COST = 240_000 + 3 * RTT;
const SIZE = 20_000;

const CHANGES: Record<string, { change: (data: Buffer) => Buffer; more: number }> = {
  inverted: { change: (data) => data.fill(~data.readUInt8(7) & 255, 7, 8), more: 0 },
  'put in': {
    change: (data) => Buffer.concat([data.subarray(0, 7), Buffer.from('++'), data.subarray(7)]),
    more: 2,
  },
  appended: { change: (data) => Buffer.concat([data, Buffer.from('++')]), more: 2 },
  'cut out': { change: (data) => Buffer.concat([data.subarray(0, 7), data.subarray(9)]), more: -2 },
  'cut off': { change: (data) => data.subarray(0, -2), more: -2 },
};

async function run(
  script: Script,
  up: number,
  down: number,
  checksums: boolean,
): Promise<[Transfer, number]> {
  const config = checksums ? ([[CFG_CHECKSUM, 1]] as const) : [];
  const pair = await Pair.create({
    links: [{ rate: 100e6, delay: RTT / 2, queue: 1e6 }],
    pairing: 'none',
    client: config,
    server: config,
    wrap: (device, name) => (name === 'client' ? new Middlebox(device, script) : device),
  });
  pair.world.runUntil(1000); // a SYN at 0 would give no sample of the round trip
  const transfer = start(pair, up, down);
  pair.world.runUntil(() => done(transfer), { maxTime: 10e6, maxSteps: 1e5 });
  return [transfer, pair.world.now()];
}

describe('payload changed at any place', () => {
  for (const checksums of [true, false]) {
    for (const which of ['up', 'down'] as const) {
      for (const both of [false, true]) {
        it(`${which}, data ${both ? 'both ways' : 'one way'}, ${checksums ? 'with' : 'without'} checksums`, () =>
          everywhere(which, both, checksums));
      }
    }
  }
});

async function everywhere(which: Direction, both: boolean, checksums: boolean): Promise<void> {
  const up = which === 'up' || both ? SIZE : 0;
  const down = which === 'down' || both ? SIZE : 0;
  let segments = 0;
  const noted = (data: Buffer): Buffer => (segments++, data);
  const [, free] = await run(alter(which, 0, noted, true), up, down, checksums);
  expect(segments).to.be.above(10);
  for (const n of [0, 1, segments >> 1, segments - 2, segments - 1]) {
    for (const [name, { change, more }] of Object.entries(CHANGES)) {
      const what = `octets ${name}, segment ${n + 1} of ${segments}`;
      const [{ client, server }, time] = await run(alter(which, n, change), up, down, checksums);
      const [sender, receiver] = which === 'up' ? [client, server] : [server, client];
      expect(client.error ?? server.error, what).to.equal(null);
      expect(time - free, `${what}: cost`).to.be.below(COST);
      expect(sender.received, `${what}: the other way`).to.equal(both ? SIZE : 0);
      expect(sender.mismatch, `${what}: the other way`).to.equal(-1);
      // Without checksums the data level takes what is missing for lost, and repeats the last octets.
      const lost = !checksums && more < 0;
      expect(receiver.received, `${what}: octets`).to.equal(SIZE + (lost ? 0 : more));
      const reason = receiver.connection?.info().fallback;
      const behind = name === 'appended' && n === segments - 1;
      if (checksums && !behind) expect(reason, what).to.equal('wrong DSS checksum');
      else if (more > 0) expect(reason, what).to.equal('a mapping that does not fit the data');
      else expect(reason, what).to.equal(null);
    }
  }
}
