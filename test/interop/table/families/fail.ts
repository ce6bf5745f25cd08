/** Payload is changed on its way, and the DSS checksum finds it out (RFC 8684 section 3.7). */
import type { Case } from '../case.js';
import { until } from '../steps.js';

export const fail: readonly Case[] = [];
void until;
