/** The table. */
import type { Case } from '../case.js';
import { checksum } from './checksum.js';
import { connect } from './connect.js';
import { fastclose } from './fastclose.js';

export const CASES: readonly Case[] = [...connect, ...checksum, ...fastclose];
