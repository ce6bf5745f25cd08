/** Nothing is allocated per packet: neither in the cores' memory nor by JavaScript, through both stacks. */
import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Steady } from './steady.js';

const program = fileURLToPath(new URL('steady.js', import.meta.url));

describe('a million packets from application to application', () => {
  const cases: readonly (readonly [string, string[]])[] = [
    ['without checksums', []],
    ['with TCP and DSS checksums', ['checksums']],
  ];
  for (const [name, options] of cases) {
    it(name, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [program, ...options]);
      const { before, after, allocated } = JSON.parse(stdout) as Steady;
      expect(after).to.deep.equal(before);
      // Views of whole batches and the events of a turn: a few octets per packet. A view each would be a hundred.
      expect(allocated, 'octets of JavaScript per packet').to.be.below(40);
    });
  }
});
