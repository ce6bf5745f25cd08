/** What both sides count of things that many cases do. */

/**
 * What announcements that are heard leave at both sides. Where the client's answer takes longer than the server's timeout,
 * one is repeated, and the kernel drops it when the first still waits there.
 */
export const announced = (count: number) => {
  const once = [count, count + 1] as const;
  return {
    client: { AddAddr: once, EchoAddTx: once, AddAddrDrop: [0, 1] as const },
    server: { AddAddrTx: once, EchoAdd: once },
  };
};

/** Joins of the client that come with a case's steps: `joins` of a case are awaited before them. */
export const joined = (count: number) => ({
  client: { MPJoinSynTx: count, MPJoinSynAckRx: count },
  server: { MPJoinSynRx: count, MPJoinAckRx: count },
});
