/** A part of the table of `npm run interop` that `npm test` has the time for: one row of each family or so. */
import { expect } from 'chai';
import { Bench, skipWithoutNamespaces } from './netns.js';
import { CASES } from './table/families/index.js';
import { runCase } from './table/run.js';
import { rowName, rowsOf } from './table/table.js';

const CHOSEN = [
  'connect: IPv6, MPTCP -> MPTCP',
  'connect: IPv4, MPTCP -> TCP',
  'connect: v4mapped, TCP -> MPTCP',
  'connect: loopback IPv4, MPTCP -> MPTCP',
  'subflows: multiple subflows',
  'subflows: single subflow, dev',
  'signal_address: subflow and signal',
  'link_failure: backup flow used, bidi, link failure',
  'link_failure: backup flow used, bidi, link failure, silent',
  'remove: remove subflow and signal',
  'mixed: simult IPv4 and IPv6 subflows, fullmesh 2x2',
  'backup: single address, backup',
  'add_addr_ports: signal address with port',
  'syncookies: single subflow with syn cookies',
  'checksum: checksum test 0 1',
  'deny_join_id0: subflow and address allow join id0 2',
  'fullmesh: set fullmesh flag test',
  'fastclose: fastclose server test',
  'endpoint: delete re-add signal',
  'middlebox: netfilter strips SYN/ACK',
  'middlebox: netfilter strips all but SYN',
  'middlebox: strip later',
  'middlebox: split, options on the first half up',
  'middlebox: rewrite ISN',
  'middlebox: NAT',
  'fail: MP_FAIL MP_RST',
  'userspace: userspace pm add & remove address',
  'connect: MPTFO IPv4',
  'connect: ECN asked for by the client',
];

describe('the table of cases against the kernel', function () {
  this.timeout(60_000);
  let bench: Bench | null = null;

  before(function () {
    skipWithoutNamespaces(this);
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 4, crossed: true });
  });

  afterEach(async () => {
    await bench?.close();
    bench = null;
  });

  const rows = rowsOf(CASES);
  for (const name of CHOSEN) {
    const chosen = rows.filter((row) => rowName(row).startsWith(`${name} (`));
    if (chosen.length === 0) throw new Error(`no row is called "${name}"`);
    for (const row of chosen) {
      it(rowName(row), async () => {
        const { differs } = await runCase(row.one, row.pair, bench as Bench, null);
        expect(differs).to.deep.equal([]);
      });
    }
  }
});
