/**
 * Payload that the kernel has written into a buffer of its own, outside the core, in which the application gets it. It
 * stays there (direct.ts) if the connection takes such buffers and nobody here has to read the octets.
 */
import { TCP_ESTABLISHED, TCP_FIN_WAIT_1, TCP_FIN_WAIT_2, URGENT_NONE } from '../abi';
import { countBy } from '../counters';
import { MIB_PlacedOctets } from '../mib';
import { seqGe, seqLe } from '../seq';
import { SF_FAST_OPEN, Subflow } from '../tcp/subflow';
import { ACK, DSS_FIN, DSS_MAP, HAS_CAPABLE, HAS_DSS, PSH, seg } from '../wire/segment';
import { Connection, C_CHECKSUM, C_DEAF, C_MPTCP, C_ORPHAN, C_WATCH } from './connection';
import { directRoom } from './direct';

let misplaced: bool = false;
/** 1: the payload of the packet at which `input` stopped has to lie behind its header (RX_PLACED 0). */
export function isMisplaced(): u32 {
  return misplaced ? 1 : 0;
}
export function inputBegins(): void {
  misplaced = false;
}

/** Whether the segment in hand, of subflow `p` (0: none), may have its payload at `placed` (RX_PLACED); then it has. */
export function placedFits(p: usize, placed: u32): bool {
  misplaced = p == 0 || !mayLieOutside(changetype<Subflow>(p));
  if (misplaced) return false;
  seg.payload = placed;
  countBy(MIB_PlacedOctets, seg.length);
  return true;
}

/** No checksum, no mapping and no urgent octet is to come that somebody would have to read the payload for. */
function mayLieOutside(sf: Subflow): bool {
  if (sf.conn == 0 || (seg.flags & ~PSH) != ACK || sf.is(SF_FAST_OPEN)) return false;
  if (sf.state != TCP_ESTABLISHED && sf.state != TCP_FIN_WAIT_1 && sf.state != TCP_FIN_WAIT_2) return false;
  const c = changetype<Connection>(sf.conn);
  if (!c.takesBuffers || (c.flags & (C_CHECKSUM | C_WATCH | C_ORPHAN | C_DEAF)) != 0 || sf.heldCount != 0) return false;
  // It is cut into no more pieces than it has gaps to fill.
  if (!directRoom(c.oooCount + 1)) return false;
  return c.is(C_MPTCP) ? isMapped(sf) : c.urgentState == URGENT_NONE;
}

/** The segment's own mapping covers all of it. */
function isMapped(sf: Subflow): bool {
  if (!seg.has(HAS_DSS) || seg.has(HAS_CAPABLE) || seg.dssHasChecksum) return false;
  if ((seg.dssFlags & (DSS_MAP | DSS_FIN)) != DSS_MAP) return false;
  const start = sf.irs + sf.ssnShift + seg.dssSsn;
  return seqLe(start, seg.seq) && seqGe(start + seg.dssLength, seg.seq + seg.length);
}
