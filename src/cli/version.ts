/** The version of this package. */
import { readFile } from 'node:fs/promises';

export async function version(): Promise<string> {
  // From dist/src/cli to the package's root.
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
