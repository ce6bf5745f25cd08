/** Packets in the notation of scripts, read by the dissector. */
import type { Dissector } from '../../src/inspect/dissector.js';
import { formatPacketdrill, type Origins } from '../../src/inspect/packetdrill.js';
import type { Flow } from './flow.js';
import { buildTcp, SYN, type IpFields, type TcpFields } from './wire.js';

/** Numbers count from the flow's initial ones. */
export function formatPacket(
  dissector: Dissector,
  packet: IpFields & TcpFields,
  flow: Flow,
  direction: 'in' | 'out',
): string {
  const dissection = dissector.dissect(buildTcp(packet, packet));
  return formatPacketdrill(dissection, originsOf(flow, (packet.flags & SYN) !== 0, direction));
}

function originsOf(flow: Flow, syn: boolean, direction: 'in' | 'out'): Origins {
  const local = flow.localOffset(syn);
  const remote = flow.remoteOffset(syn);
  const { stackIdsn, peerIdsn } = flow.connection;
  if (direction === 'in') return { seq: remote, ack: local, dsn: peerIdsn, dataAck: stackIdsn };
  const first = flow.firstTimestamp;
  const timestamp = first === null ? 0 : first.live - first.script;
  return { seq: local, ack: remote, dsn: stackIdsn, dataAck: peerIdsn, timestamp };
}
