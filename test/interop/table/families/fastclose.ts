/** One side aborts (RFC 8684 section 3.5). */
import { other, type Case } from '../case.js';
import { reset } from '../steps.js';

export const fastclose: readonly Case[] = (['client', 'server'] as const).map((role): Case => ({
  family: 'fastclose',
  name: `fastclose ${role} test`,
  steps: [reset(role)],
  expect: {
    error: { [other(role)]: /ECONNRESET|EPIPE/ },
    [role]: { MPFastcloseTx: 1, MPRstTx: 1 },
    [other(role)]: { MPFastcloseRx: 1, MPRstRx: 1 },
  },
}));
