/** What `plait send` and `plait recv` have in common: progress while it runs, and the summary. */
import type { Socket } from '../net/types.js';
import type { Progress, Report } from '../transfer/report.js';
import { say } from './context.js';
import { Exit, exitCode, problemLine } from './exit.js';
import { pathBytes, shares, type Direction } from './paths.js';
import { ProgressView } from './progress.js';
import type { Session } from './session.js';
import { formatBytes, formatTime, formatRate, mbps, plural } from './units.js';

export const DEFAULT_PORT = 5740;

/** Shows progress until `running` is settled, then reports. Resolves with the exit code. */
export async function follow(
  session: Session,
  socket: Socket,
  direction: Direction,
  progress: Progress,
  running: Promise<Report>,
): Promise<number> {
  const view = session.options.quiet
    ? null
    : new ProgressView(session.context, () => {
        const info = socket.info();
        // What the sender has handed over but the peer has not acknowledged has not arrived.
        const arrived = direction === 'sent' ? Math.min(info.bytesAcked, progress.moved) : progress.moved;
        return { paths: pathBytes(info, direction), moved: arrived, total: progress.total };
      });
  try {
    const report = await running;
    session.stopWatch();
    session.bytes = report.octets;
    view?.stop();
    return summarize(session, socket, direction, report);
  } catch (error) {
    session.stopWatch();
    session.bytes = progress.moved;
    throw error;
  } finally {
    view?.stop();
  }
}

function summarize(session: Session, socket: Socket, direction: Direction, report: Report): number {
  const { context } = session;
  for (const { code, name, message } of report.failures) {
    say(context, problemLine(code, `${name}: ${message}`));
  }
  if (!session.options.quiet && report.inPlace > 0) {
    const time = session.elapsed;
    const rate = formatRate(mbps(report.octets, time));
    const speed = `${formatBytes(report.octets)} in ${formatTime(time)} (${rate}), verified with SHA-256`;
    say(context, `${direction} ${plural(report.inPlace, 'entry', 'entries')}, ${speed}`);
    say(context, `paths: ${shares(pathBytes(socket.info(), direction))}`);
  }
  return transferExit(report);
}

/** Damage weighs most; else some in place and some not is a state of its own. */
export function transferExit({ inPlace, failures }: Report): number {
  const [first] = failures;
  if (first === undefined) return Exit.Ok;
  if (failures.some(({ code }) => code === 'ERR_PLAIT_INTEGRITY')) return Exit.Integrity;
  return inPlace > 0 ? Exit.Partial : exitCode(first.code);
}
