/** The events of a host's subflows and addresses: an EventEmitter (`event`), and an async iterable of its own. */
import { EventEmitter } from 'node:events';
import { PlaitError } from '../errors.js';
import type { PathEvent, PathListener } from '../stack/monitor.js';

/** Events that an iteration holds for a consumer that is busy. */
const HELD = 4096;

export interface PathEventStream extends EventEmitter, AsyncIterable<PathEvent> {
  on(event: 'event', listener: (event: PathEvent) => void): this;
  on(event: 'close', listener: () => void): this;
}

export class PathEvents extends EventEmitter implements PathEventStream {
  #closed = false;
  #stop: (() => void) | null = null;

  /** `listen`: that of the stack's `Monitor`, called while somebody wants events. */
  constructor(listen: (listener: PathListener) => () => void) {
    super();
    this.on('newListener', (name) => {
      if (name === 'event') this.#stop ??= listen((event) => this.emit('event', event));
    });
    this.on('removeListener', (name) => {
      if (name !== 'event' || this.listenerCount('event') > 0) return;
      this.#stop?.();
      this.#stop = null;
    });
  }

  /** No event comes any more: iterations end. */
  close(): void {
    this.#closed = true;
    this.emit('close');
  }

  /** Every event from now on, until the host closes. Throws ENOBUFS when it is 4,096 events behind. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PathEvent, void, undefined> {
    const queue: PathEvent[] = [];
    let behind = false;
    let wake = (): void => undefined;
    const onEvent = (event: PathEvent): void => {
      if (queue.length < HELD) queue.push(event);
      else behind = true;
      wake();
    };
    const onClose = (): void => wake();
    this.on('event', onEvent).on('close', onClose);
    try {
      for (;;) {
        const next = queue.shift();
        if (next !== undefined) yield next;
        else if (behind) throw new PlaitError('ENOBUFS', 'path events were lost; read them sooner');
        else if (this.#closed) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.off('event', onEvent).off('close', onClose);
    }
  }
}
