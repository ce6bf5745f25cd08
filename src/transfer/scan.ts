/** Turns the paths a user names into entries to send, directories first and in a stable order. */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { problemOf, type Failure } from './report.js';
import { fileSource, type Entry } from './source.js';

export interface Scan {
  readonly entries: readonly Entry[];
  /** What lies in the directories but cannot be sent. */
  readonly failures: readonly Failure[];
  /** Octets of all files. */
  readonly octets: number;
}

/**
 * Links to files are followed, and so is any link named directly; links to directories below a named directory
 * are not, as they may lead anywhere. Throws the system's error for a path that does not exist, and EEXIST
 * where two paths would arrive under one name.
 */
export async function scan(paths: readonly string[]): Promise<Scan> {
  const entries: Entry[] = [];
  const failures: Failure[] = [];
  const names = new Set<string>();
  for (const path of paths) {
    const name = basename(await realpath(path).then((real) => (isDots(basename(path)) ? real : path)));
    if (name === '') throw fault('EINVAL', `${path} has no name of its own to send it under`);
    if (names.has(name)) throw fault('EEXIST', `two of the paths would arrive as ${name}`);
    names.add(name);
    await visit(path, name, true);
  }
  let octets = 0;
  for (const { head } of entries) octets += head.size;
  return { entries, failures, octets };

  async function visit(path: string, name: string, named: boolean): Promise<void> {
    const isLink = (await lstat(path)).isSymbolicLink();
    const found = await stat(path);
    const head = { name, size: 0, mode: found.mode & 0o7777, mtime: found.mtimeMs };
    if (found.isFile()) {
      entries.push({ kind: 'file', head: { ...head, size: found.size }, source: fileSource(path) });
    } else if (found.isDirectory() && (named || !isLink)) {
      const children = (await readdir(path)).sort();
      entries.push({ kind: 'directory', head, source: null });
      for (const child of children) {
        const childName = `${name}/${child}`;
        await visit(join(path, child), childName, false).catch((error: unknown) => {
          failures.push({ name: childName, ...problemOf(error) });
        });
      }
    } else {
      throw fault('EINVAL', isLink ? 'a link to a directory is not sent' : 'neither a file nor a directory');
    }
  }
}

const isDots = (name: string): boolean => name === '.' || name === '..';

const fault = (code: string, message: string): Error => Object.assign(new Error(message), { code });
