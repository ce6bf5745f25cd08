/**
 * How many connections per second of processor time two stacks in one process open, each with a handshake and a join;
 * and how many short ones they get through: handshake, 1 KB each way, close.
 */
import type { Connection } from '../src/stack/connection.js';
import { processorSeconds } from './measure.js';
import { median, type Report } from './report.js';
import { QuietHandler, TwoHosts } from './two-hosts.js';

const RUNS = 5;
const COUNT = 3000;
/** Connections at once. */
const GROUP = 50;
const MOST_TURNS = 1000;
const MESSAGE = new Uint8Array(1024);

export async function visits(report: Report): Promise<void> {
  const opened: number[] = [];
  const visited: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const open = await TwoHosts.create();
    opened.push(COUNT / processorSeconds(() => openMany(open, COUNT)));
    const short = await TwoHosts.create();
    visited.push(COUNT / processorSeconds(() => visitMany(short)));
  }
  const unit = 'per second';
  report.add({ case: 'in memory: handshakes with a join', value: median(opened), unit });
  report.add({ case: 'in memory: short connections', value: median(visited), unit });
}

/** Opens connections that stay, with both subflows. */
export function openMany(hosts: TwoHosts, count: number): void {
  const quiet = new QuietHandler();
  for (let done = 0; done < count; done += GROUP) {
    const group = Array.from({ length: GROUP }, () => hosts.open(quiet, () => quiet));
    turnUntil(hosts, () => group.every((one) => one.liveSubflows().length === 2 && one.isOpen));
  }
}

function visitMany(hosts: TwoHosts): void {
  for (let done = 0; done < COUNT; done += GROUP) {
    const group = Array.from({ length: GROUP }, () => {
      const visitor = new Visitor(false);
      visitor.connection = hosts.open(visitor, (connection) => {
        const host = new Visitor(true);
        host.connection = connection;
        return host;
      });
      return visitor;
    });
    turnUntil(hosts, () => group.every(({ closed }) => closed));
  }
}

function turnUntil(hosts: TwoHosts, done: () => boolean): void {
  for (let turns = 0; !done(); turns++) {
    if (turns === MOST_TURNS) throw new Error('the connections do not get on');
    hosts.turn();
  }
}

/** Sends 1 KB, reads 1 KB to the end, and is gone; the one that answers waits for the other's. */
class Visitor extends QuietHandler {
  connection: Connection | null = null;
  closed = false;
  #received = 0;
  readonly #buffer = new Uint8Array(MESSAGE.length);

  constructor(readonly answers: boolean) {
    super();
  }
  override onConnected(): void {
    this.#say();
  }
  override onReadable(): void {
    this.#received += this.connection?.readInto(this.#buffer) ?? 0;
    if (this.answers && this.#received === MESSAGE.length) this.#say();
  }
  override onClosed(error: Error | null): void {
    super.onClosed(error);
    if (this.#received !== MESSAGE.length) throw new Error('closed without the whole message');
    this.closed = true;
    this.connection?.release();
  }
  #say(): void {
    this.connection?.write(MESSAGE);
    this.connection?.shutdown();
  }
}
