/** Pipes and plain files: what sendfile, splice and poll want beside sockets. */
import { constant } from './constants.js';
import { OpenFile } from './files.js';

const POLLIN = constant('POLLIN') | constant('POLLRDNORM');
const POLLOUT = constant('POLLOUT') | constant('POLLWRNORM');
const POLLHUP = constant('POLLHUP');
const POLLERR = constant('POLLERR');

export class Pipe {
  octets = 0;
  capacity = 65536;
  readers = 1;
  writers = 1;
  readonly reader = new PipeEnd(this, true);
  readonly writer = new PipeEnd(this, false);
}

export class PipeEnd extends OpenFile {
  constructor(
    readonly pipe: Pipe,
    readonly reads: boolean,
  ) {
    super();
    this.access = constant(reads ? 'O_RDONLY' : 'O_WRONLY');
  }

  get other(): PipeEnd {
    return this.reads ? this.pipe.writer : this.pipe.reader;
  }

  get room(): number {
    return this.pipe.capacity - this.pipe.octets;
  }

  poll(): number {
    if (this.reads) return (this.pipe.octets > 0 ? POLLIN : 0) | (this.pipe.writers === 0 ? POLLHUP : 0);
    return (this.room > 0 ? POLLOUT : 0) | (this.pipe.readers === 0 ? POLLERR : 0);
  }

  release(): void {
    if (this.reads) this.pipe.readers--;
    else this.pipe.writers--;
    this.other.changed();
  }
}

/** A file of zeros without end: the source of sendfile. */
export class PlainFile extends OpenFile {
  poll(): number {
    return POLLIN | POLLOUT;
  }
  release(): void {
    // nothing to give back
  }
}
