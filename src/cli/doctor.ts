import type { Command } from './command.js';
export const doctor: Command = {
  name: 'doctor',
  summary: 'x',
  usage: ['doctor'],
  description: [],
  options: [],
  examples: [],
  run: () => Promise.resolve(0),
};
