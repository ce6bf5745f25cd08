import { expect } from 'chai';
import { PlaitError } from '../../src/errors.js';
import { chooseDevice, nodeVersion, probe } from '../../src/io/probe.js';
import { sourceFor } from '../../src/io/route.js';

describe('probe', () => {
  it('knows the versions of node that package.json names', () => {
    for (const version of ['20.19.0', '20.20.2', '22.12.0', '24.0.0', '26.1.0']) {
      expect(nodeVersion(version).ok, version).to.equal(true);
    }
    for (const version of ['18.20.0', '20.18.3', '21.7.0', '22.11.0']) {
      expect(nodeVersion(version), version).to.include({ ok: false });
      expect(nodeVersion(version).remedy).to.be.a('string');
    }
  });

  it('says of everything whether it works, and how it would', async () => {
    const { node, devices, parts } = await probe();
    expect(devices.udp.ok).to.equal(true);
    expect(parts.map((part) => part.name)).to.deep.equal(['koffi', 'raw-socket', 'CAP_NET_RAW']);
    expect(devices.raw.ok).to.equal(parts.every((part) => part.ok));
    for (const finding of [node, ...Object.values(devices), ...parts]) {
      expect(finding.detail).to.not.equal('');
      expect(finding.ok || finding.remedy !== undefined, finding.name).to.equal(true);
    }
  });

  it('chooses a device that works', async () => {
    const { devices } = await probe();
    expect(await chooseDevice('udp')).to.include({ kind: 'udp' });
    const best = devices.packet.ok ? 'packet' : devices.raw.ok ? 'raw' : 'udp';
    expect(await chooseDevice('auto')).to.include({ kind: best });
    for (const kind of ['packet', 'raw'] as const) {
      const chosen = await chooseDevice(kind).catch((error: unknown) => error);
      if (devices[kind].ok) expect(chosen).to.include({ kind });
      else expect(chosen).to.be.an.instanceOf(PlaitError);
    }
  });
});

describe('route', () => {
  it('finds the local address towards a destination', async () => {
    expect(await sourceFor('127.0.0.1')).to.equal('127.0.0.1');
  });

  it('says when no route leads there', async () => {
    // Broadcasting needs a permission, so that this fails on every machine.
    const error = await sourceFor('255.255.255.255').catch((reason: unknown) => reason);
    expect(error).to.be.an.instanceOf(PlaitError).and.to.include({ code: 'EHOSTUNREACH' });
  });
});
