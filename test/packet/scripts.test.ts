/** Every script beside this file passes in every mode. */
import { expect } from 'chai';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCore } from '../../src/core/load.js';
import { loadDissector } from '../../src/inspect/dissector.js';
import { findScripts, formatReport, runFile } from '../../tools/packetdrill/files.js';
import { onStack } from '../../tools/packetdrill/virtual.js';

/** Scripts are not compiled: they stay in the sources. */
const folder = dirname(fileURLToPath(import.meta.url)).replace(/([\\/])dist([\\/]test[\\/]packet)$/, '$2');

describe('scripts in the packetdrill language', () => {
  for (const path of findScripts([folder])) {
    it(path.slice(folder.length + 1), async () => {
      const environment = {
        dissector: await loadDissector(),
        open: onStack(await loadCore('debug')),
      };
      const reports = runFile(path, [{ name: 'strict_options', value: null }], environment);
      const failed = reports.filter(({ failure }) => failure !== null);
      expect(failed.map((report) => formatReport(report, false)).join('\n')).to.equal('');
    });
  }
});
