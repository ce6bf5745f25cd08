import { readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { EXCEPTIONS, breachesOf, exceptionName } from '../support/import-rules.js';
import { factsOf } from '../support/source-facts.js';
import { root } from '../support/root.js';

const LONGEST_FILE = 600;

const sources = new Map<string, string>();
for (const folder of ['assembly', 'src']) {
  for (const name of readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })) {
    const path = `${folder}/${name.replaceAll('\\', '/')}`;
    if (path.endsWith('.ts') && !path.includes('/node_modules/'))
      sources.set(path, readFileSync(new URL(path, root), 'utf8'));
  }
}

describe('imports', () => {
  const applied = new Set<string>();
  let breaches: string[] = [];

  before(() => {
    breaches = [...sources].flatMap(([file, text]) => breachesOf(file, text, applied));
  });

  it('go one way, and only a few files ask for time and randomness', () => {
    expect(breaches).to.deep.equal([]);
  });

  it('need every exception that is made', () => {
    const listed = EXCEPTIONS.flatMap((entry) => entry.what.map((what) => exceptionName(entry.file, what)));
    expect([...applied].sort()).to.deep.equal(listed.sort());
  });

  it('come from files of a readable length', () => {
    const long = [...sources]
      .map(([file, text]) => ({ file, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > LONGEST_FILE);
    expect(long).to.deep.equal([]);
  });
});

describe('the import rules', () => {
  const caught: readonly (readonly [file: string, source: string, complaint: string])[] = [
    ['assembly/seq.ts', "import { parse } from './wire/tcp';", 'lies above'],
    ['assembly/wire/tcp.ts', "import { Subflow } from '../tcp/subflow';", 'lies above'],
    ['assembly/cc/cubic.ts', "export { close } from '../mptcp/close';", 'lies above'],
    ['assembly/mptcp/close.ts', "import '../demux';", 'lies above'],
    ['assembly/bytes.ts', "import { x } from '../src/core/core';", 'from outside'],
    ['src/core/core.ts', "import { Stack } from '../stack/stack.js';", 'must not import src/stack/stack.ts'],
    ['src/core/core.ts', "import type { Stack } from '../stack/stack.js';", 'not even as a type'],
    ['src/stack/stack.ts', "import { UdpDevice } from '../io/udp.js';", 'must not import src/io/udp.ts'],
    ['src/sim/world.ts', "import { UdpDevice } from '../io/udp.js';", 'must not import'],
    ['src/io/udp.ts', "const { Stack } = await import('../stack/stack.js');", 'must not import'],
    ['src/io/udp.ts', "import { run } from '../cli/main.js';", 'must not import'],
    ['src/net/socket.ts', "import { isIP } from 'node:net';", 'does not exist in a browser'],
    ['src/sim/link.ts', "import type { A } from 'node:fs'; import fs from 'node:fs';", 'node:fs'],
    ['src/unheard-of/x.ts', "import { a } from '../errors.js';", 'do not know'],
    ['src/stack/stack.ts', 'const start = Date.now();', 'Date.now'],
    ['src/stack/stack.ts', 'const start = new Date();', 'new Date()'],
    ['src/net/socket.ts', 'setTimeout(() => {}, 5);', 'setTimeout'],
    ['src/net/socket.ts', 'const clock = { later: setImmediate };', 'setImmediate'],
    ['src/net/socket.ts', 'globalThis.setInterval(f, 5);', 'setInterval'],
    ['src/sim/link.ts', 'const x = Math.random();', 'Math.random'],
    ['src/io/udp.ts', 'const at = performance.now();', 'performance'],
    ['src/io/udp.ts', "import { randomBytes } from 'node:crypto';", 'node:crypto'],
    ['src/cli/send.ts', 'const at = process.hrtime.bigint();', 'process.hrtime'],
  ];
  for (const [file, source, complaint] of caught) {
    it(`catch in ${file}: ${source}`, () => {
      const breaches = breachesOf(file, source);
      expect(breaches).to.have.length(1);
      expect(breaches[0])
        .to.match(/^[\w/.-]+:1: /)
        .and.to.include(complaint);
    });
  }

  const passed: readonly (readonly [file: string, source: string])[] = [
    ['assembly/mptcp/close.ts', "import { Subflow } from '../tcp/subflow';"],
    [
      'assembly/tcp/ack.ts',
      "import { onAck } from '../cc/controller';\n@inline\nexport function f(): void {}",
    ],
    ['src/net/socket.ts', "import { Duplex } from 'node:stream'; import type { Server } from 'node:net';"],
    ['src/net/socket.ts', 'class S { setTimeout(ms: number) { this.timers.setTimeout(ms); } }'],
    ['src/net/socket.ts', 'let t: ReturnType<typeof setTimeout>; // never Date.now()'],
    ['src/io/udp.ts', "import { createSocket } from 'node:dgram'; import { Link } from '../sim/link.js';"],
    ['src/io/driver.ts', 'setTimeout(f, 1); setImmediate(f);'],
    ['src/cli/progress.ts', 'setInterval(paint, 100);'],
  ];
  for (const [file, source] of passed) {
    it(`let pass in ${file}: ${source.replaceAll('\n', ' ')}`, () => {
      expect(breachesOf(file, source)).to.deep.equal([]);
    });
  }

  it('see every form of import', () => {
    const text = [
      "import a from 'a'; import { type B } from 'b'; import { c, type C } from 'c'; import * as d from 'd';",
      "export * from 'e'; export type { F } from 'f'; import 'g'; let h: import('h').H; require('i');",
      "await import('j'); // import 'k'",
    ].join('\n');
    const found = factsOf('x.ts', text).imports.map((entry) => entry.specifier + (entry.typeOnly ? '*' : ''));
    expect(found).to.deep.equal(['a', 'b*', 'c', 'd', 'e', 'f*', 'g', 'h*', 'i', 'j']);
  });
});
