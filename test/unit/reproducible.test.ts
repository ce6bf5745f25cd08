import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chdir, cwd } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { root } from '../support/root.js';

interface Compiler {
  readonly compileCore: (entry: string, target: string) => Promise<Uint8Array>;
}

describe('the build', function () {
  // The compiler optimizes until nothing changes any more; on a busy machine that takes a while.
  this.timeout(180_000);

  it('makes the same core.wasm again', async () => {
    const script = new URL('scripts/compile-core.mjs', root).href;
    const { compileCore } = (await import(script)) as Compiler;
    const before = cwd();
    chdir(fileURLToPath(root));
    try {
      const again = await compileCore('assembly/index.ts', 'release');
      expect(digest(again)).to.equal(digest(readFileSync('dist/core.wasm')), 'is dist/core.wasm up to date?');
    } finally {
      chdir(before);
    }
  });
});

function digest(bytes: Uint8Array): string {
  return `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex')}`;
}
