/** The flows of a script: which one a packet of the script means, and which one a packet of the stack belongs to. */
import { Flow, type Endpoint } from './flow.js';
import { tokenOf } from './keys.js';
import type { Machine } from './machine.js';
import { MptcpConnection, type Names, type PeerAddresses } from './mptcp-state.js';
import type { MpJoinSynSpec, OptionSpec } from './option-spec.js';
import type { EndpointSpec, PacketSpec, TcpSpec } from './script.js';
import { ScriptError, type SocketEndpoints } from './socket-layer.js';
import type * as wire from './wire.js';

/** Where a packet goes or comes from, as far as the script says. */
interface Wanted {
  readonly address: string | null;
  readonly port: number | null;
}

export class Flows {
  /** Newest first. */
  readonly #flows: Flow[] = [];
  readonly #machine: Machine;
  readonly #names: Names;
  readonly #peerAddresses: PeerAddresses;

  constructor(machine: Machine, names: Names, peerAddresses: PeerAddresses) {
    this.#machine = machine;
    this.#names = names;
    this.#peerAddresses = peerAddresses;
    peerAddresses.idOf(machine.addressing.remote);
  }

  /** The flow of the last packet of the script: those without addresses stay with it. */
  #current: Flow | null = null;

  get newest(): Flow | null {
    return this.#flows[0] ?? null;
  }

  /** The flow of a packet to the stack, which a SYN may begin. */
  forInbound(spec: PacketSpec, endpoints: (fd: number) => SocketEndpoints | null): Flow {
    if (spec.socket !== null) return this.#ofSocket(spec, endpoints(spec.socket));
    const remote = this.#wanted(spec.source);
    const local = this.#wanted(spec.destination);
    const { body } = spec;
    if (body.kind === 'tcp' && body.flags.syn && !body.flags.ack) {
      const join = joinOf(body);
      if (join !== null) return this.#add(this.#joinFromPeer(spec, join, local, remote));
      if (this.#beginsFlow(local, remote)) return this.#add(this.#openFromPeer(local, remote));
    }
    return this.#find(local, remote, spec.line);
  }

  /** The flow that a packet is expected from; null: a SYN, which may begin one. */
  forOutbound(spec: PacketSpec, endpoints: (fd: number) => SocketEndpoints | null): Flow | null {
    if (spec.socket !== null) return this.#ofSocket(spec, endpoints(spec.socket));
    const { body } = spec;
    if (body.kind === 'tcp' && body.flags.syn && !body.flags.ack) return null;
    return this.#find(this.#wanted(spec.source), this.#wanted(spec.destination), spec.line);
  }

  /** The flow that a packet of the stack belongs to; null: to none that the script knows of. */
  ofPacket(packet: wire.Packet): Flow | null {
    return (
      this.#flows.find(
        ({ local, remote }) =>
          same(local, packet.source, packet.sourcePort) &&
          same(remote, packet.destination, packet.destinationPort),
      ) ?? null
    );
  }

  /** A SYN of the stack that the script expects begins a flow. */
  openFromStack(packet: wire.Packet, tcp: TcpSpec): Flow {
    const join = joinOf(tcp);
    const connection = join === null ? new MptcpConnection() : this.#connectionOf(join, 'peer');
    const local = { address: packet.source, port: packet.sourcePort };
    const remote = { address: packet.destination, port: packet.destinationPort };
    return this.#add(new Flow(local, remote, connection, 'syn-sent', join !== null));
  }

  /** Names in a packet stand for its flow's ends from now on, unless they had a meaning already. */
  learnNames(spec: PacketSpec, flow: Flow): void {
    if (this.#flows.includes(flow)) this.#current = flow;
    const [from, to] = spec.direction === 'out' ? [flow.local, flow.remote] : [flow.remote, flow.local];
    const learn = (end: EndpointSpec | null, value: Endpoint): void => {
      if (end?.kind !== 'name' || this.#names.addresses.has(end.name)) return;
      this.#names.addresses.set(end.name, value);
    };
    learn(spec.source, from);
    learn(spec.destination, to);
  }

  #add(flow: Flow): Flow {
    this.#flows.unshift(flow);
    return flow;
  }

  #wanted(spec: EndpointSpec | null): Wanted {
    if (spec === null) return { address: null, port: null };
    if (spec.kind === 'name') return this.#names.addresses.get(spec.name) ?? { address: null, port: null };
    return {
      address: spec.kind === 'address' ? spec.address : null,
      port: spec.port === 0 ? null : spec.port,
    };
  }

  #ofSocket(spec: PacketSpec, ends: SocketEndpoints | null): Flow {
    const remote = ends?.remote ?? null;
    const flow =
      ends === null || remote === null
        ? undefined
        : this.#flows.find(
            (one) =>
              same(one.local, ends.local.address, ends.local.port) &&
              same(one.remote, remote.address, remote.port),
          );
    if (flow === undefined) throw new ScriptError(`socket ${String(spec.socket)} has no flow`, spec.line);
    return flow;
  }

  /** Whether a packet of this flow is one that the script can mean when it expects `expected`. */
  fits(flow: Flow, expected: Flow | null, { source, destination, socket }: PacketSpec): boolean {
    if (expected === null || flow === expected) return true;
    return source === null && destination === null && socket === null && flow === this.newest;
  }

  /** The newest flow with these ends; without any that of the packet before. */
  #find(local: Wanted, remote: Wanted, line: number): Flow {
    const fits = (end: Endpoint, { address, port }: Wanted): boolean =>
      (address === null || address === end.address) && (port === null || port === end.port);
    const anywhere = [local, remote].every(({ address, port }) => address === null && port === null);
    if (anywhere && this.#current !== null) return this.#current;
    const flow = this.#flows.find((one) => fits(one.local, local) && fits(one.remote, remote));
    if (flow !== undefined) return flow;
    const { newest } = this;
    // Foreign ports: a packet of nobody's flow, numbered like those of the newest.
    if (newest !== null && local.address === null && remote.address === null)
      return foreign(newest, local, remote);
    throw new ScriptError('no flow for this packet', line);
  }

  /** A SYN is a new connection unless the newest flow is in its handshake or lives on. */
  #beginsFlow(local: Wanted, remote: Wanted): boolean {
    const { newest } = this;
    if (newest === null || (newest.over && !this.#machine.hasFlow(newest))) return true;
    const other = (end: Endpoint, { address, port }: Wanted): boolean =>
      (address !== null && address !== end.address) || (port !== null && port !== end.port);
    return newest.handshake !== 'syn-sent' && (other(newest.local, local) || other(newest.remote, remote));
  }

  #openFromPeer(local: Wanted, remote: Wanted): Flow {
    const { addressing } = this.#machine;
    return new Flow(
      { address: local.address ?? addressing.local, port: local.port ?? addressing.bindPort },
      { address: remote.address ?? addressing.remote, port: remote.port ?? this.#machine.nextRemotePort() },
      new MptcpConnection(),
      'syn-received',
      false,
    );
  }

  #joinFromPeer(spec: PacketSpec, join: MpJoinSynSpec, local: Wanted, remote: Wanted): Flow {
    const connection = this.#connectionOf(join, 'stack');
    const first = this.#flows.find((flow) => flow.connection === connection) ?? null;
    const here: Endpoint = {
      address: local.address ?? first?.local.address ?? this.#machine.addressing.local,
      port: local.port ?? first?.local.port ?? this.#machine.addressing.bindPort,
    };
    // An unknown name is the peer's next address; without any it is where the connection began.
    const unknown = spec.source !== null && remote.address === null && spec.source.kind === 'name';
    const address = unknown
      ? this.#peerAddresses.withId(null).address
      : (remote.address ?? first?.remote.address ?? this.#machine.addressing.remote);
    let port = remote.port ?? this.#machine.nextRemotePort();
    const taken = (): boolean =>
      this.#flows.some(
        (flow) => same(flow.remote, address, port) && same(flow.local, here.address, here.port),
      );
    while (taken()) port = this.#machine.nextRemotePort();
    return new Flow(here, { address, port }, connection, 'syn-received', true);
  }

  /** The connection whose token, of the stack's key or of the peer's, a join carries. */
  #connectionOf(join: MpJoinSynSpec, side: 'stack' | 'peer'): MptcpConnection {
    const all = this.#flows.map(({ connection }) => connection);
    const { token } = join;
    const key = token.kind === 'hash' ? this.#names.keys.get(token.key) : undefined;
    const wanted = token.kind === 'number' ? token.value : key === undefined ? null : tokenOf(key, 'sha256');
    const of = (connection: MptcpConnection): number =>
      side === 'stack' ? connection.stackToken : connection.peerToken;
    return (
      all.find((connection) => wanted !== null && of(connection) === wanted) ??
      all.find(({ stackKey }) => stackKey !== null) ??
      new MptcpConnection()
    );
  }
}

const same = (end: Endpoint, address: string, port: number): boolean =>
  end.address === address && end.port === port;

function foreign(flow: Flow, local: Wanted, remote: Wanted): Flow {
  const other = new Flow(
    { address: flow.local.address, port: local.port ?? flow.local.port },
    { address: flow.remote.address, port: remote.port ?? flow.remote.port },
    flow.connection,
    flow.handshake,
    flow.join,
  );
  return Object.assign(other, {
    scriptLocalIsn: flow.scriptLocalIsn,
    scriptRemoteIsn: flow.scriptRemoteIsn,
    liveLocalIsn: flow.liveLocalIsn,
    liveRemoteIsn: flow.liveRemoteIsn,
    firstTimestamp: flow.firstTimestamp,
  });
}

function joinOf(tcp: TcpSpec): MpJoinSynSpec | null {
  const isJoin = (option: OptionSpec): option is MpJoinSynSpec => option.kind === 'mp_join_syn';
  return tcp.options?.find(isJoin) ?? null;
}
