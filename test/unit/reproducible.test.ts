import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chdir, cwd } from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { root } from '../support/root.js';

interface Compiler {
  readonly compileCore: (entry: string, target: string) => Promise<Uint8Array>;
}

interface InspectCompiler {
  readonly compileInspect: (folder: string, target: string) => Promise<void>;
}

describe('the build', () => {
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

  it('makes the same inspect.wasm again', async () => {
    const script = new URL('scripts/compile-inspect.mjs', root).href;
    const { compileInspect } = (await import(script)) as InspectCompiler;
    const folder = await mkdtemp(join(tmpdir(), 'plait-inspect-'));
    try {
      const target = join(folder, 'again.wasm');
      await compileInspect(fileURLToPath(new URL('assembly/inspect', root)), target);
      const built = readFileSync(new URL('dist/inspect.wasm', root));
      expect(digest(readFileSync(target))).to.equal(digest(built), 'is dist/inspect.wasm up to date?');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

function digest(bytes: Uint8Array): string {
  return `${bytes.length} bytes, ${createHash('sha256').update(bytes).digest('hex')}`;
}
