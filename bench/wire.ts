/**
 * One connection between two network namespaces over two veth paths, from application to application: Plait over each
 * of its devices and the kernel's MPTCP, in every pairing, against what the kernel does with itself in the same run, and
 * against what a program without a stack reaches through packet sockets. Sender and receiver are processes of their own.
 * Rounds alternate between all cases; figures are medians.
 */
import type { Report } from './report.js';
import { alternate, BARE, BARE_PAIR, details, NODE, rateOf } from './transfer.js';

const ROUNDS = 5;
/** Code is compiled in the first 0.2 of them. */
const SECONDS = 3;
/** Of rows that are slow whatever has been compiled. */
const SHORT = 1;

interface Case {
  readonly name: string;
  /** Default SECONDS. */
  readonly seconds?: number;
  readonly peer?: string;
  /** What any program can reach this way. */
  readonly bound?: string;
  /** Of the ratio to the peer. */
  readonly least?: number;
}

const KERNEL = 'kernel to kernel';
const BLAST = 'datagrams to datagrams';
const BARE_TO_KERNEL = `${BARE} to kernel`;
const KERNEL_TO_BARE = `kernel to ${BARE}`;
const KERNEL_TO_BARE_LENT = `${KERNEL_TO_BARE}, lent`;
const CASES: readonly Case[] = [
  { name: KERNEL },
  // What a program for Node can get from the kernel.
  { name: `${NODE} to kernel`, peer: KERNEL },
  { name: `kernel to ${NODE}`, peer: KERNEL },
  { name: `${NODE} to ${NODE}`, peer: KERNEL },
  { name: BARE_TO_KERNEL, peer: KERNEL },
  { name: KERNEL_TO_BARE, peer: KERNEL },
  { name: KERNEL_TO_BARE_LENT, peer: KERNEL },
  { name: BARE_PAIR, peer: KERNEL },
  { name: 'packet to kernel', peer: KERNEL, least: 1, bound: BARE_TO_KERNEL },
  { name: 'kernel to packet', peer: KERNEL, least: 1, bound: KERNEL_TO_BARE },
  { name: 'packet to packet', peer: KERNEL, least: 1, bound: BARE_PAIR },
  // The application looks at the octets where they were received, and has no copy of its own.
  { name: 'kernel to packet, lent', peer: KERNEL, bound: KERNEL_TO_BARE_LENT },
  // It gets `data` events, each with a buffer of its own.
  { name: 'kernel to packet, events', peer: KERNEL, bound: KERNEL_TO_BARE },
  { name: 'raw to kernel', peer: KERNEL, seconds: SHORT },
  { name: 'kernel to raw', peer: KERNEL, seconds: SHORT },
  { name: 'raw to raw', peer: KERNEL, seconds: SHORT },
  { name: BLAST, seconds: SHORT },
  { name: 'udp to udp', peer: BLAST, seconds: SHORT },
];

export async function wire(report: Report): Promise<void> {
  const wanted = CASES.filter(({ name }) => report.wants(name));
  const cases = CASES.filter((one) =>
    wanted.some(({ name, peer, bound }) => [name, peer, bound].includes(one.name)),
  );
  const wishes = new Map(cases.map(({ name, seconds = SECONDS }) => [name, { name, seconds }]));
  const runs = await alternate(wishes, ROUNDS);
  const rate = (name: string): number => rateOf(runs.get(name));
  for (const { name, peer, bound, least } of wanted) {
    const all = runs.get(name) ?? [];
    report.add({
      case: name,
      value: rate(name),
      unit: 'Gbit/s',
      ...(peer === undefined ? {} : { peer, peerValue: rate(peer) }),
      ...(bound === undefined ? {} : { bound, boundValue: rate(bound) }),
      ...(least === undefined ? {} : { limit: { leastRatio: least } }),
      detail: {
        ...details(all),
        ...(name === BARE_TO_KERNEL
          ? { repeated: all.reduce((sum, { repeated }) => sum + repeated, 0) }
          : {}),
      },
    });
  }
}
