/** The script's side of the wire: builds its packets, and compares those of the stack with it. */
import type { Dissector } from '../../src/inspect/dissector.js';
import { comparePacket, flagBits } from './compare.js';
import type { Config } from './config.js';
import type { Flow } from './flow.js';
import { Flows } from './flows.js';
import { formatPacket } from './format.js';
import { buildIcmp } from './icmp.js';
import type { Machine } from './machine.js';
import { Names, PeerAddresses } from './mptcp-state.js';
import { joinMappings, optionsToInject } from './options.js';
import type { Known } from './resolve.js';
import type { PacketSpec, TcpSpec } from './script.js';
import { ScriptError, type SocketEndpoints } from './socket-layer.js';
import * as wire from './wire.js';

/** What became of a packet that the script expects. */
export interface Received {
  /** null: nothing came in time. */
  readonly packet: wire.Packet | null;
  readonly mismatch: string | null;
  /** The packet in the script's notation. */
  readonly actual: string;
}

export class ScriptPeer {
  readonly #machine: Machine;
  readonly #config: Config;
  readonly #dissector: Dissector;
  readonly #names = new Names();
  readonly #peerAddresses = new PeerAddresses();
  readonly #flows: Flows;
  readonly #endpoints: (fd: number) => SocketEndpoints | null;

  constructor(
    machine: Machine,
    config: Config,
    dissector: Dissector,
    endpoints: (fd: number) => SocketEndpoints | null,
  ) {
    this.#machine = machine;
    this.#config = config;
    this.#dissector = dissector;
    this.#endpoints = endpoints;
    this.#flows = new Flows(machine, this.#names, this.#peerAddresses);
  }

  // ---- to the stack -------------------------------------------------------------------------------------------

  /** Returns the packet in the script's notation. */
  send(spec: PacketSpec): string {
    const { body } = spec;
    if (body.kind === 'udp') throw new ScriptError('UDP is not supported', spec.line);
    const flow = this.#flows.forInbound(spec, this.#endpoints);
    if (body.kind === 'icmp') {
      this.#machine.inject(buildIcmp(spec.ip, body, flow, spec.line), flow.local.address);
      return spec.text;
    }
    const packet = this.#build(spec, body, flow);
    this.#flows.learnNames(spec, flow);
    this.#machine.inject(wire.buildTcp(ipOf(spec, flow), packet), flow.local.address);
    return formatPacket(this.#dissector, { ...ipOf(spec, flow), ...packet }, flow, 'in');
  }

  /** A packet of the host in the script's notation; null: it is of no flow of the script. */
  describe(packet: wire.Packet): string | null {
    const flow = this.#flows.ofPacket(packet);
    return flow === null ? null : this.#show(packet, flow);
  }

  #show(packet: wire.Packet, flow: Flow): string {
    return formatPacket(this.#dissector, packet, flow, 'out');
  }

  #build(spec: PacketSpec, tcp: TcpSpec, flow: Flow): wire.TcpFields {
    const { syn, ack, rst, fin } = tcp.flags;
    if (syn && (flow.handshake === 'syn-received' || (flow.handshake === 'syn-sent' && ack))) {
      flow.scriptRemoteIsn = tcp.seq;
      flow.liveRemoteIsn = tcp.seq;
      if (ack) flow.handshake = 'syn-answered';
    } else if (ack && flow.handshake === 'syn-ack-sent') flow.handshake = 'established';
    if (rst) flow.reset = true;
    if (fin) flow.peerFin = true;
    const payload = Buffer.alloc(tcp.length);
    const known = this.#known(flow, tcp, payload);
    return {
      sourcePort: flow.remote.port,
      destinationPort: flow.local.port,
      seq: (tcp.seq + flow.remoteOffset(syn)) >>> 0,
      ack: ack ? (tcp.ack + flow.localOffset(syn)) >>> 0 : tcp.ack,
      flags: flagBits(tcp.flags),
      window: tcp.window ?? 0,
      urgent: tcp.urgent,
      options: within(spec.line, () =>
        optionsToInject(tcp.options ?? [], known, syn, ack, this.#config.tsEcrScaled),
      ),
      payload,
    };
  }

  #known(flow: Flow, tcp: TcpSpec, payload: Buffer): Known {
    const { strictOptions: strict } = this.#config;
    return { flow, names: this.#names, peerAddresses: this.#peerAddresses, seq: tcp.seq, payload, strict };
  }

  // ---- from the stack -----------------------------------------------------------------------------------------

  /** Waits until `latest` for the stack's next packet and compares it. `elapsed`: time of the event in the script. */
  receive(spec: PacketSpec, latest: number, elapsed: number): Received {
    const { body } = spec;
    if (body.kind !== 'tcp') throw new ScriptError(`outbound ${body.kind} is not supported`, spec.line);
    const expected = this.#flows.forOutbound(spec, this.#endpoints);
    const first = this.#next(body, latest);
    if (first === null) return { packet: null, mismatch: null, actual: '' };
    const { flow } = first;
    if (!this.#flows.fits(flow, expected, spec)) {
      const actual = this.#show(first.packet, flow);
      return { packet: first.packet, mismatch: 'the packet is of another flow', actual };
    }
    const refused = this.#addressesDiffer(spec, first.packet);
    if (refused !== null) {
      return { packet: first.packet, mismatch: refused, actual: this.#show(first.packet, flow) };
    }
    this.#learnHandshake(body, first.packet, flow);
    const { packet, error } = this.#whole(body, first.packet, flow, latest);
    const known = this.#known(flow, body, packet.payload);
    const mismatch =
      error ?? within(spec.line, () => comparePacket(spec, body, packet, known, this.#config, elapsed));
    if (mismatch === null) this.#flows.learnNames(spec, flow);
    return { packet, mismatch, actual: this.#show(packet, flow) };
  }

  /** The stack's next packet of a flow that the script knows, or begins with this SYN. */
  #next(tcp: TcpSpec, latest: number): { packet: wire.Packet; flow: Flow } | null {
    const { sent } = this.#machine;
    const begins = tcp.flags.syn && !tcp.flags.ack;
    while (this.#machine.waitFor(() => sent.length > 0, latest)) {
      const packet = sent.shift()!;
      const isSyn = (packet.flags & (wire.SYN | wire.ACK)) === wire.SYN;
      const flow =
        this.#flows.ofPacket(packet) ?? (begins && isSyn ? this.#flows.openFromStack(packet, tcp) : null);
      if (flow !== null) return { packet, flow };
    }
    return null;
  }

  /** Addresses that the script names have to be those of the packet. */
  #addressesDiffer(spec: PacketSpec, packet: wire.Packet): string | null {
    const ends = [
      [spec.source, packet.source, packet.sourcePort],
      [spec.destination, packet.destination, packet.destinationPort],
    ] as const;
    for (const [end, address, port] of ends) {
      const wanted = end?.kind === 'name' ? (this.#names.addresses.get(end.name) ?? null) : end;
      if (wanted === null) continue;
      if ('address' in wanted && wanted.address !== address) return `${address} is not ${wanted.address}`;
      if (wanted.port !== 0 && wanted.port !== port)
        return `port ${String(port)} is not ${String(wanted.port)}`;
    }
    return null;
  }

  #learnHandshake(tcp: TcpSpec, packet: wire.Packet, flow: Flow): void {
    if ((packet.flags & wire.SYN) !== 0 && tcp.flags.syn) {
      flow.scriptLocalIsn = tcp.seq;
      flow.liveLocalIsn = packet.seq;
      if (flow.handshake === 'syn-received' && tcp.flags.ack) flow.handshake = 'syn-ack-sent';
    }
    if ((packet.flags & wire.RST) !== 0) flow.reset = true;
    if ((packet.flags & wire.FIN) !== 0) flow.stackFin = true;
  }

  /** Segments in a row count as one, as long as the script expects; a host with offload would have sent one. */
  #whole(
    tcp: TcpSpec,
    first: wire.Packet,
    flow: Flow,
    latest: number,
  ): { packet: wire.Packet; error: string | null } {
    let packet = first;
    let last = first;
    while (packet.payload.length < tcp.length && packet.payload.length > 0 && !this.#config.strictSegments) {
      const next = this.#next(tcp, latest);
      if (next === null) break;
      const error = next.flow === flow ? continues(last, next.packet) : 'the packet is of another flow';
      if (error !== null)
        return { packet: next.packet, error: `after ${packet.payload.length} octets: ${error}` };
      last = next.packet;
      packet = joined(packet, last);
    }
    return { packet, error: null };
  }
}

/** Why a packet does not carry on where the one before ended. */
function continues(before: wire.Packet, packet: wire.Packet): string | null {
  const loose = wire.FIN | wire.PSH | wire.CWR;
  if (packet.seq !== (before.seq + before.payload.length) >>> 0) return 'a gap in the sequence numbers';
  if ((packet.flags | loose) !== (before.flags | loose)) return 'TCP flags differ';
  if (packet.ack !== before.ack || packet.window !== before.window) return 'ack or window differ';
  const multipath = ({ options }: wire.Packet): boolean =>
    options.some(({ kind }) => kind === wire.OPTION_MPTCP);
  if (packet.optionLength !== before.optionLength && !(multipath(packet) && multipath(before))) {
    return 'the length of the options differs';
  }
  return null;
}

function joined(a: wire.Packet, b: wire.Packet): wire.Packet {
  return {
    ...a,
    flags: a.flags | b.flags,
    payload: Buffer.concat([a.payload, b.payload]),
    options: joinMappings(a.options, b.options),
  };
}

function ipOf({ ip }: PacketSpec, flow: Flow): wire.IpFields {
  const { tos, ttl, flowLabel } = ip;
  return { source: flow.remote.address, destination: flow.local.address, tos, ttl, flowLabel };
}

/** Errors of options know no line. */
function within<T>(line: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof ScriptError && error.line === null) throw new ScriptError(error.message, line);
    throw error;
  }
}
