/** The receiver's disk: names kept inside one directory, files that appear only when complete. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, lstat, mkdir, open, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { splitName } from './names.js';
import type { EntryHead } from './protocol.js';

export class Store {
  readonly #root: string;
  /** Directories made here, which get their mode and time when nothing is put into them any more. */
  readonly #made: { path: string; head: EntryHead }[] = [];

  /** Throws the system's error unless `path` is a directory that can be written to. */
  static async open(path: string): Promise<Store> {
    const root = await realpath(path);
    if (!(await stat(root)).isDirectory()) throw fault('ENOTDIR', `${path} is not a directory`);
    await access(root, constants.W_OK | constants.X_OK);
    return new Store(root);
  }

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes the directory; one that exists stays as it is. */
  async directory(head: EntryHead): Promise<void> {
    const made = await this.#enter(accepted(head.name));
    if (made !== null) this.#made.push({ path: made, head });
  }

  /** Starts a file under a temporary name beside its final one. */
  async file(head: EntryHead): Promise<IncomingFile> {
    const parts = accepted(head.name);
    await this.#enter(parts.slice(0, -1));
    const target = join(this.#root, ...parts);
    if ((await kindOf(target)) === 'directory') throw fault('EISDIR', 'a directory of this name exists');
    const temporary = join(target, '..', `.plait-${randomBytes(6).toString('hex')}.part`);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
    return new IncomingFile(await open(temporary, flags, 0o600), temporary, target, head);
  }

  /** Gives the new directories their modes and times, innermost first. */
  async settle(): Promise<void> {
    for (const { path, head } of this.#made.splice(0).reverse()) {
      await chmod(path, head.mode & PERMISSIONS).catch(notKept);
      await utimes(path, head.mtime / 1000, head.mtime / 1000).catch(notKept);
    }
  }

  /**
   * Walks down to a directory, making what is missing, and never through a symbolic link: one that lies there
   * could lead anywhere. Returns the path if the last directory is new.
   */
  async #enter(parts: readonly string[]): Promise<string | null> {
    let path = this.#root;
    let made = false;
    for (const part of parts) {
      path = join(path, part);
      const kind = await kindOf(path);
      if (kind === 'link') throw fault('ELOOP', 'a symbolic link is in the way at the receiver');
      if (kind === 'other') throw fault('ENOTDIR', 'a file is in the way at the receiver');
      made = kind === 'nothing';
      // Open to us alone until it is complete.
      if (made) await mkdir(path, 0o700);
    }
    return made ? path : null;
  }
}

export class IncomingFile {
  readonly #handle: FileHandle;
  readonly #temporary: string;
  readonly #target: string;
  readonly #head: EntryHead;

  constructor(handle: FileHandle, temporary: string, target: string, head: EntryHead) {
    this.#handle = handle;
    this.#temporary = temporary;
    this.#target = target;
    this.#head = head;
  }

  async write(parts: readonly Buffer[]): Promise<void> {
    const left = [...parts];
    while (left.length > 0) {
      // At most as many as the system takes at once (IOV_MAX).
      let { bytesWritten } = await this.#handle.writev(left.slice(0, 1024));
      for (let first = left[0]; first !== undefined && bytesWritten >= first.length; first = left[0]) {
        bytesWritten -= first.length;
        left.shift();
      }
      if (left[0] !== undefined) left[0] = left[0].subarray(bytesWritten);
    }
  }

  /** Puts the file in its place, where it replaces an older one at once. */
  async commit(): Promise<void> {
    await this.#handle.chmod(this.#head.mode & PERMISSIONS).catch(notKept);
    await this.#handle.utimes(this.#head.mtime / 1000, this.#head.mtime / 1000).catch(notKept);
    // Some file systems report a full disk only now.
    await this.#handle.close();
    await rename(this.#temporary, this.#target);
  }

  /** Removes every trace. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await rm(this.#temporary, { force: true });
  }
}

function accepted(name: string): string[] {
  const parts = splitName(name);
  if (parts === null) throw fault('ERR_PLAIT_NAME', 'the receiver does not accept this name');
  return parts;
}

async function kindOf(path: string): Promise<'nothing' | 'directory' | 'link' | 'other'> {
  try {
    const found = await lstat(path);
    return found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'nothing';
    throw error;
  }
}

/** Some file systems (FAT, say) have no modes or times of their own; the octets are there all the same. */
const notKept = (): void => undefined;

const fault = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/** Never the set-user-ID, set-group-ID and sticky bits of a stranger. */
const PERMISSIONS = 0o777;
