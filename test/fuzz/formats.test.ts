/** Readers of what comes from elsewhere: nothing but their own errors. `npm run fuzz` goes on with other seeds. */
import fc from 'fast-check';
import { FORMAT_NAMES, formatArbitrary, loadFormat } from './formats.js';

describe('hostile input: readers', () => {
  for (const name of FORMAT_NAMES) {
    it(name, async () => {
      const format = await loadFormat(name);
      for (const sample of format.samples) format.read(sample);
      fc.assert(fc.property(formatArbitrary(format), format.read), { seed: 3, numRuns: 3000 });
    });
  }
});
