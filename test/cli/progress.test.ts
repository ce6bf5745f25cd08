/** Progress: what a terminal shows, and what a log gets. */
import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import type { Context, Terminal } from '../../src/cli/context.js';
import { pathBytes, shares } from '../../src/cli/paths.js';
import {
  blockLines,
  plainLine,
  ProgressView,
  ratesBetween,
  remaining,
  type Sample,
} from '../../src/cli/progress.js';
import type { ConnectionInfo } from '../../src/stack/info.js';

const sample = (moved: number, wifi: number, lte: number): Sample => ({
  paths: [
    { label: 'wlan0', bytes: wifi },
    { label: 'wwan0', bytes: lte },
  ],
  moved,
  total: 20_000_000,
});

describe('progress', () => {
  const then = { time: 1000, sample: sample(0, 0, 0) };
  const now = { time: 2000, sample: sample(7_500_000, 5_000_000, 2_500_000) };

  it('has rates per path, a total, and the time to go', () => {
    const rates = ratesBetween(then, now);
    expect(rates).to.deep.equal({ paths: [40, 20], total: 60 });
    expect(remaining(then, now)).to.be.closeTo(1667, 1);
    expect(remaining(now, { ...now, time: 3000 })).to.equal(null);
    expect(blockLines(now.sample, rates, 8400)).to.deep.equal([
      'wlan0    40.0 Mbit/s   67 %',
      'wwan0    20.0 Mbit/s   33 %',
      'total    60.0 Mbit/s   37 %   7.5 MB of 20.0 MB   0:08 left',
    ]);
    expect(plainLine(now.sample, rates, null)).to.equal(
      '60.0 Mbit/s, 37 %, 7.5 MB of 20.0 MB, -:-- left; wlan0 40.0, wwan0 20.0',
    );
  });

  it('counts a path that is new from nothing', () => {
    const before = { time: 1000, sample: { ...sample(0, 0, 0), paths: [] } };
    expect(ratesBetween(before, now).paths).to.deep.equal([40, 20]);
  });

  it('redraws its block on a terminal, within its width, and takes it away', async () => {
    const screen = new Screen({ isTTY: true, columns: 20 });
    const view = new ProgressView(screen.context(), () => now.sample);
    await screen.until('total', 2);
    view.note('an event');
    view.stop();
    const lines = stripVTControlCharacters(screen.text).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).to.equal(19);
    expect(screen.text).to.include('\u001b[3A\u001b[Jan event\n');
    expect(screen.text.endsWith('\u001b[3A\u001b[J')).to.equal(true);
    expect(screen.text).to.include('\u001b[1mtotal');
  });

  it('has no colour with NO_COLOR', async () => {
    const screen = new Screen({ isTTY: true });
    const view = new ProgressView(screen.context({ NO_COLOR: '1' }), () => now.sample);
    await screen.until('total', 1);
    view.stop();
    expect(screen.text).to.include('\nwwan0 ');
  });

  for (const [what, options, env] of [
    ['a file', {}, {}],
    ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }],
  ] as const) {
    it(`writes a plain line every few seconds to ${what}`, async () => {
      const screen = new Screen(options);
      const times = [1000, 4000];
      const context = { ...screen.context(env), now: () => times.shift() ?? NaN };
      const view = new ProgressView(context, () => now.sample);
      await screen.until(' of ', 1);
      view.stop();
      expect(screen.text).to.match(
        /^3 s: 0\.0 Mbit\/s, 37 %, 7\.5 MB of 20\.0 MB, -:-- left; wlan0 0\.0, wwan0 0\.0\n$/,
      );
    });
  }

  it('calls paths after their interfaces, and their addresses where that is not enough', () => {
    const subflow = (pathName: string, address: string, bytesSent: number): unknown => ({
      pathName,
      local: { address, port: 1 },
      bytesSent,
      bytesReceived: 0,
    });
    const info = {
      subflows: [
        subflow('eth0', '192.0.2.1', 10),
        subflow('eth0', '2001:db8::1', 20),
        subflow('wlan0', '198.51.100.1', 30),
        subflow('wlan0', '198.51.100.1', 40),
      ],
    } as unknown as ConnectionInfo;
    const paths = pathBytes(info, 'sent');
    expect(paths).to.deep.equal([
      { label: 'eth0 192.0.2.1', bytes: 10 },
      { label: 'eth0 2001:db8::1', bytes: 20 },
      { label: 'wlan0', bytes: 70 },
    ]);
    expect(shares(paths)).to.equal('eth0 192.0.2.1 10 %, eth0 2001:db8::1 20 %, wlan0 70 %');
    expect(pathBytes(info, 'received').map(({ bytes }) => bytes)).to.deep.equal([0, 0, 0]);
    expect(pathBytes(info, 'sent', new Map([['192.0.2.1', 'Wi-Fi']]))[0]?.label).to.equal('Wi-Fi');
  });
});

/** A terminal that remembers everything. */
class Screen {
  text = '';
  readonly #written = new EventEmitter();
  readonly #terminal: Terminal;

  constructor(options: { isTTY?: boolean; columns?: number }) {
    const terminal = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.text += chunk.toString();
        this.#written.emit('write');
        done();
      },
    });
    this.#terminal = Object.assign(terminal, options);
  }

  context(env: Readonly<Record<string, string>> = {}): Context {
    return { stderr: this.#terminal, env, now: () => performance.now() } as unknown as Context;
  }

  /** Waits until `part` has been written `times` times. */
  async until(part: string, times: number): Promise<void> {
    while (this.text.split(part).length <= times) {
      await new Promise((resolve) => this.#written.once('write', resolve));
    }
  }
}
