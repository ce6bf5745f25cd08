/** Any octets through everything that looks at packets: for fuzzing. Throws only for a mistake of ours. */
import { loadDissector } from '../../../src/inspect/dissector.js';
import { packetJson } from '../../../src/inspect/json.js';
import { formatLine } from '../../../src/inspect/line.js';
import { LinkType, ipOfFrame } from '../../../src/inspect/link.js';
import { formatPacketdrill } from '../../../src/inspect/packetdrill.js';
import { formatSummary } from '../../../src/inspect/summary-text.js';
import { summarize } from '../../../src/inspect/summary.js';
import { Tracker } from '../../../src/inspect/tracker.js';
import { CaptureReader } from '../../../src/io/capture-reader.js';
import { PlaitError } from '../../../src/errors.js';

/** What takes frames one after another, as of one capture, and at the end the summaries. */
export interface InspectTarget {
  frame(octets: Uint8Array, linkType?: number): void;
  end(): void;
}

export async function inspectTarget(): Promise<InspectTarget> {
  const dissector = await loadDissector();
  const tracker = new Tracker(dissector);
  let time = 0;
  return {
    frame(octets, linkType = LinkType.Raw) {
      const packet = ipOfFrame(linkType, octets)?.packet ?? new Uint8Array();
      const tracked = tracker.add((time += 1000), dissector.dissect(packet));
      formatLine(tracked, 0);
      formatPacketdrill(tracked.dissection);
      JSON.stringify(packetJson(tracked));
    },
    end() {
      for (const connection of tracker.connections) formatSummary(summarize(connection), 0);
    },
  };
}

/** A capture file from anywhere. */
export async function inspectCapture(octets: Uint8Array): Promise<void> {
  const target = await inspectTarget();
  const reader = new CaptureReader();
  reader.push(octets);
  try {
    for (let frame = reader.next(); frame !== null; frame = reader.next()) {
      target.frame(frame.octets, frame.linkType);
    }
    reader.end();
  } catch (error) {
    // The file says nothing sensible: that is the reader's to say.
    if (!(error instanceof PlaitError)) throw error;
  }
  target.end();
}
