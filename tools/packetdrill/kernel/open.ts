/** Scripts on the kernel of this machine, in real time. */
import { existsSync, readFileSync } from 'node:fs';
import type { OpenMachine } from '../machine.js';
import { Caller } from './caller.js';
import { KernelHost } from './host.js';
import { KernelLayer } from './layer.js';
import { loadLibc } from './libc.js';
import { KernelShell } from './shell.js';

export interface Kernel {
  readonly open: OpenMachine;
  /** Ends the thread that makes the calls. */
  close(): void;
}

/** Why this process cannot do it; null: it can. */
export function whyNoKernel(): string | null {
  if (process.platform !== 'linux') return 'the kernel here is not Linux';
  if (process.getuid?.() !== 0) return 'a network namespace with a TUN device needs root';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  const capabilities = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  const held = BigInt(`0x${capabilities}`);
  if ((held & NEEDED) !== NEEDED) return 'CAP_NET_ADMIN and CAP_SYS_ADMIN are needed';
  if (!existsSync('/proc/sys/net/mptcp/enabled')) return 'the kernel has no Multipath TCP';
  return null;
}

/** CAP_NET_ADMIN and CAP_SYS_ADMIN (linux/capability.h). */
const NEEDED = (1n << 12n) | (1n << 21n);

/** Throws where the machine does not allow it. */
export function openKernel(): Kernel {
  const reason = whyNoKernel();
  if (reason !== null) throw new Error(reason);
  const libc = loadLibc();
  const caller = Caller.open(libc);
  return {
    open({ mode, config, path }) {
      const host = new KernelHost(libc, caller, mode, config);
      const layer = new KernelLayer(host, config);
      const shell = new KernelShell(path, () => host.settle());
      return {
        machine: host,
        layer,
        shell,
        close() {
          layer.close();
          shell.close();
          host.close();
        },
      };
    },
    close: () => caller.close(),
  };
}
