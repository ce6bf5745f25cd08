/** Where a sender's octets come from: regular files, read once from front to back. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { EntryHead, Problem } from './protocol.js';

/** A thing to send. */
export interface Entry {
  readonly kind: 'file' | 'directory';
  readonly head: EntryHead;
  /** The file's octets; null for a directory. */
  readonly source: Source | null;
}

export type Source = () => Promise<OpenSource>;

export interface OpenSource {
  /** As found when it was opened, which may be later than the scan. */
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
  /** Reads on; fewer octets than asked only at the end. */
  read(target: Buffer): Promise<number>;
  /** A problem if the file is no longer what was opened. */
  verify(): Promise<Problem | null>;
  close(): Promise<void>;
}

/** A regular file, or its first `limit` octets. */
export function fileSource(path: string, limit = Infinity): Source {
  return async () => {
    // Without O_NONBLOCK, a pipe put in the file's place would block for ever.
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      return await OpenFile.from(handle, limit);
    } catch (error) {
      await handle.close();
      throw error;
    }
  };
}

class OpenFile implements OpenSource {
  #at = 0;

  static async from(handle: FileHandle, limit: number): Promise<OpenFile> {
    const stat = await handle.stat();
    if (!stat.isFile()) throw Object.assign(new Error('not a regular file'), { code: 'EINVAL' });
    return new OpenFile(handle, stat.size, Math.min(stat.size, limit), stat.mode & 0o7777, stat.mtimeMs);
  }

  private constructor(
    readonly handle: FileHandle,
    readonly fullSize: number,
    readonly size: number,
    readonly mode: number,
    readonly mtime: number,
  ) {}

  async read(target: Buffer): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await this.handle.read(target, filled, target.length - filled, this.#at);
      if (bytesRead === 0) break;
      filled += bytesRead;
      this.#at += bytesRead;
    }
    return filled;
  }

  async verify(): Promise<Problem | null> {
    const stat = await this.handle.stat();
    return stat.size === this.fullSize && stat.mtimeMs === this.mtime ? null : CHANGED;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}

export const CHANGED: Problem = { code: 'ERR_FILE_CHANGED', message: 'the file changed while it was sent' };
