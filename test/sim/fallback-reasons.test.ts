/**
 * Every reason for which a connection becomes plain TCP, on every side where it can happen, seen from the outside: by
 * `info()`, as an event, and in the line of `--stats`. Those that only the opener or only the listener can have name
 * one side.
 */
import { expect } from 'chai';
import { CFG_BLACKHOLE_TIMEOUT, CFG_CHECKSUM, CFG_MPTCP } from '../../assembly/abi.js';
import * as abi from '../../assembly/abi.js';
import { statsLine } from '../../src/cli/stats.js';
import type { Host, Socket } from '../../src/net/types.js';
import { fallbackName } from '../../src/stack/names.js';
import { alter, isSyn, strip, stripped, type Direction, type Script } from '../middlebox/scripts.js';
import { Middlebox } from './middlebox.js';
import { Endpoint, Pair, address, done, expectWhole, start, type Transfer } from './pair.js';

type Side = 'client' | 'server';
interface Case {
  readonly reason: number;
  readonly side: Side;
  readonly script?: Script;
  readonly client?: readonly (readonly [number, number])[];
  readonly server?: readonly (readonly [number, number])[];
  readonly up?: number;
  readonly down?: number;
  /** The first connection, for what it leaves behind; the second counts. */
  readonly twice?: boolean;
}

const CHECKSUMS = [[CFG_CHECKSUM, 1]] as const;
const SIZE = 200_000;
const towards = (side: Side): Direction => (side === 'client' ? 'down' : 'up');
const from = (side: Side): Direction => (side === 'client' ? 'up' : 'down');
const pass: Script = (segment, direction) => [{ segment, direction }];

/** Applies `change` to what goes that way after `n` segments, those that count. */
function later(
  way: Direction,
  n: number,
  change: Script,
  counts = (data: Buffer): boolean => data.length > 0,
): Script {
  let count = 0;
  return (segment, direction) => {
    if (direction !== way) return [{ segment, direction }];
    if (counts(segment.data)) count++;
    return count > n ? change(segment, direction) : [{ segment, direction }];
  };
}

const bare: Script = (segment, direction) => [{ segment: stripped(segment), direction }];
const withoutSum: Script = (segment, direction) => {
  const { dss } = segment;
  if (dss?.checksum === undefined) return [{ segment, direction }];
  const { checksum: _, ...rest } = dss;
  return [{ segment: { ...segment, dss: rest }, direction }];
};
const invert = (data: Buffer): Buffer => data.fill(~data.readUInt8(7) & 255, 7, 8);
const longer = (data: Buffer): Buffer =>
  Buffer.concat([data.subarray(0, 7), Buffer.from('++'), data.subarray(7)]);
const noCapable: Script = (segment, direction) => (segment.capable === null ? [{ segment, direction }] : []);

const eitherSide = (build: (side: Side) => Omit<Case, 'side'>): Case[] =>
  (['client', 'server'] as const).map((side) => ({ side, ...build(side) }));

const CASES: readonly Case[] = [
  ...eitherSide((side) => ({ reason: abi.FALLBACK_OFF, [side]: [[CFG_MPTCP, 0]] })),
  ...eitherSide(() => ({
    reason: abi.FALLBACK_SYN,
    script: strip((segment, direction) => isSyn(segment) && direction === 'up'),
  })),
  { reason: abi.FALLBACK_SYN_TIMEOUT, side: 'client', script: noCapable },
  {
    reason: abi.FALLBACK_BLACKHOLE,
    side: 'client',
    script: noCapable,
    client: [[CFG_BLACKHOLE_TIMEOUT, 60e6]],
    twice: true,
  },
  {
    reason: abi.FALLBACK_ACK,
    side: 'server',
    script: strip((segment, way) => !isSyn(segment) && way === 'up'),
  },
  {
    reason: abi.FALLBACK_NO_DSS,
    side: 'client',
    script: strip((segment, way) => !isSyn(segment) && way === 'down'),
  },
  // The third packet of the handshake passes.
  {
    reason: abi.FALLBACK_NO_DSS,
    side: 'server',
    script: strip((segment, way) => !isSyn(segment) && way === 'up' && segment.capable === null),
    up: 0,
  },
  ...eitherSide((side) => ({ reason: abi.FALLBACK_MAPPING, script: alter(towards(side), 60, longer) })),
  ...eitherSide((side) => ({
    reason: abi.FALLBACK_CHECKSUM,
    script: alter(towards(side), 60, invert),
    client: CHECKSUMS,
    server: CHECKSUMS,
  })),
  ...eitherSide((side) => ({
    reason: abi.FALLBACK_MP_FAIL,
    script: alter(from(side), 60, invert),
    client: CHECKSUMS,
    server: CHECKSUMS,
    up: 2_000_000,
    down: 2_000_000,
  })),
  // It has got MP_FAIL and has nothing more to send; the other side has.
  ...eitherSide((side) => ({
    reason: abi.FALLBACK_INFINITE,
    script: alter(from(side), 60, invert),
    client: CHECKSUMS,
    server: CHECKSUMS,
    ...(side === 'client' ? { up: 100_000, down: 2_000_000 } : { up: 2_000_000, down: 100_000 }),
  })),
  ...eitherSide((side) => ({ reason: abi.FALLBACK_NO_MAPPING, script: later(towards(side), 60, bare) })),
  ...eitherSide((side) => ({
    reason: abi.FALLBACK_DSS_GONE,
    script: later(towards(side), 20, bare, () => true),
    ...(side === 'client' ? { down: 0 } : { up: 0 }),
  })),
  ...eitherSide((side) => ({
    reason: abi.FALLBACK_CHECKSUM_FORM,
    script: later(towards(side), 60, withoutSum),
    client: CHECKSUMS,
    server: CHECKSUMS,
  })),
];

async function run({
  script,
  client = [],
  server = [],
  up = SIZE,
  down = SIZE,
  twice,
}: Case): Promise<Transfer> {
  const pair = await Pair.create({
    links: [{ rate: 100e6, delay: 10_000, queue: 1e6 }],
    pairing: 'none',
    client,
    server,
    wrap: (device, name) => (name === 'client' ? new Middlebox(device, script ?? pass) : device),
  });
  pair.world.runUntil(1000);
  if (twice === true) {
    const before = start(pair, 1, 1, { port: 6000 });
    pair.world.runUntil(() => done(before), { maxTime: 20e6 });
  }
  const transfer = start(pair, up, down);
  pair.world.runUntil(() => done(transfer), { maxTime: 20e6 });
  return transfer;
}

function expectReason(side: Endpoint, reason: number): void {
  const name = fallbackName(reason);
  const { connection } = side;
  if (name === null || connection === null) throw new Error('no reason or no connection');
  expect(connection.info()).to.include({ mptcp: false, fallback: name });
  const host = { device: 'memory', counters: () => ({}), deviceStats: () => ({}) } as unknown as Host;
  const socket = { info: () => connection.info() } as unknown as Socket;
  const line = JSON.parse(statsLine(host, socket, { bytes: 0, milliseconds: 1 })) as { fallback: unknown };
  expect(line.fallback).to.equal(name);
  // What the handshake decides is known before anybody listens.
  const events = side.events.filter(({ type }) => type === 'fallback');
  expect(events).to.deep.equal(DURING.includes(reason) ? [{ type: 'fallback', reason: name }] : []);
}

const DURING: readonly number[] = [
  ...[abi.FALLBACK_NO_DSS, abi.FALLBACK_MAPPING, abi.FALLBACK_CHECKSUM, abi.FALLBACK_INFINITE],
  ...[abi.FALLBACK_MP_FAIL, abi.FALLBACK_DSS_GONE, abi.FALLBACK_NO_MAPPING, abi.FALLBACK_CHECKSUM_FORM],
];

describe('reasons of plain TCP, seen from the outside', () => {
  for (const one of CASES) {
    it(`${fallbackName(one.reason) ?? ''}, at the ${one.side}`, async () => {
      const transfer = await run(one);
      expect(transfer.client.error ?? transfer.server.error).to.equal(null);
      expectReason(transfer[one.side], one.reason);
    });
  }

  it('both sides opened at once, at both', async () => {
    const pair = await Pair.create({ links: [{ rate: 100e6, delay: 10_000, queue: 1e6 }], pairing: 'none' });
    const ends = { client: new Endpoint(SIZE, 11, 22), server: new Endpoint(SIZE, 22, 11) };
    const open = (side: Side, port: number, host: number, remote: number): void => {
      const path = pair[side].paths()[0];
      if (path === undefined) throw new Error('no path');
      pair[side].connect(path.id, port, address(0, host), remote, (error, connection) => {
        expect(error).to.equal(null);
        if (connection !== null) ends[side].attach(connection, false);
      });
    };
    open('client', 5000, 2, 6000);
    open('server', 6000, 1, 5000);
    pair.world.runUntil(() => done(ends), { maxTime: 20e6 });
    expectWhole(ends);
    for (const side of ['client', 'server'] as const) expectReason(ends[side], abi.FALLBACK_SIMULTANEOUS);
  });

  it('no reason is missing here', () => {
    const codes = Object.entries(abi).flatMap(([key, value]) => (key.startsWith('FALLBACK_') ? [value] : []));
    const tested = [abi.FALLBACK_NONE, abi.FALLBACK_SIMULTANEOUS, ...CASES.map(({ reason }) => reason)];
    expect(new Set(tested)).to.deep.equal(new Set(codes));
  });
});
