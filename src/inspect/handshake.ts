/** MP_CAPABLE and MP_JOIN: keys, tokens, HMACs, and where a connection falls back before it began. */
import { other, type Connection, type Subflow, type Way } from './connection.js';
import { optionNamed, TcpFlag, type OptionNamed, type TcpSegment } from './dissection.js';
import type { Dissector } from './dissector.js';
import type { Mark, Verdict } from './marks.js';

export class Handshakes {
  readonly #dissector: Dissector;
  readonly #tokens = new Map<number, { connection: Connection; owner: Way }>();

  constructor(dissector: Dissector) {
    this.#dissector = dissector;
  }

  /** The connection with a host that owns this token. */
  ownerOf(token: number): { connection: Connection; owner: Way } | null {
    return this.#tokens.get(token) ?? null;
  }

  /** Makes joins with this token find the connection. */
  register(connection: Connection, owner: Way, token: number): void {
    connection.sides[owner].token = token;
    this.#tokens.set(token, { connection, owner });
  }

  /** Takes a segment of a Multipath TCP subflow. */
  segment(subflow: Subflow, way: Way, tcp: TcpSegment, time: number): Mark[] {
    const syn = (tcp.flags & TcpFlag.SYN) !== 0;
    if (syn && subflow.opener === way) subflow.synTime = subflow.synTime === null ? time : NaN;
    if (!syn && subflow.opener === way && subflow.handshakeTime === null && subflow.synTime !== null) {
      const elapsed = time - subflow.synTime;
      // Repeated SYNs tell nothing: either may have been answered.
      if (elapsed >= 0 && subflow.flows[other(way)].synSeen) subflow.handshakeTime = elapsed;
    }
    const { connection } = subflow;
    if (!connection.speaksMultipath || (tcp.flags & TcpFlag.RST) !== 0) return [];
    if (subflow.join !== null) return this.#join(subflow, way, tcp);
    return subflow.index === 0 ? this.#capable(connection, way, tcp, time) : [];
  }

  // ---- MP_CAPABLE (RFC 8684 section 3.1) ------------------------------------------------------------------------------

  #capable(connection: Connection, way: Way, tcp: TcpSegment, time: number): Mark[] {
    const option = optionNamed(tcp, 'mp_capable');
    const syn = tcp.flags & (TcpFlag.SYN | TcpFlag.ACK);
    if (option !== undefined && (option.flags & 0x80) !== 0) connection.checksums = true;
    if (syn === TcpFlag.SYN) {
      if (option !== undefined && connection.handshake === 'none') connection.handshake = 'asked';
      else if (option === undefined && connection.handshake === 'asked') {
        return connection.fallBack('the SYN was repeated without MP_CAPABLE', time);
      }
      return [];
    }
    if ((syn & TcpFlag.SYN) !== 0) {
      if (option === undefined) return connection.fallBack('no MP_CAPABLE on the SYN/ACK', time);
      connection.version = option.version;
      this.#setKey(connection, way, option.senderKey);
      if (connection.handshake !== 'done') connection.handshake = 'answered';
      return [];
    }
    return way === 0 ? this.#keys(connection, option, tcp, time) : this.#answerer(connection, tcp, time);
  }

  /** The opener's packets until it has sent both keys. */
  #keys(
    connection: Connection,
    option: OptionNamed<'mp_capable'> | undefined,
    tcp: TcpSegment,
    time: number,
  ): Mark[] {
    if (option !== undefined) {
      const [opener, answerer] = connection.sides;
      connection.version ??= option.version;
      this.#setKey(connection, 0, option.senderKey);
      connection.handshake = 'done';
      if (answerer.key === null) this.#setKey(connection, 1, option.receiverKey);
      return option.receiverKey === answerer.key && option.senderKey === opener.key
        ? []
        : [{ kind: 'wrongKey' }];
    }
    if (connection.handshake !== 'answered' || speaks(tcp)) return [];
    return connection.fallBack('no MP_CAPABLE on the third packet', time);
  }

  #answerer(connection: Connection, tcp: TcpSegment, time: number): Mark[] {
    if (speaks(tcp)) connection.answererSpoke = true;
    if (connection.answererSpoke || connection.handshake !== 'done') return [];
    return connection.fallBack('no Multipath option in the answer to the keys', time);
  }

  #setKey(connection: Connection, way: Way, key: bigint | null): void {
    const side = connection.sides[way];
    if (key === null || side.key !== null) return;
    side.key = key;
    side.data.origin = this.#dissector.idsn(key);
    side.data.exact = true;
    this.register(connection, way, this.#dissector.token(key));
  }

  // ---- MP_JOIN (RFC 8684 section 3.2) ---------------------------------------------------------------------------------

  #join(subflow: Subflow, way: Way, tcp: TcpSegment): Mark[] {
    const join = subflow.join!;
    const option = optionNamed(tcp, 'mp_join');
    const answer = (tcp.flags & (TcpFlag.SYN | TcpFlag.ACK)) === (TcpFlag.SYN | TcpFlag.ACK);
    if (option === undefined) return answer ? [{ kind: 'joinIgnored' }] : [];
    if (option.nonce !== null) {
      join.nonces[way] = option.nonce;
      join.addressIds[way] = option.addressId;
      subflow.backup[way] = option.backup === true;
    }
    if (option.hmac === null) return [];
    const verdict = this.#joinVerdict(subflow, way, option.hmac);
    join.hmacs[way] = verdict;
    return [{ kind: 'joinHmac', verdict }];
  }

  #joinVerdict(subflow: Subflow, way: Way, hmac: string): Verdict {
    const { sides } = subflow.connection;
    const [mine, theirs] = [sides[way].key, sides[other(way)].key];
    const nonces = subflow.join!.nonces;
    const [nonce, peerNonce] = [nonces[way], nonces[other(way)]];
    if (mine === null || theirs === null || nonce === null || peerNonce === null) return 'unverified';
    return this.#dissector.joinHmac(mine, theirs, nonce, peerNonce).startsWith(hmac) ? 'good' : 'bad';
  }
}

/** Whether a stack reads any Multipath option in the segment. */
export function speaks(tcp: TcpSegment): boolean {
  return tcp.options.some(({ kind, standing }) => kind === 30 && standing === 'read');
}
