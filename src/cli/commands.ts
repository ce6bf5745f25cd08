/** The table of commands. */
import { cat } from './cat.js';
import type { Command } from './command.js';
import { demo } from './demo.js';
import { demoReceiver } from './demo-receiver.js';
import { doctor } from './doctor.js';
import { dump } from './dump.js';
import { recv } from './recv.js';
import { send } from './send.js';

export const COMMANDS: readonly Command[] = [cat, send, recv, demo, dump, doctor, demoReceiver];
