/**
 * A program that talks Multipath TCP through Plait: the counterpart of kernel_peer.py, with the same pattern and the
 * same report. Options are those of kernel_peer.py, and `--device`, `--path`, `--pcap`, `--manager`, `--checksum`.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createHost } from '../../src/net/host.js';
import type { DeviceName, HostOptions, PathManagerName, Socket } from '../../src/net/types.js';
import type { AgentReport } from './plait-peer.js';
import { pattern } from './netns.js';

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
    tell: { type: 'boolean', default: false },
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
  ...(values.path === undefined ? {} : { paths: values.path }),
  ...(values.pcap === undefined ? {} : { pcap: values.pcap }),
};

const print = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`);
};

const host = await createHost(options);
let failed: boolean;
if (mode === 'client') {
  const local = values.bind === undefined ? {} : { localAddress: values.bind };
  failed = await serve(host.connect({ host: address, port: Number(port), ...local }));
} else {
  const server = host.createServer();
  const taken = once(server, 'connection');
  server.listen(
    Number(port),
    ...(address === '' || address === '0.0.0.0' || address === '::' ? [] : [address]),
  );
  await once(server, 'listening');
  print({ listening: server.port });
  const [socket] = (await taken) as [Socket];
  failed = await serve(socket);
  await server.close();
}
await host.close();
process.exitCode = failed ? 1 : 0;

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
  const look = (): void => {
    const live = socket.info().subflows.filter(({ state }) => state === 'ESTABLISHED').length;
    subflows = Math.max(subflows, live);
  };
  socket.on('data', (data: Buffer) => {
    octets += data.length;
    received.update(data);
  });
  const watch = setInterval(look, 50);
  const sending = (async (): Promise<void> => {
    for (const block of pattern(values.seed, Number(values.send))) {
      if (socket.destroyed) return;
      sent.update(block);
      written += block.length;
      if (!socket.write(block)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
      if (Number(values.pace) > 0) await sleep(Number(values.pace) * 1000);
    }
    socket.end();
  })();
  await Promise.race([Promise.all([sending, once(socket, 'end').catch(() => undefined)]), closed]);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  clearInterval(watch);
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
