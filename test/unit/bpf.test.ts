import { expect } from 'chai';
import {
  DROP_ALL,
  MANY_PORTS,
  MAX_INSTRUCTIONS,
  addressFilter,
  errorFilters,
  pathFilter,
  pathFilters,
  portFilter,
} from '../../src/io/bpf.js';
import { PortBindings } from '../../src/io/ports.js';
import { parseAddress } from '../../src/io/address-cache.js';
import { icmpPacket } from './icmp-packet.js';
import { tcpPacket } from './tcp-packet.js';

const V4 = parseAddress('10.1.2.3') as Uint8Array;
/** Offsets that count from the link header would not be found. */
const LINK = -1_000_000;
const V6 = parseAddress('2001:db8::9') as Uint8Array;

describe('bpf', () => {
  it('drops everything without ports', () => {
    expect(portFilter(V4, [])).to.deep.equal(DROP_ALL);
    expect(passes(DROP_ALL, to('10.1.2.3', 443))).to.equal(false);
  });

  it('lets through only the address and the ports, IPv4', () => {
    const program = portFilter(V4, [443, 8080]);
    expect(passes(program, to('10.1.2.3', 443))).to.equal(true);
    expect(passes(program, to('10.1.2.3', 8080))).to.equal(true);
    expect(passes(program, to('10.1.2.3', 444))).to.equal(false);
    expect(passes(program, to('10.1.2.4', 443))).to.equal(false);
  });

  it('lets through only the address and the ports, IPv6', () => {
    const program = portFilter(V6, [443]);
    expect(passes(program, to('2001:db8::9', 443))).to.equal(true);
    expect(passes(program, to('2001:db8::9', 80))).to.equal(false);
    expect(passes(program, to('2001:db8::a', 443))).to.equal(false);
    expect(passes(program, to('2001:db9::9', 443))).to.equal(false);
  });

  it('finds the port behind IPv4 options', () => {
    const plain = tcpPacket({ source: '10.0.0.1', destination: '10.1.2.3', destinationPort: 443 });
    const packet = new Uint8Array(plain.length + 4);
    packet.set(plain.subarray(0, 20));
    packet.set(plain.subarray(20), 24);
    packet[0] = 0x46;
    expect(passes(portFilter(V4, [443]), packet)).to.equal(true);
  });

  it('searches any number of ports', () => {
    for (const count of [1, 15, 16, 17, 33, 500, 3200]) {
      const ports = Array.from({ length: count }, (_, i) => 100 + i * 20);
      const program = portFilter(V4, [...ports].reverse());
      expect(program.length / 8, `instructions for ${String(count)}`).to.be.at.most(MAX_INSTRUCTIONS);
      for (const port of ports) {
        expect(passes(program, to('10.1.2.3', port)), `${String(port)} of ${String(count)}`).to.equal(true);
        expect(passes(program, to('10.1.2.3', port + 1))).to.equal(false);
      }
      expect(passes(program, to('10.1.2.3', 1))).to.equal(false);
      expect(passes(program, to('10.1.2.3', 65535))).to.equal(false);
    }
  });

  it('lets every port of the address through where the ports are too many', () => {
    const program = portFilter(
      V4,
      Array.from({ length: 6000 }, (_, i) => i + 1),
    );
    expect(program).to.deep.equal(addressFilter(V4));
    expect(passes(program, to('10.1.2.3', 9999))).to.equal(true);
    expect(passes(program, to('10.1.2.4', 9999))).to.equal(false);
  });

  it('takes all packets to an address while many ports are bound there', () => {
    const bound = new PortBindings();
    for (let port = 0; port < MANY_PORTS; port++) bound.add(1000 + port);
    expect(pathFilter(V4, bound)).to.deep.equal(portFilter(V4, bound.ports()));
    bound.add(999);
    expect(pathFilter(V4, bound)).to.deep.equal(addressFilter(V4));
    bound.remove(1000);
    expect(pathFilter(V4, bound)).to.deep.equal(portFilter(V4, bound.ports()));
  });

  it('lets through what is bound at each address that shares a socket', () => {
    const paths = [
      { address: V4, bindings: bindings(443, 8080) },
      { address: parseAddress('10.9.9.9') as Uint8Array, bindings: bindings(443) },
      { address: parseAddress('10.8.8.8') as Uint8Array, bindings: bindings() },
      { address: V4, bindings: bindings(25) },
    ];
    const [exact, addresses, any, ...more] = pathFilters(paths) as [Uint8Array, Uint8Array, Uint8Array];
    expect(more).to.deep.equal([]);
    const admitted = (program: Uint8Array, address: string, port: number): boolean =>
      passes(program, to(address, port), 'packet');
    for (const program of [exact, addresses, any]) {
      expect(admitted(program, '10.1.2.3', 443)).to.equal(true);
      expect(admitted(program, '10.1.2.3', 8080)).to.equal(true);
      expect(admitted(program, '10.1.2.3', 25)).to.equal(true);
      expect(admitted(program, '10.9.9.9', 443)).to.equal(true);
    }
    expect(admitted(exact, '10.9.9.9', 8080)).to.equal(false);
    expect(admitted(addresses, '10.9.9.9', 8080)).to.equal(true);
    for (const program of [exact, addresses]) {
      expect(admitted(program, '10.8.8.8', 443), 'nothing is bound there').to.equal(false);
      expect(admitted(program, '10.7.7.7', 443)).to.equal(false);
      const datagram = to('10.1.2.3', 443);
      datagram[9] = 17;
      expect(passes(program, datagram, 'packet'), 'no TCP').to.equal(false);
      const fragment = to('10.1.2.3', 443);
      fragment[6] = 0x20;
      expect(passes(program, fragment, 'packet'), 'a fragment').to.equal(false);
    }
  });

  it('shares a socket between IPv6 addresses that differ in their last words', () => {
    const other = parseAddress('2001:db8::a') as Uint8Array;
    const [exact] = pathFilters([
      { address: V6, bindings: bindings(443) },
      { address: other, bindings: bindings(...Array.from({ length: MANY_PORTS + 1 }, (_, i) => 1000 + i)) },
    ]) as [Uint8Array];
    expect(passes(exact, to('2001:db8::9', 443), 'packet')).to.equal(true);
    expect(passes(exact, to('2001:db8::9', 1000), 'packet')).to.equal(false);
    expect(passes(exact, to('2001:db8::a', 1000), 'packet')).to.equal(true);
    expect(passes(exact, to('2001:db8::a', 443), 'packet'), 'too many ports to tell apart').to.equal(true);
    expect(passes(exact, to('2001:db8::b', 443), 'packet')).to.equal(false);
  });

  it('leaves out programs that the kernel would not take', () => {
    const many = (count: number): { address: Uint8Array; bindings: PortBindings }[] =>
      Array.from({ length: count }, (_, i) => ({
        address: parseAddress(`2001:db8::${(i + 1).toString(16)}`) as Uint8Array,
        bindings: bindings(443),
      }));
    expect(pathFilters(many(100))).to.have.lengthOf(3);
    expect(pathFilters(many(255))).to.have.lengthOf(2);
    expect(pathFilters(many(300))).to.have.lengthOf(1);
    expect(pathFilters([])).to.deep.equal([DROP_ALL]);
  });

  for (const [address, foreign] of [
    ['10.1.2.3', '10.9.9.9'],
    ['2001:db8::9', '2001:db8::a'],
  ] as const) {
    const v6 = address.includes(':');
    const router = v6 ? '2001:db8:1::1' : '192.0.2.1';
    const far = v6 ? '2001:db8:f::1' : '198.51.100.1';
    const error = (type: number, sourcePort: number, to: string = address): Uint8Array =>
      icmpPacket(router, type, 0, 0, tcpPacket({ source: to, destination: far, sourcePort }));
    const own = { address: parseAddress(address) as Uint8Array, bindings: bindings(443, 8080) };
    const [exact, any] = errorFilters(own.address, own.bindings) as [Uint8Array, Uint8Array];
    const [shared] = pathFilters([own]) as [Uint8Array];

    for (const [socket, program] of [
      ['raw', exact],
      ['packet', shared],
    ] as const) {
      it(`lets through ICMP errors about segments from bound ports, ${socket}, ${address}`, () => {
        const admits = (packet: Uint8Array): boolean => passes(program, packet, socket);
        for (const type of v6 ? [1, 2, 3, 4] : [3, 11, 12]) {
          expect(admits(error(type, 443)), `type ${String(type)}`).to.equal(true);
          expect(admits(error(type, 8080))).to.equal(true);
          expect(admits(error(type, 444)), 'a port that is not bound').to.equal(false);
          expect(admits(error(type, 443, foreign)), 'to another address').to.equal(false);
        }
        for (const type of v6 ? [0, 5, 128, 129, 134, 136] : [0, 4, 5, 8, 13]) {
          expect(admits(error(type, 443)), `type ${String(type)}`).to.equal(false);
        }
        const datagram = error(v6 ? 1 : 3, 443);
        datagram[v6 ? 54 : 37] = 17;
        expect(admits(datagram), 'no TCP inside').to.equal(false);
        expect(admits(error(v6 ? 1 : 3, 443).subarray(0, v6 ? 88 : 48)), 'cut off').to.equal(false);
        if (v6) return;
        const fragment = error(3, 443);
        fragment[6] = 0x20;
        expect(admits(fragment), 'a fragment').to.equal(false);
        const options = error(3, 443);
        options[0] = 0x46;
        expect(admits(options), 'with IP options').to.equal(false);
      });
    }

    it(`lets through errors about every port where the filter for the ports is too large, ${address}`, () => {
      expect(passes(any, error(v6 ? 1 : 3, 444))).to.equal(true);
      expect(passes(any, error(v6 ? 1 : 3, 444, foreign))).to.equal(false);
      expect(errorFilters(own.address, bindings())).to.deep.equal([DROP_ALL]);
    });
  }

  it('drops a packet that ends before the fields', () => {
    expect(passes(portFilter(V4, [443]), to('10.1.2.3', 443).subarray(0, 22))).to.equal(false);
  });
});

function to(destination: string, destinationPort: number): Uint8Array {
  const source = destination.includes(':') ? '2001:db8::1' : '10.0.0.1';
  return tcpPacket({ source, destination, destinationPort });
}

function bindings(...ports: number[]): PortBindings {
  const bound = new PortBindings();
  for (const port of ports) bound.add(port);
  return bound;
}

/** Runs a program on an IP packet as the kernel does for a raw or packet socket of its family. */
function passes(program: Uint8Array, packet: Uint8Array, socket: 'raw' | 'packet' = 'raw'): boolean {
  const codes = new Uint16Array(program.buffer, program.byteOffset, program.length / 2);
  const values = new Uint32Array(program.buffer, program.byteOffset, program.length / 4);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const data = socket === 'packet' ? LINK : (packet[0] as number) >> 4 === 6 ? 40 : 0;
  let accumulator = 0;
  let index = 0;
  let noted = 0;
  for (let at = 0; ; at++) {
    const k = values[at * 2 + 1] as number;
    const ifTrue = program[at * 8 + 2] as number;
    const ifFalse = program[at * 8 + 3] as number;
    const start = k >= 0xfff00000 ? k - 0xfff00000 : data + k; // a packet socket's link header is not here
    try {
      switch (codes[at * 4]) {
        case 0x20:
          accumulator = view.getUint32(start);
          break;
        case 0x28:
          accumulator = view.getUint16(start);
          break;
        case 0x48:
          accumulator = view.getUint16(start + index);
          break;
        case 0x02:
          noted = accumulator;
          break;
        case 0x60:
          accumulator = noted;
          break;
        case 0xb1:
          index = 4 * (view.getUint8(start) & 15);
          break;
        case 0x15:
          at += accumulator === k ? ifTrue : ifFalse;
          break;
        case 0x45:
          at += (accumulator & k) !== 0 ? ifTrue : ifFalse;
          break;
        case 0x30:
          accumulator = view.getUint8(start);
          break;
        case 0x35:
          at += accumulator >= k ? ifTrue : ifFalse;
          break;
        case 0x05:
          at += k;
          break;
        case 0x06:
          return k > 0;
        default:
          throw new Error(`instruction ${String(at)} of ${String(program.length / 8)} is unknown`);
      }
    } catch (error) {
      // A load beyond the packet ends the program with 0.
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}
