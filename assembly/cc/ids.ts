/** Congestion control algorithms, as both compilers know them. */

/** Uncoupled, RFC 5681. */
export const CC_RENO = 0;
/** Uncoupled, RFC 9438. */
export const CC_CUBIC = 1;
/** Linked increases, RFC 6356. */
export const CC_LIA = 2;
/** Opportunistic linked increases, CoNEXT 2012 and draft-khalili-mptcp-congestion-control. */
export const CC_OLIA = 3;
/** Balanced linked adaptation, draft-walid-mptcp-congestion-control. */
export const CC_BALIA = 4;
/** Weighted Vegas, delay based, ICNP 2012 and draft-xu-mptcp-congestion-control. */
export const CC_WVEGAS = 5;
