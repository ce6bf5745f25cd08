/**
 * Classic BPF programs for sockets (Linux Documentation/networking/filter.rst): what the kernel lets through to a
 * raw socket. A program is an array of `struct sock_filter`, 8 octets each, in the byte order of the machine.
 */

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP } from './raw-socket.js';

// linux/bpf_common.h, linux/filter.h
const LD_W_ABS = 0x20;
const LD_H_ABS = 0x28;
const LD_B_ABS = 0x30;
const LD_H_IND = 0x48;
/** X = 4 * (octet & 15): the length of an IPv4 header. */
const LDX_MSH = 0xb1;
/** To and from the first word of the scratch memory. */
const ST = 0x02;
const LD_MEM = 0x60;
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
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const ICMP_HEADER = 8;
/** Destination unreachable, time exceeded, parameter problem (RFC 792). */
const ERRORS_V4 = [3, 11, 12];
/** The same and packet too big (RFC 4443). */
const ERRORS_V6 = [1, 2, 3, 4];
/** IPv4's More Fragments bit and fragment offset. */
const MORE_OR_OFFSET = 0x3fff;

/** Ports from which on all are let through. */
export const MANY_PORTS = 512;
/** The largest program that the kernel takes, in instructions. */
export const MAX_INSTRUCTIONS = 4096;

/** Lets nothing through. */
export const DROP_ALL = assemble([[RET, 0, 0, 0]]);

/** What the offsets of a filter count from: IPv4 raw sockets show it the IP header, IPv6 ones what follows, packet sockets the link's. */
type FilterView = 'raw' | 'packet';

/** Ports that are bound at one address. */
export interface Bound {
  readonly size: number;
  ports(): Iterable<number>;
}

/**
 * A program for a raw socket that lets through the packets to one local address (4 or 16 octets) and one of `ports`. With
 * more ports than fit into a program (about 3,200) it is `addressFilter`'s.
 */
export function portFilter(address: Uint8Array, ports: Iterable<number>): Uint8Array {
  const chosen = new Set(ports);
  if (chosen.size === 0) return DROP_ALL;
  const program = [
    ...matchAddress(address, 'raw', REFUSE),
    ...loadPort(address.length === 16, 'raw'),
    ...searchAll(chosen),
  ];
  return program.length > MAX_INSTRUCTIONS ? addressFilter(address) : assemble(program);
}

/**
 * The filter of a path with these ports. With thousands of them it would take longer to write the program again for each
 * port than to look at stray packets.
 */
export function pathFilter(address: Uint8Array, bound: Bound): Uint8Array {
  return bound.size > MANY_PORTS ? addressFilter(address) : portFilter(address, bound.ports());
}

/** A program that lets through all TCP packets to one local address; the reader has to select. */
export function addressFilter(address: Uint8Array): Uint8Array {
  return assemble([...matchAddress(address, 'raw', REFUSE), ADMIT]);
}

/**
 * Programs for a raw ICMP socket, the narrowest first: they let through the errors to one local address that bring back a
 * TCP segment, from a bound port or from any.
 */
export function errorFilters(address: Uint8Array, bound: Bound): Uint8Array[] {
  if (bound.size === 0) return [DROP_ALL];
  const error = [...matchAddress(address, 'raw', REFUSE), ...loadQuotedPort(address.length === 16, 'raw')];
  const exact = bound.size > MANY_PORTS ? [] : [[...error, ...searchAll(bound.ports())]];
  return [...exact, [...error, ADMIT]].map(assemble);
}

/**
 * Programs for the packet socket that several paths of one family share, the narrowest first: the kernel's limit for
 * filters (net.core.optmem_max) may be below a program's size. Each lets through the packets to the ports that are bound
 * at their address, and the ICMP errors about packets from there; the wider ones let through more, among which the reader
 * has to select.
 */
export function pathFilters(
  paths: readonly { readonly address: Uint8Array; readonly bindings: Bound }[],
): Uint8Array[] {
  // Two interfaces may have the same link-local address.
  const byAddress = new Map<string, { address: Uint8Array; ports: Set<number> }>();
  for (const { address, bindings } of paths) {
    if (bindings.size === 0) continue;
    const ports = byAddress.get(address.join())?.ports ?? [];
    byAddress.set(address.join(), { address, ports: new Set([...ports, ...bindings.ports()]) });
  }
  if (byAddress.size === 0) return [DROP_ALL];
  const all = [...byAddress.values()];
  const port = notePort(all[0]?.address.length === 16);
  const exact = all.flatMap(({ address, ports }) =>
    forAddress(address, ports.size > MANY_PORTS ? [ADMIT] : searchAll(ports)),
  );
  const addresses = all.flatMap(({ address }) => forAddress(address, [ADMIT]));
  return [[...port, ...exact, REFUSE], [...port, ...addresses, REFUSE], [ADMIT]]
    .filter((program) => program.length <= MAX_INSTRUCTIONS)
    .map(assemble);
}

/** `then` for the packets to an address, with their port in A; what goes to others comes out behind it. */
function forAddress(address: Uint8Array, then: readonly Instruction[]): Instruction[] {
  const program = [...matchAddress(address, 'packet', [JA, 0, 0, 0]), RECALL, ...then];
  return program.map((one, i) => (one[0] === JA && one[3] === 0 ? [JA, 0, 0, program.length - i - 1] : one));
}

/** Notes the local port of a TCP packet, or of an ICMP error about one. Packet sockets see every protocol, and fragments. */
function notePort(v6: boolean): Instruction[] {
  const ip = ipOffset(v6, 'packet');
  const port = loadPort(v6, 'packet');
  const quoted = loadQuotedPort(v6, 'packet');
  const segment: readonly Instruction[] = v6
    ? port
    : [[LD_H_ABS, 0, 0, ip + 6], [JSET, 0, 1, MORE_OR_OFFSET], REFUSE, ...port];
  return [
    [LD_B_ABS, 0, 0, ip + (v6 ? 6 : 9)],
    [JEQ, 3 + quoted.length, 0, IPPROTO_TCP],
    [JEQ, 1, 0, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP],
    REFUSE,
    ...quoted,
    [JA, 0, 0, segment.length],
    ...segment,
    [ST, 0, 0, 0],
  ];
}

const ipOffset = (v6: boolean, view: FilterView): number => (v6 || view === 'packet' ? SKF_NET_OFF : 0);

/** Goes on behind it for a packet to an address, with `others` for one to another address. */
function matchAddress(address: Uint8Array, view: FilterView, others: Instruction): Instruction[] {
  const program: Instruction[] = [];
  const bytes = new DataView(address.buffer, address.byteOffset, address.length);
  const v6 = address.length === 16;
  const ip = ipOffset(v6, view);
  for (let at = 0; at < address.length; at += 4) {
    program.push([LD_W_ABS, 0, 0, ip + (v6 ? 24 : 16) + at], [JEQ, 1, 0, bytes.getUint32(at)], others);
  }
  return program;
}

/** The destination port of a TCP packet to A. */
function loadPort(v6: boolean, view: FilterView): Instruction[] {
  const ip = ipOffset(v6, view);
  return v6
    ? [[LD_H_ABS, 0, 0, view === 'raw' ? 2 : ip + 42]]
    : [
        [LDX_MSH, 0, 0, ip],
        [LD_H_IND, 0, 0, ip + 2],
      ];
}

/** The source port of the TCP segment that an ICMP error brings back to A. Refuses other messages, and fragments. */
function loadQuotedPort(v6: boolean, view: FilterView): Instruction[] {
  const ip = ipOffset(v6, view);
  const message = ip + (v6 ? IPV6_HEADER : IPV4_HEADER);
  const quoted = message + ICMP_HEADER;
  const types = v6 ? ERRORS_V6 : ERRORS_V4;
  // Options of the outer header are answers to options, which we never send.
  const whole: Instruction[] = [
    [LD_B_ABS, 0, 0, ip],
    [JEQ, 1, 0, 0x45],
    REFUSE,
    [LD_H_ABS, 0, 0, ip + 6],
    [JSET, 0, 1, MORE_OR_OFFSET],
    REFUSE,
  ];
  return [
    ...(v6 ? [] : whole),
    [LD_B_ABS, 0, 0, message],
    ...types.map((type, i): Instruction => [JEQ, types.length - i, 0, type]),
    REFUSE,
    [LD_B_ABS, 0, 0, quoted + (v6 ? 6 : 9)],
    [JEQ, 1, 0, IPPROTO_TCP],
    REFUSE,
    ...(v6
      ? [[LD_H_ABS, 0, 0, quoted + IPV6_HEADER] as const]
      : ([
          [LDX_MSH, 0, 0, quoted],
          [LD_H_IND, 0, 0, quoted],
        ] as const)),
  ];
}

/** The end of a program: lets through what has one of `ports` in A. */
function searchAll(ports: Iterable<number>): Instruction[] {
  const sorted = [...new Set(ports)].sort((a, b) => a - b);
  return search(sorted, 0, sorted.length);
}

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];
const REFUSE: Instruction = [RET, 0, 0, 0];
const ADMIT: Instruction = [RET, 0, 0, ACCEPT];
const RECALL: Instruction = [LD_MEM, 0, 0, 0];

/** Binary search over ports `from` to `to - 1`, in groups that are compared one by one. */
function search(ports: readonly number[], from: number, to: number): Instruction[] {
  const count = to - from;
  if (count <= GROUP) {
    const group = ports.slice(from, to).map((port, i): Instruction => [JEQ, count - i, 0, port]);
    return [...group, REFUSE, ADMIT];
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
