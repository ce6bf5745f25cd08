/** What our dissector and tshark say of a case's captures. */
import { loadDissector } from '../../../src/inspect/dissector.js';
import { compareWithTshark } from '../../inspect/tshark.js';

const dissector = loadDissector();
/** Of one file; the first ones tell most. */
const MOST = 5;

/** Where the two differ, in words. */
export async function judgeCaptures(files: readonly string[]): Promise<string[]> {
  const differs: string[] = [];
  for (const file of files) {
    const { packets, differences } = await compareWithTshark(await dissector, file);
    if (packets === 0) differs.push(`${file}: no packets`);
    for (const { packet, field, ours, theirs } of differences.slice(0, MOST))
      differs.push(`${file}: packet ${String(packet)}, ${field}: "${ours}", but "${theirs}" in tshark`);
  }
  return differs;
}
