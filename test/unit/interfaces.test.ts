import { expect } from 'chai';
import { ManualClock } from '../../src/core/clock.js';
import { interfaceUp, localAddresses } from '../../src/io/interfaces.js';
import type { Cancel, Timers } from '../../src/io/timers.js';
import { selectAddresses, watchInterfaces, type LocalAddress } from '../../src/path/interfaces.js';

const ETH: LocalAddress = address('eth0', '192.0.2.1');
const WLAN: LocalAddress = address('wlan0', '198.51.100.1');
const LOCAL: LocalAddress = { ...address('eth0', 'fe80::1'), family: 6, linkLocal: true };
const LOOPBACK: LocalAddress = { ...address('lo', '127.0.0.1'), loopback: true };

class HandTimers implements Timers {
  readonly #clock = new ManualClock();
  readonly #set = new Set<{ readonly time: number; readonly fn: () => void }>();

  now(): number {
    return this.#clock.now();
  }

  at(time: number, fn: () => void): Cancel {
    const timer = { time, fn };
    this.#set.add(timer);
    return () => this.#set.delete(timer);
  }

  /** Lets so many microseconds pass. */
  advance(by: number): void {
    const end = this.now() + by;
    for (;;) {
      const [next] = [...this.#set].sort((a, b) => a.time - b.time);
      if (next === undefined || next.time > end) break;
      this.#clock.advanceTo(next.time);
      this.#set.delete(next);
      next.fn();
    }
    this.#clock.advanceTo(end);
  }
}

describe('interface watch', () => {
  const timers = new HandTimers();
  let present: LocalAddress[] = [];
  const changes: string[] = [];
  /** Addresses that the machine keeps while their interface is down. */
  const held = new Set<string>();
  const source = (): LocalAddress[] => present;

  function watch() {
    changes.length = 0;
    return watchInterfaces({ source, timers, holds: (one) => held.has(one) }, (all) => {
      for (const [mark, list] of [
        ['+', all.added],
        ['-', all.removed],
        ['v', all.down],
        ['^', all.up],
      ] as const) {
        changes.push(...list.map((one) => `${mark}${one.address}`));
      }
      for (const { before, now } of all.changed) {
        expect(before.address).to.equal(now.address);
        changes.push(`~${now.address} ${now.name} ${String(now.index)} ${String(now.mtu)}`);
      }
    });
  }

  it('starts with what is there, and reports what comes and goes', () => {
    present = [ETH];
    const watching = watch();
    expect(watching.addresses).to.deep.equal([ETH]);
    timers.advance(10e6);
    expect(changes).to.deep.equal([]);
    present = [ETH, WLAN];
    timers.advance(0.5e6);
    expect(changes).to.deep.equal(['+198.51.100.1']);
    present = [WLAN];
    timers.advance(0.5e6);
    expect(changes).to.deep.equal(['+198.51.100.1', '-192.0.2.1']);
    expect(watching.addresses).to.deep.equal([WLAN]);
    watching.close();
  });

  it('knows an address again whose interface has another MTU or name, or was made anew', () => {
    present = [ETH, WLAN];
    const watching = watch();
    for (const [change, told] of [
      [{ mtu: 1400 }, '~192.0.2.1 eth0 7 1400'],
      [{ name: 'lan0' }, '~192.0.2.1 lan0 7 1500'],
      [{ index: 9 }, '~192.0.2.1 eth0 9 1500'],
    ] as const) {
      present = [{ ...ETH, ...change }, WLAN];
      watching.refresh();
      expect(changes.splice(0)).to.deep.equal([told]);
      present = [ETH, WLAN];
      watching.refresh();
      expect(changes.splice(0)).to.deep.equal(['~192.0.2.1 eth0 7 1500']);
    }
    watching.close();
  });

  it('takes a link-local address at another interface for another one', () => {
    present = [LOCAL];
    const watching = watchInterfaces({ source, timers, linkLocal: true }, (all) => {
      changes.push(
        `+${String(all.added.length)} -${String(all.removed.length)} ~${String(all.changed.length)}`,
      );
    });
    present = [{ ...LOCAL, index: 9 }];
    watching.refresh();
    present = [{ ...LOCAL, index: 9, mtu: 1400 }];
    watching.refresh();
    expect(changes.splice(0)).to.deep.equal(['+1 -1 ~0', '+0 -0 ~1']);
    watching.close();
  });

  it('tells which of two interfaces with one address changes', () => {
    const other = { ...ETH, name: 'eth1', index: 8 };
    present = [ETH, other];
    const watching = watch();
    present = [ETH, { ...other, mtu: 1400 }];
    watching.refresh();
    expect(changes.splice(0)).to.deep.equal(['~192.0.2.1 eth1 8 1400']);
    watching.close();
  });

  it('tells an interface that is down from an address that is gone', () => {
    present = [ETH, WLAN];
    held.add(ETH.address);
    const watching = watch();
    present = [];
    watching.refresh();
    expect(changes.splice(0)).to.deep.equal([`-${WLAN.address}`, `v${ETH.address}`]);
    watching.refresh();
    expect(changes).to.deep.equal([]);
    present = [ETH];
    watching.refresh();
    expect(changes.splice(0)).to.deep.equal([`^${ETH.address}`]);
    present = [];
    watching.refresh();
    held.clear();
    watching.refresh();
    expect(changes.splice(0)).to.deep.equal([`v${ETH.address}`, `-${ETH.address}`]);
    held.add(ETH.address);
    present = [ETH];
    watching.refresh();
    present = [{ ...ETH, name: 'eth1' }];
    watching.refresh();
    expect(changes, 'it moved').to.deep.equal([`+${ETH.address}`, `~${ETH.address} eth1 7 1500`]);
    held.clear();
    watching.close();
  });

  it('takes all to be as before while the system cannot tell', () => {
    present = [ETH];
    changes.length = 0;
    let fails = false;
    const failing = (): LocalAddress[] => {
      if (fails) throw new Error('too many open files');
      return present;
    };
    const watching = watchInterfaces({ source: failing, timers }, ({ removed }) => {
      changes.push(...removed.map(({ address: text }) => text));
    });
    fails = true;
    present = [];
    timers.advance(2e6);
    expect(watching.addresses).to.deep.equal([ETH]);
    expect(changes).to.deep.equal([]);
    fails = false;
    timers.advance(0.5e6);
    expect(changes).to.deep.equal([ETH.address]);
    watching.close();
  });

  it('is silent after close, even from its own callback', () => {
    present = [];
    let calls = 0;
    const watching = watchInterfaces({ source, timers }, () => {
      calls++;
      watching.close();
    });
    present = [ETH];
    timers.advance(0.5e6);
    present = [];
    timers.advance(10e6);
    expect(calls).to.equal(1);
  });

  it('selects by kind, or exactly what was asked for', () => {
    const all = [ETH, LOCAL, LOOPBACK, WLAN];
    expect(selectAddresses(all, {})).to.deep.equal([ETH, WLAN]);
    expect(selectAddresses(all, { loopback: true })).to.deep.equal([ETH, LOOPBACK, WLAN]);
    expect(selectAddresses(all, { linkLocal: true })).to.deep.equal([ETH, LOCAL, WLAN]);
    expect(selectAddresses(all, { include: ['127.0.0.1', '203.0.113.1'] })).to.deep.equal([LOOPBACK]);
  });

  it('finds the loopback interface of this machine', () => {
    const loopback = localAddresses().find((one) => one.address === '127.0.0.1');
    expect(loopback).to.include({ family: 4, loopback: true, linkLocal: false });
    expect(loopback?.mtu).to.be.within(1280, 65535);
    expect(interfaceUp(loopback?.name ?? '')).to.equal(true);
    expect(interfaceUp('none0')).to.equal(false);
  });
});

function address(name: string, text: string): LocalAddress {
  return { name, index: 7, address: text, family: 4, mtu: 1500, loopback: false, linkLocal: false };
}
