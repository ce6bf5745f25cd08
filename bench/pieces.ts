/**
 * How the speed between two namespaces depends on how much the applications write and read at once: a stream of Node copies
 * 64 KiB at a time, many programs less. Each size against what the kernel does with itself with the same one. Rounds
 * alternate between all cases; figures are medians.
 */
import { median, type Report } from './report.js';
import { details, gigabits, measure, type Run } from './transfer.js';
import { openNamespaces } from './two-namespaces.js';

const ROUNDS = 5;
const SECONDS = 1.5;
/** KiB. That of `wire` is 1,024. */
const SIZES = [16, 64, 256, 4096];
const KERNEL = 'kernel to kernel';
const PAIRS = [KERNEL, 'packet to kernel', 'kernel to packet', 'packet to packet'];

export async function pieces(report: Report): Promise<void> {
  const cases = SIZES.flatMap((size) =>
    PAIRS.map((pair) => ({ size, pair, title: `${String(size)} KiB, ${pair}` })),
  );
  const wanted = cases.filter(({ title }) => report.wants(title));
  const needed = cases.filter(({ size, pair, title }) =>
    wanted.some((one) => one.title === title || (one.size === size && pair === KERNEL)),
  );
  const runs = new Map<string, Run[]>(needed.map(({ title }) => [title, []]));
  const bench = await openNamespaces();
  try {
    const ports = { next: 5000 };
    for (let round = 0; round < ROUNDS; round++) {
      for (const { size, pair, title } of needed) {
        const wish = { name: pair, seconds: SECONDS, piece: size * 1024 };
        runs.get(title)?.push(await measure(bench, wish, ports));
      }
    }
  } finally {
    await bench.close();
  }
  const rates = (title: string): number => median((runs.get(title) ?? []).map(gigabits));
  for (const { size, pair, title } of wanted) {
    const peer = `${String(size)} KiB, ${KERNEL}`;
    report.add({
      case: title,
      value: rates(title),
      unit: 'Gbit/s',
      ...(pair === KERNEL ? {} : { peer: KERNEL, peerValue: rates(peer) }),
      detail: details(runs.get(title) ?? []),
    });
  }
}
