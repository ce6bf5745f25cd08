/**
 * A program that talks Multipath TCP through Plait: the counterpart of kernel_peer.py, with the same pattern, the same
 * report and the same commands on stdin. Options are those of kernel_peer.py, and those that only Plait has.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createHost } from '../../src/net/host.js';
import type { DeviceName, HostOptions, PathManagerName, Socket } from '../../src/net/types.js';
import type { AgentReport } from './plait-peer.js';
import { addressBytes, addressText } from '../../src/core/address.js';
import { applyIpMptcp, parseEndpoint, parseLimits } from '../../src/path/ip-mptcp.js';
import { pattern } from './pattern.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'packet' },
    path: { type: 'string', multiple: true },
    pcap: { type: 'string' },
    manager: { type: 'string', default: 'laminar' },
    checksum: { type: 'boolean', default: false },
    bind: { type: 'string' },
    send: { type: 'string', default: '0' },
    seed: { type: 'string', default: 'plait' },
    pace: { type: 'string', default: '0' },
    hold: { type: 'string', default: '0' },
    piece: { type: 'string' },
    endpoint: { type: 'string', multiple: true },
    limits: { type: 'string' },
    'add-addr-timeout': { type: 'string' },
    cookies: { type: 'boolean', default: false },
    'deny-joins': { type: 'boolean', default: false },
    gate: { type: 'string' },
    'gate-received': { type: 'string', default: '0' },
    connections: { type: 'string', default: '1' },
    tcp: { type: 'boolean', default: false },
    tell: { type: 'boolean', default: false },
    'fast-open': { type: 'boolean', default: false },
    ecn: { type: 'boolean', default: false },
  },
});
const [mode, address = '', port = '0'] = positionals;

let stats: Readonly<Record<string, number>> = {};
const options: HostOptions = {
  wrapDevice: (device) => {
    stats = (device as unknown as { stats: Record<string, number> }).stats;
    return device;
  },
  device: values.device as DeviceName,
  pathManager: values.manager as PathManagerName,
  checksum: values.checksum,
  multipath: !values.tcp,
  synCookies: values.cookies ? 'always' : 'flooded',
  denyJoins: values['deny-joins'],
  ecn: values.ecn,
  endpoints: (values.endpoint ?? []).map((text) => parseEndpoint(text)),
  limits: parseLimits(values.limits ?? ''),
  ...(values['add-addr-timeout'] === undefined
    ? {}
    : { addAddrTimeout: Number(values['add-addr-timeout']) * 1000 }),
  ...(values.path === undefined ? {} : { paths: values.path }),
  ...(values.pcap === undefined ? {} : { pcap: values.pcap }),
};

const print = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`);
};

const host = await createHost(options);
/** What a connection at its gate waits for. */
let onCommand: ((word: string) => void) | null = null;
if (values.gate !== undefined) {
  createInterface({ input: process.stdin }).on('line', (line) => onCommand?.(line.trim()));
}
let failed = false;
if (mode === 'client') {
  const local = {
    fastOpen: values['fast-open'],
    ...(values.bind === undefined ? {} : { localAddress: values.bind }),
  };
  for (let turn = 0; turn < Number(values.connections); turn++) {
    if (await serve(host.connect({ host: address, port: Number(port), ...local }))) failed = true;
  }
} else {
  const waiting: Socket[] = [];
  const server = host.createServer((socket) => waiting.push(socket));
  server.listen(
    Number(port),
    address === '' ? undefined : address,
    values['fast-open'] ? { fastOpen: 16 } : {},
  );
  await once(server, 'listening');
  print({ listening: server.port });
  for (let turn = 0; turn < Number(values.connections); turn++) {
    if (waiting.length === 0) await once(server, 'connection');
    if (await serve(waiting.shift() as Socket)) failed = true;
  }
  await server.close();
}
await host.close();
process.stdin.destroy();
process.exitCode = failed ? 1 : 0;

/** Carries out what follows `ip mptcp`. */
function mptcp(args: string): void {
  let error: string | null = null;
  try {
    applyIpMptcp(host.pathManager, args);
  } catch (thrown) {
    error = (thrown as Error).message;
  }
  print({ event: 'mptcp', error });
}

/** Carries out a line for a path manager by hand, as `kernel_pm.py` has them. */
async function byHand(socket: Socket, line: string): Promise<void> {
  const [verb, ...words] = line.split(' ');
  const after = (word: string): string => words[words.indexOf(word) + 1] ?? '';
  const number = (word: string): Record<string, number> =>
    words.includes(word) ? { [word]: Number(after(word)) } : {};
  const local = words[0] ?? '';
  const backup = words.includes('backup');
  const subflow = (): number => {
    const ends = [local, after('to')].map((text) => addressText(addressBytes(text)));
    const found = socket.mptcp
      .subflows()
      .find((one) => one.local.address === ends[0] && one.remote.address === ends[1]);
    if (found === undefined) throw new Error('no such subflow');
    return found.id;
  };
  let error: string | null = null;
  try {
    if (verb === 'announce') socket.mptcp.announce(local, { ...number('id'), ...number('port') });
    else if (verb === 'remove') socket.mptcp.remove(Number(after('id')));
    else if (verb === 'destroy') socket.mptcp.closeSubflow(subflow());
    else if (verb === 'prio') socket.mptcp.setBackup(subflow(), backup);
    else {
      const remote = { remote: after('to'), remotePort: Number(after('port')) };
      await socket.mptcp.openSubflow({ local, localId: Number(after('id')), ...remote, backup });
    }
  } catch (thrown) {
    error = (thrown as Error).message;
  }
  print({ event: 'pm', error });
}

/** Sends and receives; resolves to whether it failed. */
async function serve(socket: Socket): Promise<boolean> {
  let error: string | null = null;
  socket.on('error', (reason: NodeJS.ErrnoException) => {
    error ??= reason.code ?? reason.message;
  });
  if (values.tell) {
    socket.on('mptcp', (event: object) => process.stderr.write(`${JSON.stringify(event)}\n`));
  }
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const start = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  const received = createHash('sha256');
  const sent = createHash('sha256');
  let octets = 0;
  let written = 0;
  let subflows = 0;
  const look = (): number => {
    const live = socket.info().subflows.filter(({ state }) => state === 'ESTABLISHED').length;
    subflows = Math.max(subflows, live);
    return live;
  };
  socket.on('data', (data: Buffer) => {
    octets += data.length;
    received.update(data);
  });
  const watch = setInterval(look, 50);

  const sendSome = async (data: Buffer): Promise<void> => {
    if (socket.destroyed || data.length === 0) return;
    sent.update(data);
    written += data.length;
    if (!socket.write(data)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
  };
  /** Writes out of one buffer, which is overwritten as soon as a piece of it is written. */
  const sendPieces = async (size: number): Promise<void> => {
    const piece = Buffer.alloc(size);
    let filled = 0;
    for (const block of pattern(values.seed, Number(values.send))) {
      filled += block.copy(piece, filled);
      written += block.length;
      sent.update(block);
      if (filled < size && written < Number(values.send)) continue;
      if (socket.destroyed) return;
      await new Promise((resolve) => socket.write(piece.subarray(0, filled), resolve));
      piece.fill(0);
      filled = 0;
    }
  };
  /** Resolves to whether to go on. */
  const waitAtGate = async (): Promise<boolean> => {
    while (octets < Number(values['gate-received']) && !socket.destroyed) await sleep(5);
    if (socket.destroyed) return false;
    return new Promise((resolve) => {
      onCommand = (word): void => {
        if (word === 'look') print({ event: 'look', subflows: look(), mptcp: socket.info().mptcp });
        else if (word === 'view') print({ event: 'view', view: socket.info() });
        else if (word === 'counters') print({ event: 'counters', counters: host.counters() });
        else if (word.startsWith('mptcp ')) mptcp(word.slice(6));
        else if (word.startsWith('pm ')) void byHand(socket, word.slice(3));
        else if (word === 'go') {
          look();
          resolve(true);
        } else if (word === 'reset') {
          socket.resetAndDestroy();
          resolve(false);
        }
      };
      print({ event: 'gate' });
    });
  };
  const sending = (async (): Promise<void> => {
    let gate = values.gate === undefined ? null : Number(values.gate);
    if (values.piece !== undefined) {
      await sendPieces(Number(values.piece));
      socket.end();
      return;
    }
    for (let block of pattern(values.seed, Number(values.send))) {
      if (gate !== null && written + block.length >= gate) {
        const rest = gate - written;
        gate = null;
        await sendSome(block.subarray(0, rest));
        block = block.subarray(rest);
        if (!(await waitAtGate())) return;
      }
      await sendSome(block);
      if (Number(values.pace) > 0) await sleep(Number(values.pace) * 1000);
    }
    if (gate !== null && !(await waitAtGate())) return;
    socket.end();
  })();
  await Promise.race([Promise.all([sending, once(socket, 'end').catch(() => undefined)]), closed]);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  clearInterval(watch);
  onCommand = null;
  look();
  if (Number(values.hold) > 0) await sleep(Number(values.hold) * 1000);
  const info = socket.info();
  await closed;
  const report: AgentReport = {
    sent: written,
    received: octets,
    sentSha256: sent.digest('hex'),
    receivedSha256: received.digest('hex'),
    seconds,
    mptcp: info.mptcp,
    subflows,
    local: [socket.localAddress, socket.localPort],
    remote: [socket.remoteAddress, socket.remotePort],
    error,
    cpu: (user + system) / 1e6,
    fallback: info.fallback,
    info: socket.info(),
    counters: host.counters(),
    device: stats,
  };
  print(report);
  return error !== null;
}
