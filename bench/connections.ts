/** Many connections: how fast they come, what they cost at rest, and what they leave to others. */
import { arrivals } from './arrivals.js';
import { crowd } from './crowd.js';
import type { Report } from './report.js';
import { visits } from './visits.js';

export async function connections(report: Report): Promise<void> {
  if (report.wants('in memory')) await visits(report);
  if (report.wants('10,000')) await crowd(report);
  if (report.wants('packet')) await arrivals(report);
}
