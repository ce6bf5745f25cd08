/**
 * One long transfer over two subflows: an application that writes from its buffer for as long as there is room,
 * and one that reads into its buffer whatever has come.
 */
import { CFG_RCVBUF_MAX, CFG_SNDBUF_MAX } from '../assembly/abi.js';
import { MIB_InSegs } from '../assembly/mib.js';
import type { Connection } from '../src/stack/connection.js';
import { QuietHandler, TwoHosts, type HostsOptions } from './two-hosts.js';

/** What the applications read and write in one piece. */
export const APP_CHUNK = 65536;
/** Both rings: what is under way fits into the packet ring of either host, so that hosts and clock take turns. */
const RING = 262144;
/** No power of two, so that an octet in the wrong place of any ring does not go unnoticed. */
const PERIOD = 65521;

export class Stream {
  received = 0;
  /** Octets that the sender may still write. */
  allowed = 0;
  readonly #hosts: TwoHosts;
  readonly #pattern = new Uint8Array(2 * PERIOD);
  readonly #target = new Uint8Array(APP_CHUNK);
  #verify = true;
  #connected = false;
  #written = 0;
  #near: Connection | null = null;
  #far: Connection | null = null;

  private constructor(hosts: TwoHosts) {
    this.#hosts = hosts;
    let word = 1;
    for (let i = 0; i < PERIOD; i++) {
      word = (word * 1664525 + 1013904223) >>> 0;
      this.#pattern[i] = this.#pattern[i + PERIOD] = word >>> 24;
    }
  }

  /** Both subflows are up, their windows and the rings have grown, and every octet so far was right. */
  static async open(options: HostsOptions = {}): Promise<Stream> {
    const hosts = await TwoHosts.create({
      ...options,
      config: [[CFG_SNDBUF_MAX, RING], [CFG_RCVBUF_MAX, RING], ...(options.config ?? [])],
    });
    const stream = new Stream(hosts);
    stream.#near = hosts.open(new Sender(stream), (connection) => {
      stream.#far = connection;
      return new Receiver(stream);
    });
    stream.transfer(64 << 20);
    stream.#verify = false;
    return stream;
  }

  get hosts(): TwoHosts {
    return this.#hosts;
  }

  /** Segments with payload that the receiver has taken. */
  get segments(): number {
    return this.#hosts.server.core.counter(MIB_InSegs);
  }

  /** Shares of the subflows in what was sent. */
  shares(): number[] {
    const sent = this.connection.liveSubflows().map(({ bytesSent }) => bytesSent);
    const sum = sent.reduce((a, b) => a + b, 0);
    return sent.map((part) => part / sum);
  }

  get connection(): Connection {
    if (this.#near === null) throw new Error('no connection');
    return this.#near;
  }

  /** Moves octets from application to application. */
  transfer(octets: number): void {
    const until = this.received + octets;
    this.allowed += octets;
    this.write();
    let stuck = 0;
    while (this.received < until) {
      const before = this.received;
      this.#hosts.turn();
      // The start of a connection takes turns without data.
      if (this.received === before && ++stuck > 100000) throw new Error('the transfer does not move');
    }
  }

  connected(): void {
    this.#connected = true;
    this.write();
  }

  write(): void {
    const connection = this.#near;
    if (connection === null || !this.#connected) return;
    while (this.allowed > 0) {
      const at = this.#written % PERIOD;
      const n = Math.min(this.allowed, PERIOD);
      const taken = connection.write(this.#pattern.subarray(at, at + n));
      this.#written += taken;
      this.allowed -= taken;
      if (taken < n) return;
    }
  }

  read(): void {
    const connection = this.#far;
    for (;;) {
      const n = connection?.readInto(this.#target) ?? 0;
      if (n === 0) return;
      if (this.#verify) this.#check(n);
      this.received += n;
    }
  }

  #check(n: number): void {
    for (let done = 0; done < n;) {
      const at = (this.received + done) % PERIOD;
      const part = Math.min(n - done, PERIOD);
      const right = Buffer.compare(
        this.#target.subarray(done, done + part),
        this.#pattern.subarray(at, at + part),
      );
      if (right !== 0) throw new Error(`wrong octets after ${this.received + done}`);
      done += part;
    }
  }
}

class Sender extends QuietHandler {
  constructor(readonly stream: Stream) {
    super();
  }
  override onConnected(): void {
    this.stream.connected();
  }
  override onWritable(): void {
    this.stream.write();
  }
}

class Receiver extends QuietHandler {
  constructor(readonly stream: Stream) {
    super();
  }
  override onReadable(): void {
    this.stream.read();
  }
}
