/** The table of commands. Each is loaded when it is asked for: loading is most of what a start takes. */
import type { Command } from './command.js';

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  cat: async () => (await import('./cat.js')).cat,
  send: async () => (await import('./send.js')).send,
  recv: async () => (await import('./recv.js')).recv,
  demo: async () => (await import('./demo.js')).demo,
  dump: async () => (await import('./dump.js')).dump,
  doctor: async () => (await import('./doctor.js')).doctor,
  'demo-receiver': async () => (await import('./demo-receiver.js')).demoReceiver,
};

/** Every command, in the order of the list that help shows. */
export function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(COMMANDS).map((load) => load()));
}

/** Resolves with undefined where there is no such command. */
export async function commandNamed(name: string): Promise<Command | undefined> {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name]?.() : undefined;
}
