/** One run of the dissector's compiler, that of its own workspace. The build and the reproducibility test share it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

const COMPILER = 'node_modules/assemblyscript/bin/asc';

/** Compiles the workspace `folder` to the file `target`; both are relative to the working directory. */
export async function compileInspect(folder, target) {
  const args = [
    resolve(join(folder, COMPILER)),
    'index.ts',
    '--target',
    'release',
    '--outFile',
    resolve(target),
  ];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error('asc found errors');
}
