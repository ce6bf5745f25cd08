/** What both sides count of things that many cases do. */
import type { Count } from '../case.js';

/**
 * What announcements that are heard leave at both sides. Where an answer takes longer than the timeout, its announcement is
 * repeated, three times at most, and the kernel drops it when the first still waits there.
 */
export const announced = (count: number) => {
  const heard: Count = [count, 4 * count];
  return {
    client: { AddAddr: heard, EchoAddTx: heard, AddAddrDrop: [0, 3 * count] as const },
    server: { AddAddrTx: heard, EchoAdd: heard },
  };
};

/** Joins of the client that come with a case's steps: `joins` of a case are awaited before them. */
export const joined = (count: number) => ({
  client: { MPJoinSynTx: count, MPJoinSynAckRx: count },
  server: { MPJoinSynRx: count, MPJoinAckRx: count },
});
