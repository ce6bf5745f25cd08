/** An epoll instance with Linux' rules for level and edge triggered entries. */
import { constant } from './constants.js';
import { OpenFile } from './files.js';

const POLLIN = constant('EPOLLIN');
const EPOLLERR = constant('EPOLLERR');
const EPOLLHUP = constant('EPOLLHUP');
const EPOLLET = constant('EPOLLET');
const EPOLLONESHOT = constant('EPOLLONESHOT');
const EPOLLEXCLUSIVE = constant('EPOLLEXCLUSIVE');
/** What may stand beside EPOLLEXCLUSIVE. */
const BESIDE_EXCLUSIVE =
  POLLIN | constant('EPOLLOUT') | EPOLLERR | EPOLLHUP | constant('EPOLLWAKEUP') | EPOLLET | EPOLLEXCLUSIVE;
/** What stays of an entry's events after EPOLLONESHOT has fired. */
const PRIVATE = constant('EPOLLWAKEUP') | EPOLLONESHOT | EPOLLET | constant('EPOLLEXCLUSIVE');

interface Entry {
  readonly file: OpenFile;
  events: number;
  data: bigint;
  ready: boolean;
  /** What the file had got when it was looked at last. */
  seen: number;
  readonly watch: (events: number) => void;
}

export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

export class Epoll extends OpenFile {
  /** By descriptor and file. */
  readonly #entries = new Map<string, Entry>();
  readonly #ids = new Map<OpenFile, number>();

  #key(fd: number, file: OpenFile): string {
    let id = this.#ids.get(file);
    if (id === undefined) this.#ids.set(file, (id = this.#ids.size));
    return `${fd} ${id}`;
  }

  /** Null, or the errno. */
  add(fd: number, file: OpenFile, events: number, data: bigint): string | null {
    const key = this.#key(fd, file);
    const exclusive = (events & EPOLLEXCLUSIVE) !== 0;
    if (file === this) return 'EINVAL';
    if (exclusive && ((events & ~BESIDE_EXCLUSIVE) !== 0 || file instanceof Epoll)) return 'EINVAL';
    if (this.#entries.has(key)) return 'EEXIST';
    const entry: Entry = {
      file,
      events: (events | EPOLLERR | EPOLLHUP) >>> 0,
      data,
      ready: false,
      seen: file.arrived,
      watch: (about) => {
        if (file.references === 0) this.#remove(key, entry);
        else this.#wake(entry, about);
      },
    };
    this.#entries.set(key, entry);
    file.watchers.add(entry.watch);
    if ((file.poll() & entry.events) !== 0) this.#ready(entry);
    return null;
  }

  modify(fd: number, file: OpenFile, events: number, data: bigint): string | null {
    const entry = this.#entries.get(this.#key(fd, file));
    if ((events & EPOLLEXCLUSIVE) !== 0) return 'EINVAL';
    if (entry === undefined) return 'ENOENT';
    if ((entry.events & EPOLLEXCLUSIVE) !== 0) return 'EINVAL';
    entry.events = (events | EPOLLERR | EPOLLHUP) >>> 0;
    entry.data = data;
    if ((file.poll() & entry.events) !== 0) this.#ready(entry);
    return null;
  }

  delete(fd: number, file: OpenFile): string | null {
    const key = this.#key(fd, file);
    const entry = this.#entries.get(key);
    if (entry === undefined) return 'ENOENT';
    this.#remove(key, entry);
    return null;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    entry.file.watchers.delete(entry.watch);
  }

  #wake(entry: Entry, about: number): void {
    if ((entry.events & ~PRIVATE) === 0) return; // EPOLLONESHOT has fired
    if (about !== 0 && (about & entry.events) === 0) return;
    this.#ready(entry);
  }

  #ready(entry: Entry): void {
    entry.ready = true;
    this.changed(POLLIN);
  }

  /** At most `most` events; what they say is taken note of. */
  take(most: number): EpollEvent[] {
    const result: EpollEvent[] = [];
    for (const entry of this.#entries.values()) {
      const { arrived } = entry.file;
      const fresh = arrived !== entry.seen && (entry.events & ~PRIVATE & POLLIN) !== 0;
      if ((!entry.ready && !fresh) || result.length === most) continue;
      entry.ready = false;
      entry.seen = arrived;
      const events = entry.file.poll() & entry.events;
      if (events === 0) continue;
      result.push({ events, data: entry.data });
      if ((entry.events & EPOLLONESHOT) !== 0) entry.events &= PRIVATE;
      else if ((entry.events & EPOLLET) === 0) entry.ready = true; // level: it is looked at again
    }
    return result;
  }

  poll(): number {
    for (const entry of this.#entries.values()) {
      if (entry.ready && (entry.file.poll() & entry.events) !== 0) return POLLIN | constant('EPOLLRDNORM');
    }
    return 0;
  }

  release(): void {
    for (const [key, entry] of this.#entries) this.#remove(key, entry);
  }
}
