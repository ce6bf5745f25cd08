/** What the kernel tells about a connection with Plait, beside what Plait tells of the same connection. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionInfo } from '../../../src/stack/info.js';
import { other, type Role, type Step } from './case.js';
import type { Run } from './run.js';

/** MPTCP_INFO, MPTCP_SUBFLOW_ADDRS and MPTCP_TCPINFO; see `view` of kernel_peer.py. */
interface KernelView {
  readonly subflows: number;
  readonly fallback: boolean;
  readonly remoteKey: boolean;
  readonly token: string;
  readonly checksum: boolean;
  readonly sent: number;
  readonly received: number;
  readonly acked: number;
  readonly ends: readonly (readonly [local: readonly [string, number], remote: readonly [string, number]])[];
  readonly states: readonly number[];
}

/** Waits until socket options and `ss -M` of the kernel's side say the same as Plait's info. */
export const viewsAgree = (checksum = false): Step => ({
  title: 'both sides tell the same',
  act: async (run) => {
    const kernel: Role = run.party.client.implementation === 'kernel' ? 'client' : 'server';
    let open: readonly string[] = [];
    try {
      while ((open = await compare(run, kernel, checksum)).length > 0) await sleep(20);
    } catch (error) {
      throw new Error(`${open.join('; ')}; ${(error as Error).message}`, { cause: error });
    }
  },
});

/** What differs so far. */
async function compare(run: Run, role: Role, checksum: boolean): Promise<string[]> {
  const kernel = (await run.party[role].view()) as KernelView;
  const plait = (await run.party[other(role)].view()) as ConnectionInfo;
  const live = plait.subflows.filter(({ state }) => state === 'ESTABLISHED');
  const ends = live.map(({ local, remote }) =>
    [remote.address, remote.port, local.address, local.port].join(' '),
  );
  const ss = await run.place[role].run('ss', '-Mni');
  const subflows = await run.place[role].run('ss', '-tniH', 'state', 'established');
  const ids = live.map(({ localId, remoteId }) => `${String(localId)}/${String(remoteId)}`).sort();
  const theirIds = [...subflows.matchAll(ID_PAIR)].map(
    ([, remote, local]) => `${remote ?? ''}/${local ?? ''}`,
  );
  const pairs: readonly (readonly [name: string, kernel: unknown, plait: unknown])[] = [
    ['subflows', kernel.subflows, live.length],
    ['checksums', kernel.checksum, checksum],
    ['fallback', kernel.fallback, !plait.mptcp],
    ['remote key', kernel.remoteKey, plait.fullyEstablished],
    ['token', kernel.token, plait.remoteToken],
    ['octets sent', kernel.sent, plait.bytesRead],
    ['octets acknowledged', kernel.acked, kernel.sent],
    ['octets received', kernel.received, plait.bytesWritten],
    [
      'ends',
      kernel.ends
        .map((end) => end.flat().join(' '))
        .sort()
        .join(),
      ends.sort().join(),
    ],
    ['TCP states', kernel.states.join(), live.map(() => 1).join()],
    ['token in ss', /token:([0-9a-f]+)/.exec(ss)?.[1]?.padStart(8, '0'), plait.remoteToken],
    ['address IDs in ss', theirIds.sort().join(), ids.join()],
    ['established connections', (await run.party[role].counters())['MPCurrEstab'], 1],
  ];
  return pairs.flatMap(([name, theirs, ours]) =>
    theirs === ours ? [] : [`${name}: "${String(theirs)}", but "${String(ours)}" at Plait`],
  );
}

/** "token:REMOTE(id:1)/LOCAL(id:2)" of a subflow. */
const ID_PAIR = /token:[0-9a-f]+\(id:(\d+)\)\/[0-9a-f]+\(id:(\d+)\)/g;
