/** One run of the AssemblyScript compiler, its output in memory. The build and the reproducibility test share it. */
import { main } from 'assemblyscript/asc';

/**
 * Compiles an entry file with a target of asconfig.json; both are relative to the working directory, which must be
 * the root of the repository: the names inside the module are relative to it, and so the bytes the same everywhere.
 */
export async function compileCore(entry, target) {
  let binary = null;
  const messages = [];
  const sink = { write: (text) => void messages.push(String(text)) };
  const { error } = await main(
    // The file name is never written to; it only has to end in .wasm.
    [entry, '--config', 'asconfig.json', '--target', target, '--outFile', 'out.wasm', '--noColors'],
    {
      stdout: sink,
      stderr: sink,
      writeFile: (name, content) => {
        if (name === 'out.wasm') binary = content;
      },
    },
  );
  if (error !== null) throw new Error(messages.join('').trim() || error.message);
  // Not a defect of the module: the optimizer went one round too far and kept the smaller result.
  const warnings = messages.join('').replace('Last converge was suboptimal.', '').trim();
  if (warnings !== '') console.error(warnings);
  if (!(binary instanceof Uint8Array)) throw new Error(`asc wrote no module for ${entry}`);
  return binary;
}
