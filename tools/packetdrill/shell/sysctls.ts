/**
 * The kernel's settings that scripts touch, and what each does in this stack. Values are kept as text, so that what was
 * written can be read; those of `SETTINGS` also configure the stack.
 */
import * as abi from '../../../assembly/abi.js';
import * as cc from '../../../assembly/cc/ids.js';
import { setFastOpenKeys } from '../../../src/stack/fast-open.js';
import type { Host } from '../host.js';
import { FASTOPEN_KEY, fastOpenKey } from '../modes.js';

interface Setting {
  /** What Linux has after boot. */
  readonly initial: string;
  /** Configures the stack. Throws for a value that it cannot have. */
  readonly apply: (host: Host, value: string, sysctls: Sysctls) => void;
}

const number = (value: string): number => {
  const parsed = Number(value);
  if (!Number.isFinite(parsed)) throw new Error(`${value} is no number`);
  return parsed;
};

/** A CFG_* that is the number itself, times `scale`. */
const configures = (initial: string, key: number, scale = 1): Setting => ({
  initial,
  apply: (host, value) => host.configure(key, number(value) * scale),
});

const SECONDS = 1e6;

const SETTINGS: Readonly<Record<string, Setting>> = {
  'net.mptcp.enabled': configures('1', abi.CFG_MPTCP),
  'net.mptcp.checksum_enabled': configures('0', abi.CFG_CHECKSUM),
  'net.mptcp.close_timeout': configures('60', abi.CFG_CLOSE_TIMEOUT, SECONDS),
  'net.mptcp.syn_retrans_before_tcp_fallback': configures('2', abi.CFG_SYN_RETRANS_FALLBACK),
  'net.mptcp.blackhole_timeout': configures('3600', abi.CFG_BLACKHOLE_TIMEOUT, SECONDS),
  'net.mptcp.allow_join_initial_addr_port': {
    initial: '1',
    apply: (host, value) => host.configure(abi.CFG_DENY_JOIN, number(value) === 0 ? 1 : 0),
  },
  'net.ipv4.tcp_ecn': configures('2', abi.CFG_ECN),
  'net.ipv4.tcp_timestamps': configures('1', abi.CFG_TIMESTAMPS),
  'net.ipv4.tcp_sack': configures('1', abi.CFG_SACK),
  'net.ipv4.tcp_window_scaling': configures('1', abi.CFG_WINDOW_SCALE),
  'net.ipv4.tcp_syncookies': configures('1', abi.CFG_SYN_COOKIES),
  'net.ipv4.tcp_invalid_ratelimit': configures('500', abi.CFG_CHALLENGE_INTERVAL, 1e3),
  'net.ipv4.tcp_max_syn_backlog': configures('1024', abi.CFG_TCP_MAX_SYN_BACKLOG),
  'net.ipv4.tcp_abort_on_overflow': configures('0', abi.CFG_TCP_ABORT_ON_OVERFLOW),
  'net.core.somaxconn': configures('4096', abi.CFG_CORE_SOMAXCONN),
  'net.ipv4.tcp_fastopen': configures('1', abi.CFG_FAST_OPEN),
  'net.ipv4.tcp_fastopen_blackhole_timeout_sec': configures('0', abi.CFG_FAST_OPEN_BLACKHOLE, SECONDS),
  'net.ipv4.tcp_fastopen_key': {
    initial: FASTOPEN_KEY,
    apply: (host, value) => {
      const [primary, backup] = value.split(',').map(fastOpenKey);
      setFastOpenKeys(host.stack.core, primary!, backup);
    },
  },
  'net.ipv4.tcp_min_tso_segs': configures('2', abi.CFG_TCP_MIN_TSO_SEGS),
  'net.ipv4.tcp_slow_start_after_idle': configures('1', abi.CFG_TCP_SLOW_START_AFTER_IDLE),
  'net.ipv4.tcp_syn_retries': configures('6', abi.CFG_TCP_SYN_RETRIES),
  'net.ipv4.tcp_synack_retries': configures('5', abi.CFG_TCP_SYNACK_RETRIES),
  'net.ipv4.tcp_syn_linear_timeouts': configures('4', abi.CFG_TCP_SYN_LINEAR_TIMEOUTS),
  'net.ipv4.tcp_retries2': configures('15', abi.CFG_TCP_RETRIES2),
  'net.ipv4.tcp_fin_timeout': configures('60', abi.CFG_TCP_FIN_TIMEOUT, SECONDS),
  'net.ipv4.tcp_keepalive_time': configures('7200', abi.CFG_TCP_KEEPALIVE_TIME, SECONDS),
  'net.ipv4.tcp_keepalive_intvl': configures('75', abi.CFG_TCP_KEEPALIVE_INTVL, SECONDS),
  'net.ipv4.tcp_keepalive_probes': configures('9', abi.CFG_TCP_KEEPALIVE_PROBES),
  'net.ipv4.tcp_early_retrans': configures('3', abi.CFG_TCP_EARLY_RETRANS),
  'net.ipv4.tcp_frto': configures('2', abi.CFG_TCP_FRTO),
  'net.ipv4.tcp_reordering': configures('3', abi.CFG_TCP_REORDERING),
  'net.ipv4.tcp_max_reordering': configures('300', abi.CFG_TCP_MAX_REORDERING),
  'net.ipv4.tcp_rmem': { initial: '4096 131072 15728640', apply: receiveBuffer },
  'net.ipv4.tcp_moderate_rcvbuf': configures('1', abi.CFG_TCP_MODERATE_RCVBUF),
  'net.ipv4.tcp_shrink_window': configures('0', abi.CFG_TCP_SHRINK_WINDOW),
  'net.ipv4.tcp_stdurg': configures('0', abi.CFG_TCP_STDURG),
  'net.core.rmem_max': { initial: '4194304', apply: receiveBuffer },
  'net.ipv4.tcp_wmem': {
    initial: '4096 16384 4194304',
    apply: (host, value) => host.configure(abi.CFG_SNDBUF_MAX, ringSize(number(value.split(/\s+/)[2] ?? ''))),
  },
  'net.ipv4.tcp_congestion_control': {
    initial: 'cubic',
    apply: (host, value) => {
      const id = (cc as Readonly<Record<string, number | undefined>>)[`CC_${value.toUpperCase()}`];
      if (id === undefined) throw new Error(`no congestion control ${value}`);
      host.configure(abi.CFG_CC_SINGLE, id);
    },
  },
};

/** Settings that change nothing here, and why. */
const INERT: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/^net\.mptcp\.(?:pm_type|path_manager|scheduler)$/, 'there is one, as in the kernel by default'],
  [
    /^net\.ipv4\.tcp_(?:no_metrics_save|no_ssthresh_metrics_save)$/,
    'no metrics are kept between connections',
  ],
  [/^net\.ipv4\.tcp_(?:tso_win_divisor|tso_rtt_log|limit_output_bytes)$/, 'no segmentation offload'],
  [/^net\.ipv4\.tcp_(?:pacing_\w+|autocorking)$/, 'no pacing'],
  [/^net\.(?:core\.default_qdisc|core\.netdev_\w+|unix\.\w+)$/, 'the host has one device'],
  [/^net\.ipv[46]\.(?:conf|neigh|route|icmp)\./, 'the host has one device'],
  [/^(?:kernel|vm|fs)\./, 'there is no kernel'],
];

export class Sysctls {
  readonly #host: Host;
  readonly #values = new Map<string, string>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** null: no such setting, as far as is known here. */
  read(name: string): string | null {
    return this.#values.get(name) ?? SETTINGS[name]?.initial ?? null;
  }

  /** `warn` hears of what has no effect. */
  write(name: string, value: string, warn: (message: string) => void): void {
    const text = value.trim().replace(/\s+/g, ' ');
    this.#values.set(name, text);
    const setting = SETTINGS[name];
    if (setting === undefined) {
      const inert = INERT.find(([pattern]) => pattern.test(name));
      warn(`${name} has no effect${inert === undefined ? '' : `: ${inert[1]}`}`);
      return;
    }
    try {
      setting.apply(this.#host, text, this);
    } catch (error) {
      warn(`${name}=${text} has no effect: ${(error as Error).message}`);
    }
  }
}

/** First size and limit of receive buffers, and rings that hold them; the window's scale comes from the limit. */
function receiveBuffer(host: Host, _value: string, sysctls: Sysctls): void {
  const [, first, most] = (sysctls.read('net.ipv4.tcp_rmem') ?? '').split(' ').map(Number);
  const largest = Math.max(most ?? 0, Number(sysctls.read('net.core.rmem_max') ?? 0));
  host.configure(abi.CFG_RCVBUF_MAX, 2 * ringSize(largest - 1));
  host.configure(abi.CFG_TCP_RMEM_DEFAULT, first ?? 0);
  host.configure(abi.CFG_TCP_RMEM_MAX, most ?? 0);
  host.configure(abi.CFG_CORE_RMEM_MAX, Number(sysctls.read('net.core.rmem_max') ?? 0));
}

/** The power of two that is not above. */
function ringSize(octets: number): number {
  return 2 ** Math.max(12, Math.min(28, Math.floor(Math.log2(Math.max(octets, 1)))));
}

/** /proc/sys/net/ipv4/tcp_sack is net.ipv4.tcp_sack. */
export function sysctlOfFile(file: string): string | null {
  const match = /^\/proc\/sys\/(.+)$/.exec(file);
  return match === null ? null : match[1]!.replaceAll('/', '.');
}
