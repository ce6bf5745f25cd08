/** Counters of Multipath TCP after the same script on this stack and on the Linux kernel of this machine. */
import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCore } from '../../src/core/load.js';
import { loadDissector } from '../../src/inspect/dissector.js';
import { formatReport, runFile, type Report } from '../../tools/packetdrill/files.js';
import type { Host } from '../../tools/packetdrill/host.js';
import { openKernel, whyNoKernel, type Kernel } from '../../tools/packetdrill/kernel/open.js';
import type { OpenMachine, Setup } from '../../tools/packetdrill/machine.js';
import { onStack } from '../../tools/packetdrill/virtual.js';
import { needCommands, skip } from '../support/needs.js';

const folder = dirname(fileURLToPath(import.meta.url)).replace(/([\\/])dist([\\/]test[\\/]packet)$/, '$2');

const SCRIPTS = [
  'dss/beyond_the_window',
  'dss/data_fin_with_data',
  'dss/duplicate_data',
  'dss/hole_over_two_subflows',
  'dss/overlap_on_second_subflow',
  'fallback/first_data_without_dss',
  'fallback/infinite_mapping',
  'fallback/synack_without_option',
  'fallback/tcp_listener',
  'fastclose/on_every_subflow',
  'mp_fail/wrong_checksum_two_subflows',
  'mp_join/bad_hmac',
  'mp_join/before_established',
  'mp_reset/broken_mapping',
  'mp_reset/join_without_proof',
  'rm_addr/flush_in_one_option',
];
/** Counted otherwise: docs/protocol-deviations.md says how. */
const OTHERWISE = new Set(['RcvWndShared', 'OFOMerge']);
/** What is still on its way when a script ends. */
const REST = 300e3;
const TRIES = 3;

type Counts = Record<string, number>;

/** Machines of `open` whose counters `read` takes before they go. */
const watched =
  (open: OpenMachine, read: (setup: Setup) => void): OpenMachine =>
  (context) => {
    const setup = open(context);
    const close = (): void => {
      setup.machine.sleepUntil(setup.machine.now + REST);
      setup.machine.settle();
      read(setup);
      setup.close();
    };
    return { machine: setup.machine, layer: setup.layer, shell: setup.shell, close };
  };

const moved = (counts: Counts, names: readonly string[]): Counts =>
  Object.fromEntries(
    names
      .filter((name) => !OTHERWISE.has(name) && (counts[name] ?? 0) !== 0)
      .sort()
      .map((name) => [name, counts[name] ?? 0]),
  );

describe('counters after scripts, here and on the kernel', () => {
  let kernel: Kernel;
  let file = '';
  before(function () {
    const reason = whyNoKernel();
    if (reason !== null) skip(this, reason);
    needCommands(this, 'ip', 'nstat', 'sysctl');
    kernel = openKernel();
    file = join(mkdtempSync(join(tmpdir(), 'plait-counters-')), 'nstat');
  });
  after(() => {
    kernel?.close();
    if (file !== '') rmSync(dirname(file), { recursive: true });
  });

  const IPV4 = { name: 'ip_version', value: 'ipv4' };

  for (const name of SCRIPTS) {
    it(name, async function () {
      const dissector = await loadDissector();
      const path = join(folder, `${name}.pkt`);
      let ours: Counts = {};
      const stack = watched(onStack(await loadCore('release')), ({ machine }) => {
        ours = (machine as Host).stack.counters();
      });
      const [here] = runFile(path, [IPV4], { dissector, open: stack });
      expect(here === undefined ? 'no run' : failureOf(here)).to.equal('');

      const theirs: Counts = {};
      const open = watched(kernel.open, ({ shell }) => {
        shell.run(`nstat -asz 'MPTcpExt*' > '${file}'`, 0);
        for (const [, counter = '', value] of readFileSync(file, 'utf8').matchAll(
          /^MPTcpExt(\S+)\s+(\d+)/gm,
        )) {
          theirs[counter] = Number(value);
        }
      });
      let there: Report | undefined;
      for (let i = 0; i < TRIES && (there === undefined || there.failure !== null); i++) {
        [there] = runFile(path, [IPV4, { name: 'kernel', value: null }], { dissector, open });
      }
      const late = there === undefined ? 'no run' : failureOf(there);
      if (late.includes('happened at')) skip(this, 'the machine is too busy for a script in real time');
      expect(late).to.equal('');
      const names = Object.keys(theirs);
      expect(moved(ours, names)).to.deep.equal(moved(theirs, names));
    });
  }
});

const failureOf = (report: Report): string => (report.failure === null ? '' : formatReport(report, false));
