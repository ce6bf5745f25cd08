/** Captures of tcpdump that are complete. */
import { until } from '../support/until.js';
import type { Namespace } from './netns.js';
import type { Running } from './running.js';

/** Starts tcpdump, which writes TCP packets to a file. Resolves to what ends it when it has written all of them. */
export async function capture(
  where: Namespace,
  file: string,
  ...options: string[]
): Promise<() => Promise<void>> {
  const writing = ['-n', '-U', '--immediate-mode', '-B', '32768', '-w', file];
  const dump = where.spawn('tcpdump', [...writing, ...options, 'tcp']);
  await dump.says('listening on');
  // What comes before the filter is in place is counted, and thrown away.
  const before = await waiting(dump, () => true);
  return async () => {
    // A loopback interface shows each packet twice, of which tcpdump takes one.
    await waiting(dump, (packets, captured) => packets === before || packets - before === captured);
    await dump.kill('SIGINT');
  };
}

/** Asks until it likes how many packets the kernel keeps for a tcpdump, or that has ended; returns them. */
async function waiting(
  dump: Running,
  likes: (packets: number, captured: number) => boolean,
): Promise<number> {
  const asked = dump.errorText.length;
  let packets = 0;
  await until(
    () => {
      if (dump.ended) return true;
      dump.signal('SIGUSR1');
      const [, captured, received] = [...dump.errorText.slice(asked).matchAll(COUNTS)].at(-1) ?? [];
      packets = Number(received) - Number(captured);
      return likes(packets, Number(captured)) && received !== undefined;
    },
    () => dump.errorText,
  );
  return packets;
}

/** What tcpdump answers to SIGUSR1. */
const COUNTS = /(\d+) packets? captured, (\d+) packets? received by filter/g;
