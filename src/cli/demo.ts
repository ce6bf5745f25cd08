/** `plait demo`: two processes, two shaped paths, one of which goes away in the middle. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Socket } from '../net/types.js';
import { Sender } from '../transfer/sender.js';
import { fileSource, type Entry } from '../transfer/source.js';
import type { Command } from './command.js';
import { say, type Context } from './context.js';
import { DemoLinks, LTE, MTU, RECEIVER, WIFI } from './demo-links.js';
import { DemoMeter } from './demo-meter.js';
import { DemoPeer } from './demo-peer.js';
import { Exit, problemLine } from './exit.js';
import { commonOptions, HOST_OPTIONS, QUIET, type CommonOptions } from './options.js';
import { pathBytes, shares } from './paths.js';
import { ProgressView } from './progress.js';
import { withHost, type Session } from './session.js';
import { formatBytes, formatRate } from './units.js';

export const demo: Command = {
  name: 'demo',
  summary: 'show what several paths bring, on this machine and without privileges',
  usage: ['demo [options] [FILE]'],
  description: [
    `Sends FILE (default: the node executable) from one process to another over two loopback paths that are shaped like ${WIFI.name} (${WIFI.description}) and ${LTE.name} (${LTE.description}). First over ${WIFI.name} alone, to measure the best single path, then over both; at 40 % of the time ${WIFI.name} goes away, at 60 % it comes back. At the end the SHA-256 of what arrived is compared with that of what was sent.`,
    'Of a FILE that is too large for the time, only the first part is sent.',
  ],
  options: [
    { name: 'seconds', short: 't', value: 'N', help: 'length of the whole run, 5 to 600 (default 15)' },
    ...HOST_OPTIONS.filter(({ name }) => !['device', 'path', 'bind'].includes(name)),
    QUIET,
  ],
  examples: ['plait demo', 'plait demo --seconds 60 --pm fullmesh film.mkv'],

  async run(context, args) {
    const options = commonOptions(args);
    const seconds = args.integer('seconds', 5, 600) ?? 15;
    args.expect(0, 1);
    const file = args.positionals[0] ?? process.execPath;
    const found = await stat(file);
    if (!found.isFile() || found.size === 0) throw args.wrong(`${file} is not a file with something in it`);
    const directory = await mkdtemp(join(tmpdir(), 'plait-demo-'));
    try {
      const peer = await DemoPeer.start(context, directory);
      try {
        return await new Demo(context, options, peer, directory, file, found.size).run(seconds * 1000);
      } finally {
        await peer.stop();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

class Demo {
  /** Mbit/s over the best path alone. */
  #single = 0;

  constructor(
    readonly context: Context,
    readonly options: CommonOptions,
    readonly peer: DemoPeer,
    readonly directory: string,
    readonly file: string,
    readonly size: number,
  ) {}

  async run(time: number): Promise<number> {
    for (const { name, description, address } of [WIFI, LTE]) {
      this.#tell(`${name.padEnd(6)} ${description}, ${address} to ${RECEIVER}`);
    }
    const code = await this.#measureSingle(time * SINGLE_SHARE);
    return code === Exit.Ok ? this.#sendOverBoth(time * BOTH_SHARE) : code;
  }

  async #measureSingle(time: number): Promise<number> {
    const links = new DemoLinks();
    const { congestion, scheduler, checksum } = this.options.host;
    const host = {
      device: 'udp',
      paths: [WIFI.address],
      pathManager: 'none',
      ...(congestion !== undefined && { congestion }),
      ...(scheduler !== undefined && { scheduler }),
      ...(checksum !== undefined && { checksum }),
      mtu: MTU,
      wrapDevice: links.wrap,
    } as const;
    return withHost(this.context, { ...this.options, host, stats: false }, async (session) => {
      const socket = await session.connect({ host: RECEIVER, port: this.peer.port }, undefined);
      const start = this.context.now();
      const meter = new DemoMeter(this.context.now, () => socket.info().bytesAcked);
      const limit = Math.min(this.size, ((WIFI.link.rate ?? 0) / 8) * (time / 1000));
      await this.#send(socket, 'single', limit);
      meter.stop();
      const end = this.context.now();
      // Slow start is left out, so that the comparison is with the best that one path can do.
      const settled = meter.rate(start + Math.min(SETTLE, (end - start) / 2), end);
      this.#single = settled || (meter.rate(start, end) ?? 0);
      this.#tell(`${WIFI.name} alone: ${formatRate(this.#single)}`);
      return Exit.Ok;
    });
  }

  async #sendOverBoth(time: number): Promise<number> {
    const links = new DemoLinks();
    const host = {
      ...this.options.host,
      device: 'udp',
      paths: [WIFI.address, LTE.address],
      mtu: MTU,
      wrapDevice: links.wrap,
    } as const;
    // Wi-Fi works for 80 % of the time, LTE, half as fast, for all of it.
    const expected = this.#single * (1 - (AWAY_UNTIL - AWAY_FROM) + 0.5) * EFFICIENCY;
    const amount = Math.floor(Math.min(this.size, (expected * 1e6 * (time / 1000)) / 8));
    const duration = (amount * 8) / (expected * 1000);
    return withHost(this.context, { ...this.options, host }, async (session) => {
      const socket = await session.connect({ host: RECEIVER, port: this.peer.port }, undefined);
      const part = amount < this.size ? `the first ${formatBytes(amount)} of` : formatBytes(amount);
      this.#tell(`over both: sending ${part} ${this.file}`);
      const meter = new DemoMeter(this.context.now, () => socket.info().bytesAcked);
      const view = this.options.quiet ? null : this.#view(socket, amount);
      const outage = this.#planOutage(links, duration, view);
      try {
        await this.#send(socket, 'both', amount);
        session.stopWatch();
        session.bytes = amount;
      } finally {
        outage.cancel();
        meter.stop();
        view?.stop();
      }
      return this.#conclude(session, socket, meter, outage, amount);
    });
  }

  async #send(socket: Socket, name: string, amount: number): Promise<void> {
    const head = { name, size: amount, mode: 0o600, mtime: Date.now() };
    const entry: Entry = { kind: 'file', head, source: fileSource(this.file, amount) };
    const { failures } = await Promise.race([new Sender(socket, [entry]).run(), this.peer.lost]);
    const [failure] = failures;
    if (failure !== undefined) throw Object.assign(new Error(failure.message), { code: failure.code });
  }

  #view(socket: Socket, total: number): ProgressView {
    return new ProgressView(this.context, () => {
      const info = socket.info();
      return { paths: pathBytes(info, 'sent', NAMES), moved: Math.min(info.bytesAcked, total), total };
    });
  }

  /** Takes the Wi-Fi away and brings it back at its times. */
  #planOutage(links: DemoLinks, duration: number, view: ProgressView | null): Outage {
    const start = this.context.now();
    const outage: Outage = { from: Infinity, until: Infinity, cancel: () => timers.forEach(clearTimeout) };
    const set = (up: boolean): void => {
      const now = this.context.now();
      if (up) outage.until = now;
      else outage.from = now;
      links.setUp(WIFI, up);
      view?.note(`${((now - start) / 1000).toFixed(1)} s: ${WIFI.name} ${up ? 'is back' : 'goes away'}`);
    };
    const timers = [
      setTimeout(() => set(false), duration * AWAY_FROM),
      setTimeout(() => set(true), duration * AWAY_UNTIL),
    ];
    return outage;
  }

  async #conclude(
    session: Session,
    socket: Socket,
    meter: DemoMeter,
    outage: Outage,
    amount: number,
  ): Promise<number> {
    const [sent, arrived] = await Promise.all([
      sha256(this.file, amount),
      sha256(join(this.directory, 'both'), Infinity),
    ]);
    if (sent !== arrived) {
      const what = `${basename(this.file)}: what arrived differs from what was sent`;
      say(this.context, problemLine('ERR_PLAIT_INTEGRITY', what));
      return Exit.Integrity;
    }
    const end = this.context.now();
    const goodput = (amount * 8) / (session.elapsed * 1000);
    const both = meter.rate(0, Math.min(outage.from, end));
    const without = outage.from === Infinity ? null : meter.rate(outage.from, Math.min(outage.until, end));
    const detail = [
      ...(both === null || without === null ? [] : [`${formatRate(both)} before ${WIFI.name} went away`]),
      ...(without === null ? [] : [`${formatRate(without)} without it`]),
    ];
    const seconds = (session.elapsed / 1000).toFixed(1);
    this.#tell(`sent     ${formatBytes(amount)} in ${seconds} s, SHA-256 ${sent} at both ends`);
    this.#tell(`goodput  ${[formatRate(goodput), ...detail].join('; ')}`);
    this.#tell(`shares   ${shares(pathBytes(socket.info(), 'sent', NAMES))}`);
    const ratio = (rate: number): string => (rate / this.#single).toFixed(2);
    const clear = both === null || without === null ? '' : `; ${ratio(both)} before it went away`;
    this.#tell(`ratio    ${ratio(goodput)} times ${WIFI.name} alone, the outage included${clear}`);
    return Exit.Ok;
  }

  #tell(line: string): void {
    if (!this.options.quiet) say(this.context, line);
  }
}

/** When the path was away, on the clock of `Context.now`. */
interface Outage {
  from: number;
  until: number;
  readonly cancel: () => void;
}

async function sha256(path: string, limit: number): Promise<string> {
  const hash = createHash('sha256');
  if (limit > 0) await pipeline(createReadStream(path, { end: limit - 1 }), hash);
  return hash.digest('hex');
}

const NAMES = new Map([WIFI, LTE].map(({ address, name }) => [address, name]));
/** Shares of the run's time; the rest is for handshakes and the check at the end. */
const SINGLE_SHARE = 0.2;
const BOTH_SHARE = 0.72;
/** The outage, in shares of the time over both paths. */
const AWAY_FROM = 0.4;
const AWAY_UNTIL = 0.6;
/** How much of the sum of the paths a run with an outage is expected to reach. */
const EFFICIENCY = 0.9;
/** Milliseconds of slow start. */
const SETTLE = 1000;
