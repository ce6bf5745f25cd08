/** Packet sockets (packet(7)): opening them, and whether this process may. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { AF_PACKET } from './link-header.js';
import { SOCK_RAW, type Native } from './native.js';
import { RAW_PRIVILEGE_REMEDY } from './raw-socket.js';

/**
 * A packet socket with `struct virtio_net_hdr` before each packet. It receives nothing: for that it has to be bound to a
 * protocol. Throws PlaitError: EPERM, ERR_PLAIT_DEVICE.
 */
export function openPacketSocket(native: Native): number {
  const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) throw socketError(-fd);
  const errno = native.setOption(fd, SOL_PACKET, PACKET_VNET_HDR, ONE);
  if (errno === 0) return fd;
  native.closeAside(fd);
  throw socketError(-errno);
}

/** Opens and closes a packet socket. Null, or why this process may not: EPERM or ERR_PLAIT_DEVICE. */
export function tryPacketSocket(native: Native): PlaitError | null {
  const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) return socketError(-fd);
  native.closeAside(fd);
  return null;
}

/** For the errno of a raw or packet socket that could not be opened. */
export function socketError(errno: number): PlaitError {
  return errno === constants.errno.EPERM || errno === constants.errno.EACCES
    ? new PlaitError('EPERM', 'packet sockets need the privilege CAP_NET_RAW', RAW_PRIVILEGE_REMEDY)
    : new PlaitError('ERR_PLAIT_DEVICE', `no packet socket (${getSystemErrorName(-errno)})`);
}

/** Packets that the kernel dropped at a packet socket since it was asked last: its queue was full. */
export function takeDrops(native: Native, fd: number): number {
  const counters = new Uint32Array(2);
  const target = new Uint8Array(counters.buffer);
  return native.readOption(fd, SOL_PACKET, PACKET_STATISTICS, target) === 0 ? (counters[1] as number) : 0;
}

const ONE = new Uint8Array(Int32Array.of(1).buffer);
// linux/if_packet.h
const SOL_PACKET = 263;
/** `struct tpacket_stats`: packets, drops. */
const PACKET_STATISTICS = 6;
const PACKET_VNET_HDR = 15;
