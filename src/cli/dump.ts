/** `plait dump`: a capture packet by packet, and what its connections came to. */
import { createReadStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { loadDissector } from '../inspect/dissector.js';
import { packetJson } from '../inspect/json.js';
import { formatLine, plain, type Paint } from '../inspect/line.js';
import { ipOfFrame, knowsLinkType } from '../inspect/link.js';
import { summarize } from '../inspect/summary.js';
import { formatSummary } from '../inspect/summary-text.js';
import { Tracker, type TrackedPacket } from '../inspect/tracker.js';
import { readCapture, type CaptureEnd, type CapturedFrame } from '../io/capture-reader.js';
import type { Command } from './command.js';
import { say, type Context } from './context.js';
import { Exit, Interrupted } from './exit.js';

export const dump: Command = {
  name: 'dump',
  summary: 'show what is in a capture, packet by packet and connection by connection',
  usage: ['dump [options] FILE', 'dump [options] -'],
  description: [
    'Prints one line for each packet of FILE (pcapng or pcap; - is standard input) with every field of TCP and Multipath TCP, sequence numbers and data sequence numbers relative, and marks for what the packet means: reinjection, retransmission, fallback, checksums and HMACs that are good or bad. At the end, one paragraph for each connection.',
  ],
  options: [
    { name: 'count', short: 'c', value: 'N', help: 'stop after N packets' },
    { name: 'connection', value: 'N', multiple: true, help: 'only packets of the N-th connection' },
    { name: 'json', help: 'one JSON object a line: each packet, then each connection' },
    { name: 'no-summary', help: 'packets only' },
  ],
  examples: [
    'plait dump run.pcapng',
    'plait dump --connection 2 --no-summary run.pcapng',
    'tcpdump -w - -i eth0 tcp | plait dump -',
    'plait dump --json run.pcapng | jq \'select(.marks[]?.kind == "reinjection").packet\'',
  ],

  async run(context, args) {
    args.expect(1, 1);
    const count = args.integer('count', 1, 999_999_999) ?? Infinity;
    const connections = args
      .texts('connection')
      .map((text) => args.parseInteger('--connection', text, 1, 999_999_999));
    const summary = !args.flag('no-summary');
    const options = { count, connections: new Set(connections), json: args.flag('json'), summary };
    const [file = '-'] = args.positionals;
    const source = file === '-' ? context.stdin : createReadStream(file);
    try {
      return await new Dump(context, options, file).run(source as AsyncIterable<Uint8Array>);
    } finally {
      source.destroy();
    }
  },
};

interface DumpOptions {
  readonly count: number;
  /** Empty: all. */
  readonly connections: ReadonlySet<number>;
  readonly json: boolean;
  readonly summary: boolean;
}

class Dump {
  readonly #context: Context;
  readonly #options: DumpOptions;
  readonly #file: string;
  readonly #output: Output;
  readonly #paint: Paint;
  /** Of the first packet, microseconds. */
  #start: number | null = null;
  #unknownLinkTypes = new Set<number>();

  constructor(context: Context, options: DumpOptions, file: string) {
    this.#context = context;
    this.#options = options;
    this.#file = file;
    this.#output = new Output(context.stdout);
    this.#paint = wantsColour(context) ? colours : plain;
  }

  async run(source: AsyncIterable<Uint8Array>): Promise<number> {
    const tracker = new Tracker(await loadDissector());
    const { count, json, summary } = this.#options;
    const frames = readCapture(source);
    let shown = 0;
    let end: CaptureEnd | null = null;
    while (shown < count && !this.#output.closed) {
      if (this.#context.signal.aborted) throw new Interrupted();
      const next = await frames.next();
      if (next.done === true) {
        end = next.value;
        break;
      }
      const packet = await this.#track(tracker, next.value);
      if (!this.#wants(packet)) continue;
      shown++;
      this.#start ??= packet.time;
      await this.#output.line(
        json ? JSON.stringify(packetJson(packet)) : formatLine(packet, this.#start, this.#paint),
      );
    }
    if (summary) await this.#summaries(tracker);
    await this.#output.flush();
    if (end !== null && end.truncated > 0) {
      say(
        this.#context,
        `plait: ${this.#file} ends within a packet: ${String(end.truncated)} octets left out`,
      );
    }
    return Exit.Ok;
  }

  async #track(tracker: Tracker, frame: CapturedFrame): Promise<TrackedPacket> {
    const { linkType, octets, length, time } = frame;
    if (!knowsLinkType(linkType) && !this.#unknownLinkTypes.has(linkType)) {
      this.#unknownLinkTypes.add(linkType);
      say(
        this.#context,
        `plait: ${this.#file}: link type ${String(linkType)} is not known; its packets are not read`,
      );
    }
    const dissector = await loadDissector();
    const found = ipOfFrame(linkType, octets);
    const packet = found?.packet ?? NOTHING;
    return tracker.add(time, dissector.dissect(packet, found === null ? 0 : length - found.offset));
  }

  #wants(packet: TrackedPacket): boolean {
    const { connections } = this.#options;
    return (
      connections.size === 0 || (packet.subflow !== null && connections.has(packet.subflow.connection.id))
    );
  }

  async #summaries(tracker: Tracker): Promise<void> {
    const { connections, json } = this.#options;
    for (const connection of tracker.connections) {
      if (connections.size > 0 && !connections.has(connection.id)) continue;
      const summary = summarize(connection);
      if (json) {
        await this.#output.line(JSON.stringify({ summary }));
      } else {
        for (const line of ['', ...formatSummary(summary, this.#start ?? 0, this.#paint)]) {
          await this.#output.line(line);
        }
      }
    }
  }
}

/** Standard output in large pieces, until nobody reads it any more. */
class Output {
  readonly #stream: Writable;
  #text = '';
  closed = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', () => {
      this.closed = true;
    });
  }

  async line(text: string): Promise<void> {
    this.#text += `${text}\n`;
    if (this.#text.length >= PIECE) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    if (this.closed || text === '') return;
    // The callback also comes when writing failed.
    await new Promise<void>((written) => this.#stream.write(text, () => written()));
  }
}

function wantsColour({ stdout, env }: Context): boolean {
  const { NO_COLOR, FORCE_COLOR } = env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0';
  return stdout.isTTY === true && env['TERM'] !== 'dumb';
}

const colours: Paint = (role, text, index = 0) => {
  switch (role) {
    case 'subflow':
      return styleText(SUBFLOW_COLOURS[index % SUBFLOW_COLOURS.length]!, text);
    case 'time':
      return styleText('gray', text);
    case 'flags':
      return styleText('bold', text);
    case 'multipath':
      return styleText('cyan', text);
    case 'error':
      return styleText('red', text);
    case 'warning':
      return styleText('yellow', text);
    case 'note':
      return styleText('gray', text);
  }
};

const SUBFLOW_COLOURS = ['green', 'magenta', 'blue', 'yellow', 'cyan', 'red'] as const;
const NOTHING = new Uint8Array();
const PIECE = 1 << 16;
