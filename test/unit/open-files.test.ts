/** A process that has as many files open as it may. */
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';

const url = (file: string): string => new URL(`../../src/io/${file}.js`, import.meta.url).href;
const SCRIPT = `
import { openSync } from 'node:fs';
import { sourceFor } from '${url('route')}';
import { bindError } from '${url('udp-socket')}';
await sourceFor('127.0.0.1'); // what it loads
let refused = null;
while (refused === null) try { openSync('.'); } catch (error) { refused = error; }
await sourceFor('127.0.0.1').catch(({ code, remedy }) => console.log(code, remedy));
console.log(bindError(refused, '127.0.0.1', 0).code);
`;

describe('no more open files', () => {
  it('are no missing route, and no broken device', () => {
    const options = { encoding: 'utf8', input: SCRIPT } as const;
    const command = 'ulimit -n 100 && exec "$0" --input-type=module';
    const told = execFileSync('sh', ['-c', command, process.execPath], options);
    expect(told.trim().split('\n')).to.deep.equal(['ENOBUFS ulimit -n', 'ENOBUFS']);
  });
});
