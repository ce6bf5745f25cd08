/**
 * How the speed between two namespaces depends on how much the applications write and read at once: a stream of Node copies
 * 64 KiB at a time, many programs less. Each size against what the kernel does with itself with the same one. Rounds
 * alternate between all cases; figures are medians.
 */
import type { Report } from './report.js';
import { alternate, details, rateOf } from './transfer.js';

const ROUNDS = 5;
const SECONDS = 1.5;
/** KiB. That of `wire` is 1,024. */
const SIZES = [16, 64, 256, 4096];
const KERNEL = 'kernel to kernel';
const PAIRS = [
  KERNEL,
  'packet to kernel',
  'kernel to packet',
  'kernel to packet, events',
  'packet to packet',
];

export async function pieces(report: Report): Promise<void> {
  const cases = SIZES.flatMap((size) =>
    PAIRS.map((pair) => ({ size, pair, title: `${String(size)} KiB, ${pair}` })),
  );
  const wanted = cases.filter(({ title }) => report.wants(title));
  const needed = cases.filter(({ size, pair, title }) =>
    wanted.some((one) => one.title === title || (one.size === size && pair === KERNEL)),
  );
  const wishes = new Map(
    needed.map(({ size, pair, title }) => [title, { name: pair, seconds: SECONDS, piece: size * 1024 }]),
  );
  const runs = await alternate(wishes, ROUNDS);
  const rate = (title: string): number => rateOf(runs.get(title));
  for (const { size, pair, title } of wanted) {
    const peer = `${String(size)} KiB, ${KERNEL}`;
    report.add({
      case: title,
      value: rate(title),
      unit: 'Gbit/s',
      ...(pair === KERNEL ? {} : { peer: KERNEL, peerValue: rate(peer) }),
      detail: details(runs.get(title) ?? []),
    });
  }
}
