/** From the text of a script to its events. */
import { scriptOptions } from './config.js';
import { Lexer, type Defines } from './lexer.js';
import { parseCall } from './parse-call.js';
import { parsePacket } from './parse-packet.js';
import type { Action, Command, EventTime, Script, ScriptEvent } from './script.js';
import { ScriptError } from './socket-layer.js';

/** Throws a `ScriptError` with the line. Options in the first lines are for config.ts. */
export function parseScript(path: string, text: string, defines: Defines): Script {
  const { offset, line } = scriptOptions(text);
  const lexer = new Lexer(text, defines, offset, line);
  const init = parseCommand(lexer);
  const events: ScriptEvent[] = [];
  let cleanup: Command | null = null;
  while (lexer.peek().kind !== 'end') {
    const command = parseCommand(lexer);
    if (command !== null && lexer.peek().kind === 'end') cleanup = command;
    else if (command !== null) {
      events.push({ line: command.line, time: NOW, action: { kind: 'command', text: command.text } });
    } else events.push(parseEvent(lexer));
  }
  if (events.length === 0) throw new ScriptError('no event', line);
  return { path, init, cleanup, events };
}

function parseCommand(lexer: Lexer): Command | null {
  const { kind, text, line } = lexer.peek();
  if (kind !== 'command') return null;
  lexer.next();
  return { line, text };
}

function parseEvent(lexer: Lexer): ScriptEvent {
  const { line } = lexer.peek();
  const time = parseTime(lexer);
  const action = parseAction(lexer, time);
  const outbound = action.kind === 'packet' && action.packet.direction === 'out';
  if (!outbound && time.kind === 'any') throw new ScriptError('* is for outbound packets', line);
  if (!outbound && time.kind.endsWith('range')) {
    throw new ScriptError('a range of time is for outbound packets', line);
  }
  return { line, time, action };
}

/** `+0.1`, `0.1`, `*`, `0.1~0.2`, `+0.1~+0.2`; nothing: at once. */
function parseTime(lexer: Lexer): EventTime {
  if (lexer.accept('*')) return { kind: 'any' };
  const relative = lexer.accept('+');
  const { kind } = lexer.peek();
  if (!relative && kind !== 'float' && kind !== 'integer') return NOW;
  const at = parseSeconds(lexer);
  if (!lexer.accept('~')) return { kind: relative ? 'relative' : 'absolute', at };
  if (relative) lexer.accept('+');
  const end = parseSeconds(lexer);
  if (end < at) throw lexer.error('the range of time runs backwards');
  return { kind: relative ? 'relative-range' : 'absolute-range', at, end };
}

function parseSeconds(lexer: Lexer): number {
  const token = lexer.next();
  if (token.kind !== 'float' && token.kind !== 'integer') throw lexer.error('a time expected', token);
  const seconds = Number(token.text);
  if (seconds < 0) throw lexer.error('a time is not negative', token);
  return Math.round(seconds * 1e6);
}

function parseAction(lexer: Lexer, time: EventTime): Action {
  const token = lexer.peek();
  const { kind, text, line } = token;
  if (kind === 'char' && (text === '<' || text === '>')) {
    return { kind: 'packet', packet: parsePacket(lexer, null) };
  }
  lexer.next();
  switch (kind) {
    case 'command':
      return { kind: 'command', text };
    case 'code':
      return { kind: 'code', text: text.replace(/^[ \t]+|[ \t]+$/g, '') };
    case 'ellipsis': {
      const end = parseSeconds(lexer);
      if ('at' in time && end < time.at) throw new ScriptError('the call ends before it begins', line);
      return { kind: 'call', call: parseCall(lexer, lexer.word('a call'), line), end };
    }
    case 'word':
      if (text === 'sock') {
        lexer.expect('(');
        const socket = lexer.number('socket', 0, 0x7fffffff);
        lexer.expect(')');
        return { kind: 'packet', packet: parsePacket(lexer, socket) };
      }
      return { kind: 'call', call: parseCall(lexer, text, line), end: null };
  }
  throw lexer.error('a packet, a call, a command or code expected', token);
}

const NOW: EventTime = { kind: 'relative', at: 0 };
