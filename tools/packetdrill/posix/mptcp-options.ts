/**
 * Structures of SOL_MPTCP (linux/mptcp.h): MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS begin with struct mptcp_subflow_data,
 * MPTCP_FULL_INFO is struct mptcp_full_info. A script names fields; sizes are what the caller has, the rest is answered.
 */
import type { Expr } from '../ast.js';
import { field, isEllipsis, number } from './evaluate.js';

/** Octets of struct tcp_info and struct mptcp_subflow_addrs in Linux 6.18. */
export const SIZE_TCP_INFO = 280;
export const SIZE_SUBFLOW_ADDRS = 256;
/** Octets of struct mptcp_subflow_info: an identifier and the addresses. */
export const SIZE_SUBFLOW_INFO = 264;

/** Words of 32 bits, in order. */
export const SUBFLOW_DATA = ['size_subflow_data', 'num_subflows', 'size_kernel', 'size_user'] as const;
export const FULL_INFO = [
  ...['size_tcpinfo_kernel', 'size_tcpinfo_user', 'size_sfinfo_kernel', 'size_sfinfo_user'],
  ...['num_subflows', 'size_arrays_user'],
] as const;

/** Fields that the caller fills in. */
const INPUTS = new Set([
  'size_subflow_data',
  'size_user',
  'size_tcpinfo_user',
  'size_sfinfo_user',
  'size_arrays_user',
]);

/** What the caller hands in: its sizes, and zeros. */
export const inputOf = (value: Expr, names: readonly string[]): Map<string, number> =>
  new Map(
    names.map((name) => {
      const given = INPUTS.has(name) ? field(value, name) : undefined;
      return [name, isEllipsis(given) ? 0 : number(given)];
    }),
  );

/** struct mptcp_subflow_data as it is answered; null: EINVAL. */
export function subflowData(value: Expr, subflows: number, size: number): Map<string, number> | null {
  const fields = inputOf(value, SUBFLOW_DATA);
  if ((fields.get('size_subflow_data') ?? 0) < 16) return null;
  fields.set('num_subflows', subflows);
  fields.set('size_kernel', size);
  fields.set('size_user', Math.min(fields.get('size_user')!, size));
  return fields;
}

export function fullInfo(value: Expr, subflows: number): Map<string, number> {
  const fields = inputOf(value, FULL_INFO);
  fields.set('size_tcpinfo_kernel', SIZE_TCP_INFO);
  fields.set('size_tcpinfo_user', Math.min(fields.get('size_tcpinfo_user')!, SIZE_TCP_INFO));
  fields.set('size_sfinfo_kernel', SIZE_SUBFLOW_INFO);
  fields.set('size_sfinfo_user', Math.min(fields.get('size_sfinfo_user')!, SIZE_SUBFLOW_INFO));
  fields.set('num_subflows', subflows);
  return fields;
}
