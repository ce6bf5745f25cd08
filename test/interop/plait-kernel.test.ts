/** Plait over the devices `packet` and `raw`, and the Linux kernel, in both roles. */
import { expect } from 'chai';
import { loadDissector } from '../../src/inspect/dissector.js';
import { compareWithTshark } from '../inspect/tshark.js';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needCommands } from '../support/needs.js';
import { KernelPeer, type PeerReport } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces, type Namespace } from './netns.js';
import {
  carried,
  counted,
  expectClean,
  expectPaths,
  expectWhole,
  KEEP_BACK,
  kernelResets,
  loseSome,
  PACED,
  PACED_SIZE,
  pathsOf,
  PlaitPeer,
  slow,
  swallow,
  WAIT_AT_START,
  type AgentReport,
  type Family,
} from './plait-peer.js';

const SIZE = 64 << 20;
const PORT = 5001;
/** A join goes to another address than the first subflow, and needs a listener there. */
const ANY = { 4: '0.0.0.0', 6: '::' };
const ROLES = ['client', 'server'] as const;
const WAYS = [
  ['packet', 4],
  ['packet', 6],
  ['raw', 4],
  ['raw', 6],
] as const;
type Role = (typeof ROLES)[number];

interface Run {
  readonly plait: PlaitPeer;
  readonly kernel: KernelPeer;
}

interface RunOptions {
  readonly family?: Family;
  /** Of both sides. */
  readonly data?: readonly string[];
  readonly plait?: readonly string[];
  readonly kernel?: readonly string[];
}

describe('Plait and the kernel', () => {
  let bench: Bench;
  /** Plait's namespace and the kernel peer's. */
  let ours: Namespace;
  let theirs: Namespace;

  before(function () {
    skipWithoutNamespaces(this);
    needCommands(this, 'tc', 'iptables', 'nft');
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 2 });
    ours = bench.a;
    theirs = bench.b;
    await theirs.mptcp('limits set subflow 4 add_addr_accepted 4');
  });

  afterEach(async () => {
    await bench?.close();
  });

  /** Starts both. Plait sends the pattern "up" and the kernel "down". */
  async function start(
    role: Role,
    { family = 4, data = [], plait = [], kernel = [] }: RunOptions,
  ): Promise<Run> {
    const mine = [...data, '--seed', 'up', ...plait];
    const other = [...data, '--seed', 'down', ...kernel];
    if (role === 'client') {
      const server = new KernelPeer(theirs, 'server', ANY[family], 0, ...other);
      const to = theirs.address(0, family);
      return { kernel: server, plait: new PlaitPeer(ours, 'client', to, await server.port(), ...mine) };
    }
    const server = new PlaitPeer(ours, 'server', ANY[family], PORT, ...mine);
    await server.port();
    return {
      plait: server,
      kernel: new KernelPeer(theirs, 'client', ours.address(0, family), PORT, ...other),
    };
  }

  /** Starts both with data that waits for the join: the first path alone might carry it all before. */
  async function startJoined(role: Role, options: RunOptions, size: number): Promise<Run> {
    await secondAddress(role, options.family ?? 4);
    const data = ['--send', String(size), ...WAIT_AT_START];
    const run = await start(role, { ...options, data });
    await counted(theirs, joined(role), 1);
    await Promise.all([run.plait.process.passGate(), run.kernel.process.passGate()]);
    return run;
  }

  async function reports({ plait, kernel }: Run, size: number): Promise<[AgentReport, PeerReport]> {
    const [mine, other] = await Promise.all([plait.report(), kernel.report()]);
    expectWhole(mine, 'down', size);
    expectWhole(other, 'up', size);
    return [mine, other];
  }

  async function finish(run: Run, size: number): Promise<[AgentReport, PeerReport]> {
    const result = await reports(run, size);
    await Promise.all([run.plait.process.exit, run.kernel.process.exit]);
    expect(await kernelResets(ours), 'RST of our own kernel').to.equal(0);
    return result;
  }

  /** Lets the kernel use its second address, in the way of its role. */
  async function secondAddress(role: Role, family: Family): Promise<void> {
    const type = role === 'client' ? 'signal' : 'subflow';
    await theirs.mptcp(`endpoint add ${theirs.address(1, family)} ${type}`);
  }

  /** The counter by which the kernel says that a join came about. */
  const joined = (role: Role): string => (role === 'client' ? 'MPJoinAckRx' : 'MPJoinSynAckRx');

  for (const role of ROLES) {
    for (const [device, family] of WAYS) {
      it(`moves 64 MiB both ways at once as ${role} over ${device} and two IPv${String(family)} paths`, async () => {
        const plait = ['--device', device, ...pathsOf(ours, family)];
        const run = await startJoined(role, { family, plait }, SIZE);
        const [mine, other] = await finish(run, SIZE);
        expectPaths(mine, 'p0', 'p1');
        expect(other.mptcp).to.equal(true);
        expect(other.subflows).to.be.at.least(2);
        const counters = await theirs.mptcpCounters();
        expectClean(counters);
        expect(counters).to.include(role === 'client' ? { MPCapableSYNRX: 1 } : { MPCapableSYNACKRX: 1 });
        expect(counters[joined(role)]).to.be.at.least(1);
        expect(counters).to.include(role === 'client' ? { EchoAdd: 1 } : { EchoAddTx: 1 });
      });
    }

    it(`goes on as ${role} when a link goes down`, async () => {
      await secondAddress(role, 4);
      const run = await start(role, { data: PACED, plait: pathsOf(ours, 4), kernel: KEEP_BACK });
      await counted(theirs, joined(role), 1);
      await carried(ours, 0);
      await ours.setLink(0, false);
      await run.kernel.process.passGate();
      const [mine] = await finish(run, PACED_SIZE);
      expectPaths(mine, 'p0', 'p1');
    });

    it(`goes on as ${role} when a path swallows everything`, async () => {
      await secondAddress(role, 4);
      const run = await start(role, { data: PACED, plait: pathsOf(ours, 4), kernel: KEEP_BACK });
      await counted(theirs, joined(role), 1);
      await carried(ours, 0);
      await swallow(bench, 0);
      await run.kernel.process.passGate();
      const [mine, other] = await finish(run, PACED_SIZE);
      expectPaths(mine, 'p0', 'p1');
      expect(other.mptcp).to.equal(true);
    });

    it(`repairs losses in both directions as ${role}`, async () => {
      const size = 16 << 20;
      await Promise.all([loseSome(ours), loseSome(theirs)]);
      const run = await startJoined(role, { plait: pathsOf(ours, 4) }, size);
      // The last acknowledgement may be among the losses, so a RST after the end is in order.
      const [mine, other] = await reports(run, size);
      expectPaths(mine, 'p0', 'p1');
      expect(other.mptcp).to.equal(true);
    });

    it(`agrees on DSS checksums as ${role}`, async () => {
      const size = 8 << 20;
      await theirs.run('sysctl', '-qw', 'net.mptcp.checksum_enabled=1');
      const run = await startJoined(role, { plait: pathsOf(ours, 4) }, size);
      const [mine] = await finish(run, size);
      expectPaths(mine, 'p0', 'p1');
      expectClean(await theirs.mptcpCounters());
    });

    it(`is plain TCP as ${role} with a kernel that has MPTCP turned off`, async () => {
      await theirs.run('sysctl', '-qw', 'net.mptcp.enabled=0');
      const size = 16 << 20;
      const run = await start(role, { data: ['--send', String(size)], kernel: ['--tcp'] });
      const [mine] = await finish(run, size);
      expect(mine.mptcp).to.equal(false);
      expect(mine.fallback).to.be.a('string');
      expect(mine.info.subflows).to.have.lengthOf(1);
    });

    it(`takes an interface in and gives it up as ${role}`, async () => {
      const size = 2 << 20;
      const started = 64 << 10;
      // Slow enough that what Plait sends needs both.
      for (const path of [0, 1]) await slow(ours, path);
      await ours.setLink(1, false);
      if (role === 'client') await secondAddress(role, 4);
      const kernel = ['--gate', String(size - started)];
      const run = await start(role, {
        data: ['--send', String(size)],
        plait: ['--gate', String(started)],
        kernel,
      });
      await counted(theirs, role === 'client' ? 'MPCapableACKRX' : 'MPCapableSYNACKRX', 1);
      await ours.setLink(1, true);
      await counted(theirs, joined(role), 1);
      await run.plait.process.passGate();
      await carried(ours, 1);
      // Down, it keeps its address; REMOVE_ADDR goes out with the address.
      await ours.setLink(1, false);
      await ours.run('ip', 'address', 'flush', 'dev', 'p1');
      await counted(theirs, 'RmAddr', 1);
      await run.kernel.process.passGate();
      const [mine] = await finish(run, size);
      expectPaths(mine, 'p0', 'p1');
    });
  }

  it('captures what tshark reads without complaint', async function () {
    const size = 4 << 20;
    const folder = mkdtempSync(join(tmpdir(), 'plait-capture-'));
    try {
      const file = join(folder, 'run.pcapng');
      const run = await startJoined('client', { plait: [...pathsOf(ours, 4), '--pcap', file] }, size);
      await finish(run, size);
      const tshark = (...args: string[]): string[] => {
        const output = execFileSync('tshark', ['-r', file, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
        return output.toString().split('\n').filter(Boolean);
      };
      expect(tshark('-Y', '_ws.malformed || _ws.expert.severity == error')).to.deep.equal([]);
      const names = new Set(tshark('-T', 'fields', '-e', 'frame.interface_name'));
      expect([...names].sort()).to.deep.equal(['p0', 'p1']);
      // MP_CAPABLE three times, DSS throughout: in each super-segment at least.
      expect(tshark('-Y', 'tcp.options.mptcp.subtype == 0')).to.have.length.of.at.least(3);
      expect(tshark('-Y', 'tcp.options.mptcp.subtype == 2')).to.have.length.above((2 * size) / 65536);
      const { differences } = await compareWithTshark(await loadDissector(), file);
      expect(differences).to.deep.equal([]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      console.log('      skipped: tshark is not installed');
      this.skip();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
