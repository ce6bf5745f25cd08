import { expect } from 'chai';
import { markdown } from '../../bench/markdown.js';
import { Report } from '../../bench/report.js';

describe('a benchmark report', () => {
  it('shows the ratio to the peer, for which the limit is, beside the share of what any program can', () => {
    const printed: string[] = [];
    const report = new Report('wire', undefined, (line) => printed.push(line));
    report.add({
      case: 'packet to kernel',
      value: 30,
      unit: 'Gbit/s',
      peer: 'kernel to kernel',
      peerValue: 50,
      bound: 'bare packets to kernel',
      boundValue: 40,
      limit: { leastRatio: 1 },
    });
    expect(JSON.parse(printed[0] ?? '')).to.include({ ratio: 0.6, ok: false, boundValue: 40, share: 0.75 });
    expect(markdown(report.lines)).to.include('0.750 of bare packets to kernel');
    expect(report.failed).to.equal(true);
  });

  it('leaves out what a figure does not have', () => {
    const printed: string[] = [];
    new Report('core', undefined, (line) => printed.push(line)).add({
      case: 'idle',
      value: 1,
      unit: 'octets',
    });
    expect(JSON.parse(printed[0] ?? '')).to.deep.equal({
      bench: 'core',
      case: 'idle',
      value: 1,
      unit: 'octets',
    });
  });
});
