/** Signals of Multipath TCP beside data: addresses, priorities, failures and ends. */
import { other, type Announcement, type Subflow, type Way } from './connection.js';
import { TcpFlag, optionNamed, type OptionNamed, type TcpSegment } from './dissection.js';
import type { Dissector } from './dissector.js';
import { resetReason, type Mark, type Verdict } from './marks.js';

export function trackSignals(
  dissector: Dissector,
  subflow: Subflow,
  way: Way,
  tcp: TcpSegment,
  time: number,
): Mark[] {
  const { connection } = subflow;
  const marks: Mark[] = [];
  for (const option of connection.multipath ? tcp.options : []) {
    if (option.standing !== 'read') continue;
    switch (option.name) {
      case 'add_addr':
        marks.push(
          option.echo ? echo(subflow, way, option) : announce(dissector, subflow, way, option, time),
        );
        break;
      case 'remove_addr':
        for (const one of connection.announcements) {
          if (one.way === way && option.addressIds.includes(one.addressId)) one.removed = true;
        }
        connection.signal(time, way, subflow, `REMOVE_ADDR ${option.addressIds.join(', ')}`);
        break;
      case 'mp_prio':
        subflow.backup[way] = option.backup;
        connection.signal(time, way, subflow, `MP_PRIO ${option.backup ? 'backup' : 'regular'}`);
        break;
      case 'mp_fail': {
        // The failed data came from the receiver of this packet.
        const at = connection.sides[other(way)].data.relative(option.dsn, true);
        connection.signal(time, way, subflow, `MP_FAIL at ${String(at)}`);
        break;
      }
      case 'mp_fastclose': {
        const { key } = connection.sides[other(way)];
        const verdict = key === null ? 'unverified' : key === option.key ? 'good' : 'bad';
        if (verdict !== 'bad') connection.fastclose ??= way;
        marks.push({ kind: 'fastclose', verdict });
        connection.signal(time, way, subflow, 'MP_FASTCLOSE');
        break;
      }
      default:
    }
  }
  if ((tcp.flags & TcpFlag.RST) !== 0) marks.push(reset(subflow, way, tcp));
  return marks;
}

function announce(
  dissector: Dissector,
  subflow: Subflow,
  way: Way,
  option: OptionNamed<'add_addr'>,
  time: number,
): Mark {
  const { connection } = subflow;
  const hmac = addAddrVerdict(dissector, subflow, way, option);
  const known = find(connection.announcements, way, option);
  if (known !== undefined) {
    known.times++;
  } else {
    const { addressId, address, port } = option;
    const state = { times: 1, echoed: false, removed: false };
    connection.announcements.push({ way, addressId, address, port, hmac, time, ...state });
    const where = port === null ? address : `${address} port ${String(port)}`;
    connection.signal(time, way, subflow, `ADD_ADDR ${String(addressId)} ${where}`);
  }
  return { kind: 'addAddrHmac', verdict: hmac };
}

function addAddrVerdict(
  dissector: Dissector,
  subflow: Subflow,
  way: Way,
  { address, addressId, port, octets, hmac }: OptionNamed<'add_addr'>,
): Verdict {
  const { sides } = subflow.connection;
  const [mine, theirs] = [sides[way].key, sides[other(way)].key];
  if (mine === null || theirs === null) return 'unverified';
  const bare = octets.subarray(4, address.includes(':') ? 20 : 8);
  return dissector.addAddrHmac(mine, theirs, addressId, bare, port) === hmac ? 'good' : 'bad';
}

function echo(subflow: Subflow, way: Way, option: OptionNamed<'add_addr'>): Mark {
  const announced = find(subflow.connection.announcements, other(way), option);
  if (announced !== undefined) announced.echoed = true;
  return { kind: 'echoOf', announced: announced !== undefined };
}

function find(
  announcements: readonly Announcement[],
  way: Way,
  { addressId, address, port }: OptionNamed<'add_addr'>,
): Announcement | undefined {
  return announcements.find(
    (one) => one.way === way && one.addressId === addressId && one.address === address && one.port === port,
  );
}

function reset(subflow: Subflow, way: Way, tcp: TcpSegment): Mark {
  const option = optionNamed(tcp, 'mp_tcprst');
  const text = option === undefined ? null : resetReason(option.reason);
  const reason = text !== null && option?.transient === true ? `${text}, for now` : text;
  subflow.reset ??= { way, reason, transient: option?.transient === true };
  return { kind: 'reset', reason };
}
