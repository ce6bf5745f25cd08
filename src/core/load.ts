/** Finds and compiles the core. The only file besides core.ts that touches WebAssembly. */
import { PlaitError } from '../errors.js';

export type CoreModule = WebAssembly.Module;
export type CoreBuild = 'release' | 'debug';

const FILES: Record<CoreBuild, string> = { release: 'core.wasm', debug: 'core.debug.wasm' };
const cache = new Map<CoreBuild, Promise<CoreModule>>();

/** Compiles core.wasm from beside the compiled sources; once per build and process. */
export function loadCore(build: CoreBuild = 'release'): Promise<CoreModule> {
  let module = cache.get(build);
  if (module === undefined) {
    module = compile(new URL(`../../${FILES[build]}`, import.meta.url));
    cache.set(build, module);
  }
  return module;
}

async function compile(url: URL): Promise<CoreModule> {
  return WebAssembly.compile(await readModule(url));
}

/** The octets of a module that the build puts beside the compiled sources. Errors: ERR_PLAIT_CORE. */
export async function readModule(url: URL): Promise<BufferSource> {
  try {
    if (url.protocol === 'file:') {
      const { readFile } = await import('node:fs/promises');
      return await readFile(url);
    }
    return await (await fetch(url)).arrayBuffer();
  } catch (cause) {
    throw new PlaitError(
      'ERR_PLAIT_CORE',
      `cannot read ${url.pathname}: ${(cause as Error).message}`,
      'npm run build',
    );
  }
}
