import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { root } from '../support/root.js';

const LARGEST_CORE = 64 * 1024;

describe('core.wasm', () => {
  for (const file of ['core.wasm', 'core.debug.wasm']) {
    it(`(${file}) imports its memory and nothing else`, () => {
      const module = new WebAssembly.Module(readFileSync(new URL(`dist/${file}`, root)));
      expect(WebAssembly.Module.imports(module)).to.deep.equal([
        { module: 'env', name: 'memory', kind: 'memory' },
      ]);
    });
  }

  it('is small enough to be part of a web page', () => {
    const size = gzipSync(readFileSync(new URL('dist/core.wasm', root)), { level: 9 }).length;
    expect(size).to.be.at.most(LARGEST_CORE);
  });
});

describe('inspect.wasm', () => {
  it('imports nothing but where a failed assertion ends', () => {
    const module = new WebAssembly.Module(readFileSync(new URL('dist/inspect.wasm', root)));
    expect(WebAssembly.Module.imports(module)).to.deep.equal([
      { module: 'env', name: 'abort', kind: 'function' },
    ]);
  });
});
