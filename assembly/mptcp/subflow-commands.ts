/** Commands that concern one subflow; `../index.ts` exports them. */
import { CLOSE_LOCAL, CLOSE_NORMAL, E_HANDLE, E_STATE } from '../abi';
import { MIB_RmSubflow } from '../mib';
import { count } from '../counters';
import { handleGet, KIND_SUBFLOW } from '../handles';
import * as host from '../host';
import { RST_UNSPECIFIED } from './close';
import { Connection, C_MPTCP, markDirty } from './connection';
import { resetSubflow } from './input';
import {
  SF_ACK_NOW,
  SF_BACKUP_LOCAL,
  SF_FIN_QUEUED,
  SF_PRE_ESTABLISHED,
  SF_SEND_PRIO,
  Subflow,
} from '../tcp/subflow';

/** Resets one subflow with an MP_TCPRST reason (RFC 8684 section 3.6); its data goes to the others. */
export function closeSubflow(now: f64, subflow: u32, reason: u32, transient: u32): i32 {
  host.setNow(now);
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  const sf = changetype<Subflow>(p);
  if (sf.conn == 0) return E_STATE;
  resetSubflow(changetype<Connection>(sf.conn), sf, CLOSE_LOCAL, reason, transient != 0);
  return 0;
}

/** Ends one subflow in order, with FIN after what is in flight there. 0, E_HANDLE or E_STATE. */
export function finishSubflow(now: f64, subflow: u32): i32 {
  host.setNow(now);
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  const sf = changetype<Subflow>(p);
  if (sf.conn == 0) return E_STATE;
  const c = changetype<Connection>(sf.conn);
  if (!sf.synchronized || sf.is(SF_PRE_ESTABLISHED)) {
    resetSubflow(c, sf, CLOSE_LOCAL, RST_UNSPECIFIED, false);
    return 0;
  }
  count(MIB_RmSubflow);
  sf.set(SF_FIN_QUEUED | SF_ACK_NOW);
  markDirty(c);
  return 0;
}

/** Makes a subflow backup or regular and tells the peer (RFC 8684 section 3.3.8). */
export function setBackup(subflow: u32, backup: u32): i32 {
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  const sf = changetype<Subflow>(p);
  if (sf.conn == 0 || !changetype<Connection>(sf.conn).is(C_MPTCP)) return E_STATE;
  if (backup != 0) sf.set(SF_BACKUP_LOCAL);
  else sf.clear(SF_BACKUP_LOCAL);
  sf.set(SF_SEND_PRIO);
  markDirty(changetype<Connection>(sf.conn));
  return 0;
}

/**
 * What an ICMP error has said of a subflow since something was heard last: CLOSE_*, CLOSE_NORMAL: nothing. It is
 * forgotten by that, as Linux' SO_ERROR has it.
 */
export function takeSoftError(subflow: u32): i32 {
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  const reason = changetype<Subflow>(p).softError;
  changetype<Subflow>(p).softError = <u8>CLOSE_NORMAL;
  return reason;
}
