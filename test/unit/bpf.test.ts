import { expect } from 'chai';
import {
  DROP_ALL,
  MANY_PORTS,
  MAX_INSTRUCTIONS,
  addressFilter,
  pathFilter,
  portFilter,
} from '../../src/io/bpf.js';
import { PortBindings } from '../../src/io/ports.js';
import { parseAddress } from '../../src/io/address-cache.js';
import { tcpPacket } from './tcp-packet.js';

const V4 = parseAddress('10.1.2.3') as Uint8Array;
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

  it('drops a packet that ends before the fields', () => {
    expect(passes(portFilter(V4, [443]), to('10.1.2.3', 443).subarray(0, 22))).to.equal(false);
  });
});

function to(destination: string, destinationPort: number): Uint8Array {
  const source = destination.includes(':') ? '2001:db8::1' : '10.0.0.1';
  return tcpPacket({ source, destination, destinationPort });
}

/** Runs a program on an IP packet as the kernel does for a raw socket of its family. */
function passes(program: Uint8Array, packet: Uint8Array): boolean {
  const codes = new Uint16Array(program.buffer, program.byteOffset, program.length / 2);
  const values = new Uint32Array(program.buffer, program.byteOffset, program.length / 4);
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const data = (packet[0] as number) >> 4 === 6 ? 40 : 0;
  let accumulator = 0;
  let index = 0;
  for (let at = 0; ; at++) {
    const k = values[at * 2 + 1] as number;
    const ifTrue = program[at * 8 + 2] as number;
    const ifFalse = program[at * 8 + 3] as number;
    const start = k >= 0xfff00000 ? k - 0xfff00000 : data + k;
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
        case 0xb1:
          index = 4 * (view.getUint8(start) & 15);
          break;
        case 0x15:
          at += accumulator === k ? ifTrue : ifFalse;
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
