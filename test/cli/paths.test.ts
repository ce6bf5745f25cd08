/** Endpoints, limits and events on the command line. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { applyEndpointsFile, readEndpointsFile } from '../../src/cli/endpoints-file.js';
import { TableControl } from '../support/endpoint-control.js';
import { until } from '../support/until.js';
import { Running } from './harness.js';

describe('plait with endpoints', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'plait-paths-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('joins from them, and writes down what happens', async function () {
    // Elsewhere the loopback interface has one address.
    if (process.platform !== 'linux') this.skip();
    const plait = (...args: string[]): Running => new Running(args, { engine: true });
    const [served, sent] = [join(root, 'server'), join(root, 'client')];
    const udp = ['--device', 'udp'];
    const endpoints = join(root, 'endpoints');
    await writeFile(endpoints, 'limits subflows 4\n127.0.0.4 signal id 9 # the second address\n');
    const server = plait(
      'cat',
      ...udp,
      '--path',
      '127.0.0.2',
      '--path',
      '127.0.0.4',
      '--endpoints-file',
      endpoints,
      '--events',
      served,
      '--listen',
      '0',
    );
    const client = plait(
      'cat',
      ...[...udp, '--path', '127.0.0.1', '--path', '127.0.0.3'],
      ...['--endpoint', '127.0.0.3 subflow id 7 backup', '--limits', 'add_addr_accepted 1 subflows 2'],
      ...['--events', sent, '127.0.0.2', await server.port()],
    );
    const events = async (file: string, event: string, count = 1): Promise<Record<string, unknown>[]> => {
      let text = '';
      let found: Record<string, unknown>[] = [];
      await until(
        async () => {
          text = await readFile(file, 'utf8').catch(() => '');
          const lines = text.split('\n').filter((line) => line.endsWith('}'));
          const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
          found = all.filter((one) => one.event === event);
          return found.length >= count;
        },
        () => `${event} in ${text}${server.text}${client.text}`,
      );
      return found;
    };
    const up = await events(sent, 'SF_ESTABLISHED', 2);
    expect(up).to.containSubset([
      { locid: 7, remid: 0, saddr4: '127.0.0.3', daddr4: '127.0.0.2', backup: 1 },
      { remid: 9, daddr4: '127.0.0.4', backup: 0 },
    ]);
    expect(await events(sent, 'ANNOUNCED')).to.containSubset([{ remid: 9, daddr4: '127.0.0.4' }]);

    await writeFile(endpoints, 'limits subflows 4\n');
    server.child.kill('SIGHUP');
    expect(await events(sent, 'REMOVED')).to.containSubset([{ remid: 9 }]);
    const [from, to] = await Promise.all([client.result('up'), server.result('down')]);
    expect([from.code, to.code]).to.deep.equal([0, 0]);
    expect([from.stdout.toString(), to.stdout.toString()]).to.deep.equal(['down', 'up']);
    for (const file of [served, sent]) expect(await events(file, 'CLOSED')).to.have.lengthOf(1);
    const [{ token, sport }] = (await events(served, 'CREATED')) as [Record<string, unknown>];
    expect(token).to.match(/^[0-9a-f]{8}$/);
    expect(await events(served, 'LISTENER_CREATED')).to.containSubset([{ sport }]);
  });

  it('a file of endpoints brings the table to what it says, and leaves alone what stays', async () => {
    const file = join(root, 'endpoints');
    const control = new TableControl();
    const read = async (text: string): Promise<void> => {
      await writeFile(file, text);
      applyEndpointsFile(control, readEndpointsFile(file));
    };
    await read('10.0.1.1 subflow\n# nothing here\n\n  10.0.2.1 signal port 5000 id 9\nlimits subflows 3\n');
    expect(control.ip('endpoint')).to.equal('10.0.1.1 id 1 subflow \n10.0.2.1 port 5000 id 9 signal \n');
    expect(control.limits()).to.deep.equal({ subflows: 3, addAddrAccepted: 0 });
    const [first] = control.endpoints();
    await read('10.0.1.1 subflow backup\n10.0.3.1 signal\n');
    expect(control.ip('endpoint')).to.equal('10.0.1.1 id 1 subflow backup \n10.0.3.1 id 9 signal \n');
    expect(control.endpoints()[0]?.id).to.equal(first?.id);
    expect(control.deleted).to.deep.equal([{ id: 9 }]);
    await writeFile(file, '10.0.1.1\n10.0.2.1 sometimes\n');
    expect(() => readEndpointsFile(file)).to.throw(/line 2/);
  });

  for (const args of [
    ['cat', '--pm', 'ndiffports:9', 'a', '1'],
    ['cat', '--endpoint', '10.0.0.1 often', 'a', '1'],
    ['cat', '--limits', 'subflows 9', 'a', '1'],
    ['cat', '--events', '-', 'a', '1'],
    ['cat', '--device', 'udp', '--path', '127.0.0.1', '--endpoint', '10.0.0.1 port 5', 'a', '1'],
  ]) {
    it(`refuses ${args.slice(-4, -2).join(' ')}`, async () => {
      const result = await new Running(args, { engine: true }).result();
      expect(result.code, result.stderr).to.equal(2);
      expect(result.stderr).to.match(/^plait: .+ \((usage|EINVAL)\)(; .+)?\n$/);
    });
  }
});
