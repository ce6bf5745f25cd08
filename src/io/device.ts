/**
 * A device moves IP packets between one stack and a network. It knows nothing of TCP beyond ports.
 *
 * The stack calls the device's methods; the device calls the `DeviceHost` it was opened with. Neither side
 * may keep a reference to packet bytes after the call returns.
 */
import type { PlaitError } from '../errors.js';
import type { OutBatch } from './out-batch.js';

export type DeviceKind = 'packet' | 'raw' | 'udp' | 'memory';

/** What the device knows of a received packet's TCP checksum. */
export const Checksum = {
  /** Nothing: the core verifies it. */
  Unknown: 0,
  /** Correct, or guarded by an outer checksum (UDP), or offloaded by a local sender. */
  Good: 1,
  /** Perhaps only the pseudo-header sum (a local veth with offload): the core accepts that sum too. */
  Partial: 2,
} as const;
export type Checksum = (typeof Checksum)[keyof typeof Checksum];

/** One local address of a host, over which subflows can run. */
export interface Path {
  /** Number in the stack, 1 to 255; used again long after the path is gone. */
  readonly id: number;
  /** Interface name, for people ("eth0"). It and the MTU change with the interface (`Device.changed`). */
  readonly name: string;
  /** Local IP address in text form, without zone. */
  readonly address: string;
  /** Largest IP packet in octets that the path takes (headers included). */
  readonly mtu: number;
}

/** An outgoing IP packet. Valid only during the `send` call that receives it. */
export interface OutPacket {
  /** Octets from the IP header to the end of the payload. */
  readonly length: number;
  /** Payload octets per segment into which `Device.segmentation` obliges the device to cut it; 0: it is one segment. */
  readonly segment: number;
  /** Octets from the IP to the TCP header when its checksum field holds the pseudo header's sum only; 0: complete. */
  readonly partial: number;
  /** Gathers the packet into `target` at `offset`. Returns `length`. */
  copyTo(target: Uint8Array, offset: number): number;
}

/** The receive ring of a host, for devices that fill it themselves. */
export interface ReceiveRing {
  /** What addresses count in. Another view of the same memory once that has grown. */
  readonly memory: Uint8Array;
  /**
   * Makes room for up to `count` packets of `size` octets, one behind the other from `first` on; what waits in the ring
   * may be handled for that. Returns for how many there is room.
   */
  reserve(size: number, count: number): number;
  readonly first: number;
  /**
   * A packet lies in that room, behind those of earlier calls; `segment` as in `DeviceHost.receive`. It is handled after
   * `DeviceHost.batchOver`.
   */
  commit(
    path: number,
    at: number,
    length: number,
    checksum: Checksum,
    segment: number,
    /** Its payload is here, and only its headers are at `at`, with room for the payload behind them. */
    payload?: Uint8Array,
  ): void;
  /** Whether `count` more packets may bring their payload in buffers of their own, and somebody would take those. */
  takesBuffers(count: number): boolean;
  /** Whether more packets wait in front of the device than the host takes at once: no window grows much then. */
  behind(on: boolean): void;
}

/** How one path of a device does. */
export interface PathStats {
  readonly name: string;
  readonly address: string;
  /** Whether its interface takes packets, as far as sending has shown. */
  readonly up: boolean;
  /** Packets that could not be sent, or only later (ENOBUFS), by the name of the error. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface DeviceStats {
  /** Packets that the kernel dropped because this process read too slowly; null where it does not say. */
  readonly dropped: number | null;
  readonly paths: readonly PathStats[];
}

export interface DeviceHost {
  /** None: packets come through `receive`. */
  readonly receiveRing?: ReceiveRing;
  /**
   * Hands over one IP packet that arrived on `path`. False: the receive ring is full, drop and count it. `segment`:
   * payload octets of each segment that it was joined from; 0 or none: unknown, or it is one.
   */
  receive(path: number, packet: Uint8Array, checksum: Checksum, segment?: number): boolean;
  /**
   * Hands over a TCP segment that arrived inside UDP: the stack puts an IP header before it and replaces the
   * TCP source and destination port by the ports given (those of the outer datagram).
   * `remote` is 4 or 16 octets. `joined`: payload octets of each segment that this one was joined from; 0 or none: it is
   * one.
   */
  receiveSegment(
    path: number,
    remote: Uint8Array,
    remotePort: number,
    localPort: number,
    segment: Uint8Array,
    joined?: number,
  ): boolean;
  /**
   * What arrived at once is handed over. A packet or two are handled in this call, so that they do not wait for the turn
   * of the event loop to end; more wait for those that other paths bring in the same turn.
   */
  batchOver?(): void;
  /** Packets of a path are not cut into segments any more, whatever `Device.segmentation` says. */
  noSegmentation(path: number): void;
  /**
   * The queue of an interface was full when a packet with this IP and TCP header came to it. The packet is kept and
   * sent again, but its flow is too fast. Valid during the call.
   */
  congested(header: Uint8Array): void;
  /** The device can take packets again after `send` returned false. */
  writable(): void;
  /** A path stopped working (interface gone, ENETDOWN) or works again. */
  pathState(path: number, up: boolean): void;
}

export interface Device {
  readonly kind: DeviceKind;
  /** Octets that the encapsulation adds below IP's payload (UDP: 8); the core lowers the MSS by it. */
  readonly overhead: number;
  /** Whether outgoing packets need a TCP checksum. */
  readonly needsChecksum: boolean;
  /**
   * Octets of the largest IP packet that the device cuts into segments (at most 65,535). It has to complete TCP
   * checksums then, if it needs any. 0 or none: packets leave as they are.
   */
  readonly segmentation?: number;
  /**
   * Whether packets that arrive at a local address have lost the ECN bits of their IP header. ECN (RFC 3168) is not
   * agreed on there, for its marks would not be seen. Default: they have them.
   */
  hidesEcn?(address: string): boolean;
  /** Called once, before anything else. */
  open(host: DeviceHost): void;
  /** Starts receiving on a path. `done` is called once, perhaps before this returns. */
  attach(path: Path, done: (error: PlaitError | null) => void): void;
  /**
   * The path's interface has another name or MTU, or it is another one with the same address. The path and its ports go on.
   * An error: they cannot, and the path has to be detached and attached again. Default: nothing depends on the interface.
   */
  changed?(path: number): PlaitError | null;
  /** Stops using a path and frees what `attach` and `bind` took for it. */
  detach(path: number): void;
  /**
   * Reserves a local TCP port on a path against other programs of this machine and lets packets for it in.
   * Port 0 lets the device choose. Each bind is undone by one `unbind`; the same port may be bound several
   * times (the listener's port by its joins, say).
   */
  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void;
  unbind(path: number, port: number): void;
  /**
   * Sends one packet. False: the device's queue is full, keep the packet and stop until `writable()`.
   * A packet that cannot be sent for other reasons (no route, interface down) counts as lost: return true.
   */
  send(path: number, packet: OutPacket): boolean;
  /**
   * Sends packets in order, out of the memory that they lie in, before it returns. Returns how many it took; the others
   * are kept as those that `send` refuses. A device without this method is given them one by one.
   */
  sendMany?(path: number, packets: OutBatch): number;
  /**
   * Sends packets that lie one behind the other (PACK_* of assembly/abi.ts), all of them or none. For devices that have
   * another core at their end.
   */
  sendPack?(path: number, pack: Uint8Array, packets: number): boolean;
  /**
   * Takes in what has arrived by now. With it, `sendMany` takes payload from applications' memory (OutBatch.loan), which
   * is worth while where answers come while packets are sent.
   */
  collect?(): void;
  /** Of the paths that are attached. */
  statistics?(): DeviceStats;
  /** Called after the last `send` of a batch. */
  flush(): void;
  close(): void;
}
