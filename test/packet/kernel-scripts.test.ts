/** Some of the scripts beside this file on the Linux kernel of this machine: what they say is how Linux behaves. */
import { expect } from 'chai';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDissector } from '../../src/inspect/dissector.js';
import { formatReport, runFile, type Report } from '../../tools/packetdrill/files.js';
import { openKernel, whyNoKernel, type Kernel } from '../../tools/packetdrill/kernel/open.js';
import { needCommands, skip } from '../support/needs.js';

const folder = dirname(fileURLToPath(import.meta.url)).replace(/([\\/])dist([\\/]test[\\/]packet)$/, '$2');

/** Short ones of each group; `npm run packetdrill -- --kernel test/packet` runs all. */
const SCRIPTS = [
  'dss/width_follows_peer',
  'fallback/infinite_mapping',
  'fastclose/received_on_reset',
  'listen/abort_on_overflow',
  'listen/accept_queue_multipath',
  'mp_capable/higher_version_answered',
  'mp_fail/with_reset',
  'mp_join/backup_asked',
  'mp_prio/first_and_back',
  'mp_reset/not_on_ack',
  'rm_addr/unknown_ids',
  'sockopts/after_fallback',
  'sockopts/multipath',
  'syscalls/bad_arguments',
  'syscalls/send_buffer_fills',
  'tcp/fast_recovery_sack',
  'tcp/icmp_recverr',
  'tcp/icmp6_recverr',
];

/** A kernel whose peer does not get to run repeats what it has sent, or acknowledges late: no fault of the script. */
const TRIES = 5;

describe('scripts in the packetdrill language on the kernel', () => {
  let kernel: Kernel;
  before(function () {
    const reason = whyNoKernel();
    if (reason !== null) skip(this, reason);
    needCommands(this, 'ip', 'nstat', 'sysctl');
    kernel = openKernel();
  });
  after(() => kernel?.close());

  for (const name of SCRIPTS) {
    it(name, async () => {
      // What is tested is what comes, not how long this machine took.
      const options = [
        { name: 'kernel', value: null },
        { name: 'tolerance_usecs', value: '5000000' },
      ];
      const environment = { dissector: await loadDissector(), open: kernel.open };
      let reports: Report[] = [];
      let failed: Report[] = [];
      for (let i = 0; i < TRIES && (i === 0 || failed.length > 0); i++) {
        reports = runFile(join(folder, `${name}.pkt`), options, environment);
        failed = reports.filter(({ failure }) => failure !== null);
      }
      expect(reports.length, 'modes').to.be.greaterThan(0);
      expect(failed.map((report) => formatReport(report, false)).join('\n')).to.equal('');
    });
  }
});
