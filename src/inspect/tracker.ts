/** Follows the connections of a capture: which packet belongs to which, and what it means there. */
import { Connection, other, Subflow, type Way } from './connection.js';
import { optionNamed, TcpFlag, type Dissection, type IpHeader, type TcpSegment } from './dissection.js';
import type { Dissector } from './dissector.js';
import { Flow } from './flow.js';
import { Handshakes, speaks } from './handshake.js';
import { MappingList, type MappingSum } from './mapping.js';
import type { Mark } from './marks.js';
import { Ranges } from './ranges.js';
import { unwrap32 } from './sequence.js';
import { trackSignals } from './signals.js';

export interface TrackedPacket {
  /** In the capture, from 1. */
  readonly number: number;
  /** Microseconds, as given to `add`. */
  readonly time: number;
  readonly dissection: Dissection;
  /** null: no TCP segment; then nothing below has a meaning. */
  readonly subflow: Subflow | null;
  readonly way: Way;
  /** The packet's own numbers, relative. */
  readonly relative: RelativeNumbers;
  readonly marks: readonly Mark[];
}

export interface RelativeNumbers {
  readonly seq: number;
  /** null: no ACK flag. */
  readonly ack: number | null;
  /** Octets, scaled where the scale is known. */
  readonly window: number;
  readonly sack: readonly (readonly [left: number, right: number])[];
  readonly dataAck: number | null;
  readonly dsn: number | null;
  readonly failedDsn: number | null;
}

export class Tracker {
  readonly #dissector: Dissector;
  readonly #handshakes: Handshakes;
  readonly #subflows = new Map<string, Subflow>();
  readonly #connections: Connection[] = [];
  #packets = 0;
  #others = 0;

  constructor(dissector: Dissector) {
    this.#dissector = dissector;
    this.#handshakes = new Handshakes(dissector);
  }

  /** In the order of appearance. */
  get connections(): readonly Connection[] {
    return this.#connections;
  }

  /** Packets that are no TCP segments. */
  get others(): number {
    return this.#others;
  }

  /** Takes the next packet of the capture; `time` in microseconds. */
  add(time: number, dissection: Dissection): TrackedPacket {
    const number = ++this.#packets;
    const { ip, tcp } = dissection;
    if (ip === null || tcp === null) {
      this.#others++;
      return { number, time, dissection, subflow: null, way: 0, relative: NO_NUMBERS, marks: [] };
    }
    const { subflow, way, marks } = this.#find(ip, tcp, time);
    subflow.lastTime = time;
    subflow.connection.lastTime = time;
    const segment = new SegmentTracker(this.#dissector, this.#handshakes, subflow, way, tcp, time);
    marks.push(...segment.marks());
    return { number, time, dissection, subflow, way, relative: segment.relative(), marks };
  }

  #find(ip: IpHeader, tcp: TcpSegment, time: number): { subflow: Subflow; way: Way; marks: Mark[] } {
    const source = `${ip.source} ${String(tcp.sourcePort)}`;
    const destination = `${ip.destination} ${String(tcp.destinationPort)}`;
    const key = source < destination ? `${source} ${destination}` : `${destination} ${source}`;
    const known = this.#subflows.get(key);
    if (known !== undefined) {
      const first = known.flows[0];
      const way: Way = first.address === ip.source && first.port === tcp.sourcePort ? 0 : 1;
      const { origin } = known.flows[way];
      const syn = (tcp.flags & (TcpFlag.SYN | TcpFlag.ACK)) === TcpFlag.SYN;
      // The same ports again, later: another initial sequence number.
      if (!syn || origin === null || origin === tcp.seq) return { subflow: known, way, marks: [] };
    }
    const { subflow, way, marks } = this.#create(ip, tcp, time);
    this.#subflows.set(key, subflow);
    const [from, to] = [subflow.flows[way].endpoint, subflow.flows[other(way)].endpoint];
    return { subflow, way, marks: [{ kind: 'newSubflow', from, to }, ...marks] };
  }

  #create(ip: IpHeader, tcp: TcpSegment, time: number): { subflow: Subflow; way: Way; marks: Mark[] } {
    const token = optionNamed(tcp, 'mp_join')?.token ?? null;
    const syn = tcp.flags & (TcpFlag.SYN | TcpFlag.ACK);
    const answer = syn === (TcpFlag.SYN | TcpFlag.ACK);
    const marks: Mark[] = [];
    let connection: Connection;
    let way: Way = answer ? 1 : 0;
    let opener: Way = 0;
    if (token !== null) {
      const owner = this.#handshakes.ownerOf(token);
      connection = owner?.connection ?? this.#connect(true, time);
      way = other(owner?.owner ?? 1);
      opener = way;
      if (owner === null) {
        this.#handshakes.register(connection, 1, token);
        marks.push({ kind: 'unknownToken' });
      }
    } else {
      const asks = tcp.options.some(({ name }) => name === 'mp_capable');
      connection = this.#connect(asks || speaks(tcp), time);
    }
    const sender = new Flow(ip.source, tcp.sourcePort, new MappingList(this.#dissector));
    const receiver = new Flow(ip.destination, tcp.destinationPort, new MappingList(this.#dissector));
    const flows = way === 0 ? ([sender, receiver] as const) : ([receiver, sender] as const);
    const subflow = new Subflow(connection, connection.subflows.length, flows, opener, time);
    if (token !== null) {
      subflow.join = {
        token,
        nonces: [null, null],
        addressIds: [null, null],
        hmacs: [null, null],
      };
    }
    connection.subflows.push(subflow);
    return { subflow, way, marks };
  }

  #connect(multipath: boolean, time: number): Connection {
    const connection = new Connection(this.#connections.length + 1, multipath, time);
    this.#connections.push(connection);
    return connection;
  }
}

/** One segment in its subflow. */
class SegmentTracker {
  readonly #connection: Connection;
  readonly #sender: Flow;
  readonly #receiver: Flow;
  readonly #seq: number;
  readonly #ack: number | null;
  readonly #window: number;
  #dataAck: number | null = null;
  #dsn: number | null = null;
  #dataAckAdvanced = false;

  constructor(
    readonly dissector: Dissector,
    readonly handshakes: Handshakes,
    readonly subflow: Subflow,
    readonly way: Way,
    readonly tcp: TcpSegment,
    readonly time: number,
  ) {
    this.#connection = subflow.connection;
    const [sender, receiver] = [subflow.flows[way], subflow.flows[other(way)]];
    this.#sender = sender;
    this.#receiver = receiver;
    sender.begin(tcp);
    this.#seq = sender.relative(tcp.seq);
    this.#ack = (tcp.flags & TcpFlag.ACK) === 0 ? null : receiver.acknowledge(tcp.ack, time);
    const scaled = (tcp.flags & TcpFlag.SYN) === 0 && sender.scale !== null && receiver.scale !== null;
    this.#window = scaled ? tcp.window * 2 ** Math.min(sender.scale ?? 0, 14) : tcp.window;
  }

  marks(): Mark[] {
    const { tcp, subflow, way, time } = this;
    const marks: Mark[] = [];
    if (tcp.checksumState === 'bad') marks.push({ kind: 'badChecksum' });
    marks.push(...this.handshakes.segment(subflow, way, tcp, time));
    const peerWindow = this.#receiver.lastWindow;
    marks.push(...this.#sender.segment(tcp, this.#seq, time, peerWindow, subflow.roundTrip));
    if (this.#connection.speaksMultipath) {
      marks.push(...this.#options(), ...this.#payload(this.#sender.repeated >= tcp.length));
    }
    if (this.#ack !== null) marks.push(...this.#windowMarks(this.#ack));
    marks.push(...trackSignals(this.dissector, subflow, way, tcp, time));
    return marks;
  }

  relative(): RelativeNumbers {
    const { tcp } = this;
    const sack = optionNamed(tcp, 'sack')?.blocks ?? [];
    const fail = optionNamed(tcp, 'mp_fail');
    const edge = (value: number): number => this.#receiver.relative(value, this.#receiver.acked);
    return {
      seq: this.#seq,
      ack: this.#ack,
      window: this.#window,
      sack: sack.map(([left, right]) => [edge(left), edge(right)] as const),
      dataAck: this.#dataAck,
      dsn: this.#dsn,
      failedDsn:
        fail === undefined ? null : this.#connection.sides[other(this.way)].data.relative(fail.dsn, true),
    };
  }

  /** DSS, and the mapping that MP_CAPABLE with data implies. */
  #options(): Mark[] {
    const { tcp } = this;
    const dss = optionNamed(tcp, 'dss');
    const capable = optionNamed(tcp, 'mp_capable');
    const marks: Mark[] = [];
    const dataAck = dss?.dataAck ?? null;
    if (dss !== undefined && dataAck !== null) marks.push(...this.#dataAcked(dataAck, dss.dataAck64));
    const space = this.#connection.sides[this.way].data;
    const implied = capable?.dataLength ?? null;
    if (capable !== undefined && implied !== null && space.exact && space.origin !== null) {
      // RFC 8684 section 3.1: the data begins with the first octet of both sequence spaces.
      const dsn = BigInt.asUintN(64, space.origin + 1n);
      const { checksum } = capable;
      marks.push(...this.#mapped({ dsn, dsn64: true, ssn: 1, length: implied, checksum }, false));
    }
    const mapping = dss?.mapping ?? null;
    if (dss !== undefined && mapping !== null) {
      space.begin(mapping.dsn, mapping.dsn64);
      if (mapping.length === 0) {
        this.#dsn = space.relative(mapping.dsn, mapping.dsn64);
        const reason = 'infinite mapping';
        marks.push({ kind: 'infiniteMapping' }, ...this.#connection.fallBack(reason, this.time));
      } else {
        marks.push(...this.#mapped(mapping, dss.dataFin));
      }
    }
    return marks;
  }

  #dataAcked(value: bigint, wide: boolean): Mark[] {
    const space = this.#connection.sides[other(this.way)].data;
    space.begin(value, wide);
    const ack = space.relative(value, wide);
    this.#dataAck = ack;
    if (ack <= space.acked) return [];
    this.#dataAckAdvanced = space.acked > 0;
    space.acknowledge(ack);
    if (space.finAt === null || ack <= space.finAt || space.finAcked) return [];
    space.finAcked = true;
    return [{ kind: 'dataFinAcked' }];
  }

  #mapped(
    mapping: { dsn: bigint; dsn64: boolean; ssn: number; length: number; checksum: number | null },
    dataFin: boolean,
  ): Mark[] {
    const space = this.#connection.sides[this.way].data;
    const dsn = space.relative(mapping.dsn, mapping.dsn64);
    this.#dsn = dsn;
    space.next = Math.max(space.next, dsn + mapping.length);
    if (dataFin) space.finAt = dsn + mapping.length - 1;
    const known = space.exact && space.origin !== null;
    const sum: MappingSum | null =
      mapping.checksum === null
        ? null
        : {
            dsn64: known ? BigInt.asUintN(64, space.origin! + BigInt(dsn)) : null,
            ssn: mapping.ssn,
            length: mapping.length,
            checksum: mapping.checksum,
            seen: new Ranges<null>(),
            octets: 0,
            total: 0,
            verdict: null,
          };
    const marks = this.#sender.mappings.add({
      ssn: unwrap32(mapping.ssn, 0, this.#seq - this.#sender.synData),
      dsn,
      payload: mapping.length - (dataFin ? 1 : 0),
      sum,
    });
    return dataFin ? [{ kind: 'dataFin' }, ...marks] : marks;
  }

  #payload(again: boolean): Mark[] {
    const { tcp } = this;
    if (tcp.length === 0 || (tcp.flags & TcpFlag.SYN) !== 0) return [];
    const ssn = this.#seq - this.#sender.synData;
    const { pieces, marks } = this.#sender.mappings.map(ssn, tcp.length, tcp.payload);
    const space = this.#connection.sides[this.way].data;
    for (const { dsn, length } of pieces) marks.push(...space.take(dsn, length, this.subflow, again));
    const mapped = pieces.reduce((sum, { length }) => sum + length, 0);
    // A mapping that came before the capture began is no mistake.
    if (mapped < tcp.length && !again && this.#sender.synSeen) {
      marks.push({ kind: 'unmapped', octets: tcp.length - mapped });
      const alone = this.#connection.subflows.length === 1;
      if (alone && !speaks(tcp)) {
        marks.push(...this.#connection.fallBack('data without a mapping', this.time));
      }
    }
    return marks;
  }

  #windowMarks(ack: number): Mark[] {
    const { tcp } = this;
    if ((tcp.flags & (TcpFlag.SYN | TcpFlag.RST)) !== 0) return [];
    const bare = tcp.length === 0 && (tcp.flags & TcpFlag.FIN) === 0 && !this.#dataAckAdvanced;
    // Signals travel on ACKs that repeat the last one (RFC 8684 section 3.4.1) and mean no loss.
    const signals = tcp.options.some(({ name, kind }) => kind === 30 && name !== 'dss');
    const mapping = (optionNamed(tcp, 'dss')?.mapping ?? null) !== null;
    const outstanding = this.#receiver.next > ack;
    return this.#sender.window(ack, this.#window, bare && !signals && !mapping, outstanding);
  }
}

const NO_NUMBERS: RelativeNumbers = {
  seq: 0,
  ack: null,
  window: 0,
  sack: [],
  dataAck: null,
  dsn: null,
  failedDsn: null,
};
