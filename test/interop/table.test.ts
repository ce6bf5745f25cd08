/** A few rows of `npm run interop` for `npm test`; .ci/run has the short form of the table beside it. */
import { expect } from 'chai';
import { Bench, skipWithoutNamespaces } from './netns.js';
import { CASES } from './table/families/index.js';
import { runCase } from './table/run.js';
import { SHORT } from './table/short.js';
import { rowName, rowsOf } from './table/table.js';

const CHOSEN = [
  'subflows: single subflow, dev',
  'link_failure: backup flow used, bidi, link failure',
  'remove: remove subflow and signal',
  'mixed: simult IPv4 and IPv6 subflows, fullmesh 2x2',
  'fastclose: fastclose server test',
  'fail: MP_FAIL MP_RST',
  'diag: three subflows',
  'connect: IPv4, MPTCP -> TCP',
  'connect: MPTFO IPv4',
  'middlebox: strip later',
];

describe('the short form of the table', () => {
  it('names rows that there are, of every family in either role', () => {
    const chosen = CASES.filter(({ family, name }) => SHORT.includes(`${family}: ${name}`));
    expect(chosen.map(({ family, name }) => `${family}: ${name}`)).to.have.members(SHORT);
    for (const family of new Set(CASES.map((one) => one.family))) {
      const rows = rowsOf(chosen.filter((one) => one.family === family));
      const roles = rows.flatMap(({ pair }) =>
        (['client', 'server'] as const).filter((role) => pair[role] === 'plait'),
      );
      expect(roles, family).to.include.members(['client', 'server']);
    }
  });
});

describe('the table of cases against the kernel', () => {
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
