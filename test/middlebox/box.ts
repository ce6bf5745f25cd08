/**
 * A middlebox between two interfaces of its namespace: frames pass as in a bridge, and the TCP segments among them go
 * through a script, one for each subflow. The peers need segmentation and checksum offload turned off.
 *
 *   node box.js UP-INTERFACE DOWN-INTERFACE NAME
 *
 * UP is the client's side. NAME is one of `BOXES` (boxes.ts), or `delay N`: what passes takes N milliseconds. Prints
 * `ready`; ends with its stdin, after four minutes, or when it has passed a million frames. A segment that it cannot read passes as it is.
 */
import {
  growReceiveBuffer,
  growSendBuffer,
  loadNative,
  int,
  SOCK_RAW,
  type Native,
} from '../../src/io/native.js';
import { AF_PACKET, linkAddress, LINK_HEADER_MAX } from '../../src/io/link-header.js';
import { interfaceIndex } from '../../src/io/interfaces.js';
import { buildPacket, parsePacket, type ParsedSegment } from '../packet/segment.js';
import { BOXES } from './boxes.js';
import type { Direction, Script } from './scripts.js';

// linux/if_packet.h, linux/if_ether.h, linux/in.h
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 3;
const IPPROTO_TCP = 6;

const [upName = '', downName = '', box = ''] = process.argv.slice(2);
const delay = Number(/^delay (\d+)$/.exec(box)?.[1] ?? 0);
const makeScript = BOXES[delay > 0 ? 'nothing' : box];
if (makeScript === undefined) throw new Error(`no box is called ${box}`);

interface Port {
  readonly socket: number;
  /** The latest frame's link header from this side: source and destination for frames of our own. */
  header: Buffer;
}

const native = await loadNative();
const ports: Readonly<Record<Direction, Port>> = { up: open(native, upName), down: open(native, downName) };
const scripts = new Map<string, Script>();
const frame = Buffer.alloc(65536);
let left = 1e6;

// A direction is named for where a segment goes; `up` leaves the client, so it comes in at the client's port.
watch('up', ports.up);
watch('down', ports.down);
setTimeout(() => process.exit(), 240_000);
process.stdin.on('end', () => process.exit()).resume();
console.log('ready');

function open(libc: Native, name: string): Port {
  const index = interfaceIndex(name);
  if (index === null) throw new Error(`no interface ${name}`);
  const socket = libc.socket(AF_PACKET, SOCK_RAW, 0);
  const errno =
    socket < 0 ||
    libc.setOption(socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, int(1)) ||
    libc.bindName(socket, linkAddress(index, ETH_P_ALL));
  if (errno !== 0) throw new Error(`no packet socket on ${name}`);
  growReceiveBuffer(libc, socket);
  growSendBuffer(libc, socket);
  return { socket, header: Buffer.alloc(LINK_HEADER_MAX) };
}

function watch(direction: Direction, port: Port): void {
  native.watch(
    port.socket,
    () => {
      for (let i = 0; i < 64; i++) {
        const length = native.receive(port.socket, frame);
        if (length <= 0) return;
        if (left-- === 0) process.exit(1);
        pass(direction, port, frame.subarray(0, length));
      }
    },
    () => undefined,
  );
}

function pass(direction: Direction, port: Port, octets: Buffer): void {
  const segment = parse(octets.subarray(LINK_HEADER_MAX));
  if (segment === null) {
    out(direction, octets);
    return;
  }
  port.header = Buffer.from(octets.subarray(0, LINK_HEADER_MAX));
  for (const passed of scriptOf(segment, direction)(segment, direction)) {
    if (passed.segment === segment && passed.direction === direction) {
      out(direction, octets);
      continue;
    }
    // What goes back is framed as if it came from the other side.
    const header = Buffer.from(port.header);
    if (passed.direction !== direction) {
      port.header.copy(header, 0, 6, 12);
      port.header.copy(header, 6, 0, 6);
    }
    out(passed.direction, Buffer.concat([header, buildPacket({ ...passed.segment, raw: '' })]));
  }
}

function out(direction: Direction, octets: Buffer): void {
  const { socket } = ports[direction === 'up' ? 'down' : 'up'];
  if (delay === 0) native.send(socket, octets);
  else setTimeout((late: Buffer) => native.send(socket, late), delay, Buffer.from(octets));
}

function parse(packet: Buffer): ParsedSegment | null {
  const v4 = (packet[0] as number) >> 4 === 4;
  if (packet[v4 ? 9 : 6] !== IPPROTO_TCP) return null;
  try {
    // Ethernet fills short frames up.
    return parsePacket(packet.subarray(0, v4 ? packet.readUInt16BE(2) : packet.readUInt16BE(4) + 40));
  } catch {
    return null;
  }
}

function scriptOf(
  { source, sourcePort, destination, destinationPort }: ParsedSegment,
  from: Direction,
): Script {
  const ends = [`${source} ${String(sourcePort)}`, `${destination} ${String(destinationPort)}`];
  const key = (from === 'up' ? ends : ends.reverse()).join(' ');
  let script = scripts.get(key);
  if (script === undefined) scripts.set(key, (script = (makeScript as () => Script)()));
  return script;
}
