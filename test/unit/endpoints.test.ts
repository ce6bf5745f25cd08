/** The endpoint table, its limits, and the text of `ip mptcp`: rules and messages of Linux 6.18. */
import { expect } from 'chai';
import type { PlaitError } from '../../src/errors.js';
import { EndpointTable } from '../../src/path/endpoints.js';
import { parseEndpoint, parseLimits } from '../../src/path/ip-mptcp.js';
import { TableControl } from '../support/endpoint-control.js';

const codeOf = (fn: () => unknown): string => {
  try {
    fn();
  } catch (error) {
    return (error as PlaitError).code;
  }
  return 'no error';
};

describe('endpoint table', () => {
  it('gives IDs upwards and begins again at 1 after 255', () => {
    const table = new EndpointTable();
    const ids = ['10.0.0.1', '10.0.0.2'].map((address) => table.add({ address }).id);
    expect(ids).to.deep.equal([1, 2]);
    expect(table.add({ address: '10.0.0.3', id: 9 }).id).to.equal(9);
    expect(table.add({ address: '10.0.0.4' }).id).to.equal(10);
    table.delete({ id: 1 });
    expect(table.add({ address: '10.0.0.5' }).id).to.equal(11);
    expect(table.add({ address: '10.0.0.6', id: 255 }).id).to.equal(255);
    expect(table.add({ address: '10.0.0.7' }).id).to.equal(1);
    expect(table.list().map(({ id }) => id)).to.deep.equal([1, 2, 9, 10, 11, 255]);
  });

  it('takes an address once, and once more with a port of its own', () => {
    const table = new EndpointTable();
    table.add({ address: '10.0.0.1', signal: true });
    expect(codeOf(() => table.add({ address: '10.0.0.1', subflow: true }))).to.equal('EEXIST');
    expect(codeOf(() => table.add({ address: '::ffff:10.0.0.1' }))).to.equal('EEXIST');
    table.add({ address: '10.0.0.1', signal: true, port: 5000 });
    expect(codeOf(() => table.add({ address: '10.0.0.1', signal: true, port: 5000 }))).to.equal('EEXIST');
    table.add({ address: '10.0.0.1', signal: true, port: 5001 });
    expect(codeOf(() => table.add({ address: '10.0.0.2', id: 2 }))).to.equal('EBUSY');
  });

  it('has room for eight', () => {
    const table = new EndpointTable();
    for (let i = 1; i <= 8; i++) table.add({ address: `10.0.0.${i}` });
    expect(codeOf(() => table.add({ address: '10.0.0.9' }))).to.equal('ERANGE');
    expect(table.implicitId()).to.equal(0);
    expect(table.addImplicit('10.0.0.9')).to.equal(null);
    table.flush();
    expect(table.add({ address: '10.0.0.9' }).id).to.equal(1);
  });

  for (const [what, spec] of [
    ['a port without signal', { address: '10.0.0.1', port: 5000 }],
    ['a port with subflow', { address: '10.0.0.1', port: 5000, signal: true, subflow: true }],
    ['signal with fullmesh', { address: '10.0.0.1', signal: true, fullmesh: true }],
    ['implicit', { address: '10.0.0.1', implicit: true }],
    ['an ID above 255', { address: '10.0.0.1', id: 256 }],
    ['a port above 65535', { address: '10.0.0.1', signal: true, port: 65536 }],
    ['no address', { address: 'eth0' }],
  ] as const) {
    it(`refuses ${what}`, () => {
      expect(codeOf(() => new EndpointTable().add(spec))).to.equal('EINVAL');
    });
  }

  it('an implicit endpoint becomes one of the user and keeps its ID', () => {
    const table = new EndpointTable();
    table.add({ address: '10.0.0.1' });
    expect(table.implicitId()).to.equal(2);
    expect(table.addImplicit('10.0.0.2')).to.include({ id: 2, implicit: true });
    expect(
      codeOf(() => table.add({ address: '10.0.0.2', id: 7 })),
      'with an ID',
    ).to.equal('EINVAL');
    expect(table.add({ address: '10.0.0.2', subflow: true })).to.include({ id: 2, implicit: false });
    expect(table.list()).to.have.lengthOf(2);
  });

  it('changes backup and fullmesh only, and fullmesh not of signal or implicit endpoints', () => {
    const table = new EndpointTable();
    table.add({ address: '10.0.0.1', subflow: true });
    const [before, after] = table.change({ id: 1 }, { backup: true, fullmesh: true });
    expect(before).to.include({ backup: false, fullmesh: false });
    expect(after).to.include({ backup: true, fullmesh: true, subflow: true });
    table.add({ address: '10.0.0.2', signal: true });
    table.addImplicit('10.0.0.3');
    expect(codeOf(() => table.change({ id: 2 }, { fullmesh: true }))).to.equal('EINVAL');
    expect(codeOf(() => table.change({ id: 3 }, { fullmesh: true }))).to.equal('EINVAL');
    expect(codeOf(() => table.change({ address: '10.0.0.9' }, { backup: true }))).to.equal('EINVAL');
  });

  it('knows a subflow by address, and by port where the endpoint has one', () => {
    const table = new EndpointTable();
    table.add({ address: '10.0.0.1', signal: true, port: 5000 });
    expect(table.forLocal('10.0.0.1', 4000)).to.equal(null);
    expect(table.forLocal('10.0.0.1', 5000)?.id).to.equal(1);
    table.add({ address: '10.0.0.1', signal: true });
    expect(table.forLocal('10.0.0.1', 4000)?.id).to.equal(2);
    expect(table.forLocal('10.0.0.1', 5000)?.id).to.equal(1);
  });

  it('limits are 2 and 0, and go from 0 to 8', () => {
    const table = new EndpointTable();
    expect(table.limits).to.deep.equal({ subflows: 2, addAddrAccepted: 0 });
    table.setLimits({ addAddrAccepted: 8 });
    expect(table.limits).to.deep.equal({ subflows: 2, addAddrAccepted: 8 });
    expect(codeOf(() => table.setLimits({ subflows: 9 }))).to.equal('EINVAL');
    expect(codeOf(() => table.setLimits({ subflows: -1 }))).to.equal('EINVAL');
  });
});

describe('ip mptcp in words', () => {
  it('an endpoint of the command line, flags joined or not, in any order', () => {
    expect(parseEndpoint('10.0.1.1 dev eth0 signal,subflow backup id 3')).to.deep.equal({
      address: '10.0.1.1',
      dev: 'eth0',
      id: 3,
      signal: true,
      subflow: true,
      backup: true,
    });
    expect(parseEndpoint(['port', '5000', 'signal', 'fd00::1'])).to.deep.equal({
      address: 'fd00::1',
      port: 5000,
      signal: true,
    });
    expect(parseEndpoint('10.0.1.1 laminar')).to.deep.equal({ address: '10.0.1.1', laminar: true });
  });

  for (const text of [
    '',
    'eth0',
    '10.0.1.1 id',
    '10.0.1.1 id 256',
    '10.0.1.1 port 0',
    '10.0.1.1 sometimes',
    '10.0.1.1 dev',
    '10.0.1.1 signal,often',
    '10.0.1.1 10.0.1.2',
  ]) {
    it(`refuses "${text}"`, () => expect(codeOf(() => parseEndpoint(text))).to.equal('EINVAL'));
  }

  it('limits', () => {
    expect(parseLimits('subflows 4 add_addr_accepted 2')).to.deep.equal({ subflows: 4, addAddrAccepted: 2 });
    expect(parseLimits('subflow 3')).to.deep.equal({ subflows: 3 });
    for (const text of ['subflows', 'subflows 9', 'subflows x', 'joins 2']) {
      expect(
        codeOf(() => parseLimits(text)),
        text,
      ).to.equal('EINVAL');
    }
  });

  it('add, change, delete, flush and show, as Linux prints it', () => {
    const control = new TableControl();
    control.ip('endpoint add 10.0.1.1');
    control.ip('endpoint add 10.0.1.2 id 5 signal');
    control.ip('endpoint add 127.0.0.1 port 5000 signal');
    control.ip('endpoint add 127.0.0.1 signal');
    control.ip('endpoint add 10.0.1.7 subflow dev lo');
    control.ip('endpoint change 10.0.1.7 backup fullmesh');
    control.ip('endpoint change id 5 backup');
    control.ip('endpoint change id 5 nobackup');
    expect(control.ip('endpoint show')).to.equal(
      [
        '10.0.1.1 id 1 ',
        '10.0.1.2 id 5 signal ',
        '127.0.0.1 port 5000 id 6 signal ',
        '127.0.0.1 id 7 signal ',
        '10.0.1.7 id 8 subflow backup fullmesh dev lo ',
        '',
      ].join('\n'),
    );
    expect(control.ip('endpoint show id 5')).to.equal('10.0.1.2 id 5 signal \n');
    control.ip('endpoint delete id 5');
    control.ip('endpoint del 10.0.1.1');
    control.ip('endpoint delete id 0 10.0.9.9');
    expect(control.deleted).to.deep.equal([
      { id: 5 },
      { address: '10.0.1.1' },
      { id: 0, address: '10.0.9.9' },
    ]);
    control.ip('endpoint flush');
    expect(control.ip('endpoint')).to.equal('');
  });

  it('limits set and show', () => {
    const control = new TableControl();
    expect(control.ip('limits show')).to.equal('add_addr_accepted 0 subflows 2 \n');
    control.ip('limits set add_addr_accepted 8 subflows 8');
    expect(control.ip('limits')).to.equal('add_addr_accepted 8 subflows 8 \n');
  });

  for (const text of [
    'endpoint add',
    'endpoint delete',
    'endpoint delete id 0',
    'endpoint delete id 99',
    'endpoint change backup',
    'endpoint change id 1 signal',
    'endpoint show id 77',
    'endpoint grow',
    'monitor',
    'limits raise',
  ]) {
    it(`refuses "${text}"`, () => expect(codeOf(() => new TableControl().ip(text))).to.equal('EINVAL'));
  }
});
