/** What `--events`, `--endpoint`, `--limits` and `--endpoints-file` do to a host that has just begun. */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Host } from '../net/types.js';
import { say, type Context } from './context.js';
import { applyEndpointsFile, readEndpointsFile } from './endpoints-file.js';
import { errorLine } from './exit.js';
import type { CommonOptions } from './options.js';

/** Resolves with what writes the last event out. Throws as the path manager and the file system do. */
export async function applyPathOptions(
  context: Context,
  options: CommonOptions,
  host: Host,
): Promise<() => Promise<void>> {
  const finish = await writeEvents(context, options.events, host);
  try {
    host.pathManager.setLimits(options.limits);
    for (const endpoint of options.endpoints) host.pathManager.addEndpoint(endpoint);
    const name = options.endpointsFile;
    if (name !== undefined) {
      applyEndpointsFile(host.pathManager, readEndpointsFile(name));
      context.onHangup(() => {
        try {
          applyEndpointsFile(host.pathManager, readEndpointsFile(name));
        } catch (error) {
          say(context, errorLine(error)); // the connections go on with what they had
        }
      });
    }
  } catch (error) {
    await finish();
    throw error;
  }
  return finish;
}

async function writeEvents(
  context: Context,
  name: string | undefined,
  host: Host,
): Promise<() => Promise<void>> {
  if (name === undefined) return () => Promise.resolve();
  if (name === '-') {
    host.events.on('event', (event) => context.stdout.write(`${JSON.stringify(event)}\n`));
    return () => Promise.resolve();
  }
  const file = createWriteStream(name);
  await new Promise<void>((resolve, reject) => file.once('open', () => resolve()).once('error', reject));
  host.events.on('event', (event) => file.write(`${JSON.stringify(event)}\n`));
  return async () => {
    file.end();
    await finished(file).catch((error: Error) => say(context, errorLine(error)));
  };
}
