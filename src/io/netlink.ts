/**
 * The kernel's routing and neighbour tables through netlink (rtnetlink(7)): one question, one answer, no waiting. Needs no
 * privilege.
 */
import { PlaitError } from '../errors.js';
import type { Native, Watch } from './native.js';

/** How the kernel would send to an address. */
export interface Route {
  /** Index of the interface. */
  readonly device: number;
  /** Octets of the address on the link to send to: the gateway's, or the destination itself. */
  readonly nextHop: Uint8Array;
  /** The destination is an address of this machine. */
  readonly local: boolean;
}

export class Netlink {
  readonly #native: Native;
  readonly #query: number;
  readonly #monitor: number;
  readonly #watch: Watch;
  readonly #answer = Buffer.alloc(ANSWER_SIZE);
  readonly #news = Buffer.alloc(NEWS_SIZE);
  #sequence = 0;

  /** `onChange` is called when a table changed. Throws ERR_PLAIT_DEVICE where the kernel has no such sockets. */
  constructor(native: Native, onChange: () => void) {
    this.#native = native;
    this.#query = open(native, 0);
    this.#monitor = open(native, GROUPS);
    this.#watch = native.watch(
      this.#monitor,
      () => {
        // What changed is not worth knowing: the next packet asks again.
        for (let i = 0; i < NEWS_BATCH && native.receive(this.#monitor, this.#news) !== -EAGAIN; i++);
        onChange();
      },
      () => undefined,
    );
  }

  /**
   * The route of packets from `source` to `destination` (4 or 16 octets each) through an interface, or through any when
   * `device` is null. A number: the errno.
   */
  route(source: Uint8Array, destination: Uint8Array, device: number | null): Route | number {
    const found = this.#route(source, destination, device);
    if (typeof found === 'number' || found.local || device === null || found.device === device) return found;
    // Over IPv6, Linux holds to the interface only when it has no source to go by.
    const there = this.#route(null, destination, device);
    return typeof there === 'number' ? found : there;
  }

  #route(source: Uint8Array | null, destination: Uint8Array, device: number | null): Route | number {
    const bits = destination.length * 8;
    const header = Buffer.alloc(RTMSG_SIZE);
    header[0] = familyOf(destination);
    header[1] = bits;
    header[2] = source === null ? 0 : bits;
    const answer = this.#ask(RTM_GETROUTE, header, [
      [RTA_DST, destination],
      ...(source === null ? [] : [[RTA_SRC, source] as const]),
      ...(device === null ? [] : [[RTA_OIF, int(device)] as const]),
    ]);
    if (typeof answer === 'number') return answer;
    const found = attributes(answer, RTMSG_SIZE);
    const out = found.get(RTA_OIF);
    const via = found.get(RTA_VIA);
    return {
      device: out === undefined ? (device ?? 0) : out.readInt32LE(),
      nextHop: Uint8Array.from(found.get(RTA_GATEWAY) ?? via?.subarray(2) ?? destination),
      local: answer[RTM_TYPE_AT] === RTN_LOCAL,
    };
  }

  /** The link-layer address of a neighbour, or null while the kernel does not know it. */
  neighbour(device: number, address: Uint8Array): Uint8Array | null {
    const header = Buffer.alloc(NDMSG_SIZE);
    header[0] = familyOf(address);
    header.writeInt32LE(device, 4);
    const answer = this.#ask(RTM_GETNEIGH, header, [[NDA_DST, address]]);
    if (typeof answer === 'number' || (answer.readUInt16LE(8) & NUD_VALID) === 0) return null;
    const found = attributes(answer, NDMSG_SIZE).get(NDA_LLADDR);
    return found === undefined ? null : Uint8Array.from(found);
  }

  close(): void {
    this.#watch.close();
    this.#native.close(this.#query);
    this.#native.close(this.#monitor);
  }

  /** The message of the answer without its header, or the errno. */
  #ask(type: number, header: Buffer, options: readonly (readonly [number, Uint8Array])[]): Buffer | number {
    const parts = [Buffer.alloc(NLMSG_SIZE), header];
    for (const [id, value] of options) {
      const head = Buffer.alloc(4);
      head.writeUInt16LE(4 + value.length, 0);
      head.writeUInt16LE(id, 2);
      parts.push(head, Buffer.from(value)); // addresses and integers: multiples of 4 octets
    }
    const request = Buffer.concat(parts);
    const sequence = ++this.#sequence >>> 0;
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(type, 4);
    request.writeUInt16LE(NLM_F_REQUEST, 6);
    request.writeUInt32LE(sequence, 8);
    const sent = this.#native.send(this.#query, request);
    if (sent < 0) return -sent;
    // The kernel answers within the call that asks; what an interrupted question left behind is skipped.
    for (;;) {
      const n = this.#native.receive(this.#query, this.#answer);
      if (n < NLMSG_SIZE) return n < 0 ? -n : EPROTO;
      if (this.#answer.readUInt32LE(8) !== sequence) continue;
      const message = this.#answer.subarray(NLMSG_SIZE, Math.min(n, this.#answer.readUInt32LE(0)));
      return this.#answer.readUInt16LE(4) === NLMSG_ERROR ? -message.readInt32LE(0) || EPROTO : message;
    }
  }
}

function open(native: Native, groups: number): number {
  const fd = native.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  const name = Buffer.alloc(12);
  name.writeUInt16LE(AF_NETLINK, 0);
  name.writeUInt32LE(groups, 8);
  const errno = fd < 0 ? -fd : native.bindName(fd, name);
  if (errno === 0) return fd;
  if (fd >= 0) native.close(fd);
  throw new PlaitError('ERR_PLAIT_DEVICE', `no netlink socket (errno ${String(errno)})`);
}

function attributes(message: Buffer, from: number): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = from; at + 4 <= message.length;) {
    const length = message.readUInt16LE(at);
    if (length < 4) break;
    found.set(message.readUInt16LE(at + 2) & NLA_TYPE_MASK, message.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

const familyOf = (address: Uint8Array): number => (address.length === 4 ? 2 : 10);

function int(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeInt32LE(value);
  return octets;
}

const ANSWER_SIZE = 8192;
const NEWS_SIZE = 32768;
const NEWS_BATCH = 64;
// asm-generic/errno.h
const EAGAIN = 11;
const EPROTO = 71;
// linux/netlink.h, linux/rtnetlink.h, linux/neighbour.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const NLMSG_SIZE = 16;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLA_TYPE_MASK = 0x3fff;
const RTM_GETROUTE = 26;
const RTM_GETNEIGH = 30;
const RTMSG_SIZE = 12;
const RTM_TYPE_AT = 7;
const RTN_LOCAL = 2;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_VIA = 18;
const NDMSG_SIZE = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
/** NUD_REACHABLE, STALE, DELAY, PROBE, NOARP and PERMANENT: an address is known. */
const NUD_VALID = 0xde;
/** Links, neighbours, addresses and routes of both families. */
const GROUPS = 0x1 | 0x4 | 0x10 | 0x40 | 0x100 | 0x400;
