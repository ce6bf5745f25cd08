/**
 * Classic BPF programs for sockets (Linux Documentation/networking/filter.rst): what the kernel lets through to a
 * raw socket. A program is an array of `struct sock_filter`, 8 octets each, in the byte order of the machine.
 */

// linux/bpf_common.h, linux/filter.h
const LD_W_ABS = 0x20;
const LD_H_ABS = 0x28;
const LD_B_ABS = 0x30;
const LD_H_IND = 0x48;
/** X = 4 * (octet & 15): the length of an IPv4 header. */
const LDX_MSH = 0xb1;
const JEQ = 0x15;
const JSET = 0x45;
const JGE = 0x35;
const JA = 0x05;
const RET = 0x06;
/** Offsets from here on count from the IP header, wherever the packet begins. */
const SKF_NET_OFF = -0x100000;
/** Octets to let through: all. */
const ACCEPT = 0x40000;
/** Ports that are compared one by one. */
const GROUP = 16;
const IPPROTO_TCP = 6;
/** IPv4's More Fragments bit and fragment offset. */
const MORE_OR_OFFSET = 0x3fff;

/** Ports from which on all are let through. */
export const MANY_PORTS = 512;
/** The largest program that the kernel takes, in instructions. */
export const MAX_INSTRUCTIONS = 4096;

/** Lets nothing through. */
export const DROP_ALL = assemble([[RET, 0, 0, 0]]);

/** What the offsets of a filter count from: IPv4 raw sockets show it the IP header, IPv6 ones TCP's, packet sockets the link's. */
export type FilterView = 'raw' | 'packet';

/**
 * A program for a raw or packet socket that lets through the packets to one local address (4 or 16 octets) and one of
 * `ports`. With more ports than fit into a program (about 3,200) it is `addressFilter`'s.
 */
export function portFilter(
  address: Uint8Array,
  ports: Iterable<number>,
  view: FilterView = 'raw',
): Uint8Array {
  const sorted = [...new Set(ports)].sort((a, b) => a - b);
  if (sorted.length === 0) return DROP_ALL;
  const v6 = address.length === 16;
  const program = matchAddress(address, view);
  const ip = ipOffset(v6, view);
  if (v6) program.push([LD_H_ABS, 0, 0, view === 'raw' ? 2 : ip + 42]);
  else program.push([LDX_MSH, 0, 0, ip], [LD_H_IND, 0, 0, ip + 2]);
  program.push(...search(sorted, 0, sorted.length));
  return program.length > MAX_INSTRUCTIONS ? addressFilter(address, view) : assemble(program);
}

/**
 * The filter of a path with these ports. With thousands of them it would take longer to write the program again for each
 * port than to look at stray packets.
 */
export function pathFilter(
  address: Uint8Array,
  bound: { readonly size: number; ports(): Iterable<number> },
  view: FilterView = 'raw',
): Uint8Array {
  return bound.size > MANY_PORTS ? addressFilter(address, view) : portFilter(address, bound.ports(), view);
}

/** A program that lets through all TCP packets to one local address; the reader has to select. */
export function addressFilter(address: Uint8Array, view: FilterView = 'raw'): Uint8Array {
  return assemble([...matchAddress(address, view), [RET, 0, 0, ACCEPT]]);
}

const ipOffset = (v6: boolean, view: FilterView): number => (v6 || view === 'packet' ? SKF_NET_OFF : 0);

function matchAddress(address: Uint8Array, view: FilterView): Instruction[] {
  const program: Instruction[] = [];
  const bytes = new DataView(address.buffer, address.byteOffset, address.length);
  const v6 = address.length === 16;
  const ip = ipOffset(v6, view);
  for (let at = 0; at < address.length; at += 4) {
    program.push(
      [LD_W_ABS, 0, 0, ip + (v6 ? 24 : 16) + at],
      [JEQ, 1, 0, bytes.getUint32(at)],
      [RET, 0, 0, 0],
    );
  }
  if (view === 'raw') return program;
  // Packet sockets see every protocol, and fragments.
  program.push([LD_B_ABS, 0, 0, ip + (v6 ? 6 : 9)], [JEQ, 1, 0, IPPROTO_TCP], [RET, 0, 0, 0]);
  if (!v6) program.push([LD_H_ABS, 0, 0, ip + 6], [JSET, 0, 1, MORE_OR_OFFSET], [RET, 0, 0, 0]);
  return program;
}

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/** Binary search over ports `from` to `to - 1`, in groups that are compared one by one. */
function search(ports: readonly number[], from: number, to: number): Instruction[] {
  const count = to - from;
  if (count <= GROUP) {
    const group = ports.slice(from, to).map((port, i): Instruction => [JEQ, count - i, 0, port]);
    return [...group, [RET, 0, 0, 0], [RET, 0, 0, ACCEPT]];
  }
  const middle = from + GROUP * Math.ceil(count / GROUP / 2);
  const below = search(ports, from, middle);
  const rest = search(ports, middle, to);
  // Conditional jumps reach 255 instructions, JA any distance.
  return [[JGE, 0, 1, ports[middle] as number], [JA, 0, 0, below.length], ...below, ...rest];
}

function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const codes = new Uint16Array(bytes.buffer);
  const values = new Uint32Array(bytes.buffer);
  program.forEach(([code, ifTrue, ifFalse, k], i) => {
    codes[i * 4] = code;
    bytes[i * 8 + 2] = ifTrue;
    bytes[i * 8 + 3] = ifFalse;
    values[i * 2 + 1] = k;
  });
  return bytes;
}
