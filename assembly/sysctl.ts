/** TCP's settings of the whole stack, named and preset as Linux' net.ipv4.tcp_*; times in microseconds. */
import {
  CFG_TCP_MIN_TSO_SEGS,
  CFG_TCP_SLOW_START_AFTER_IDLE,
  E_INVAL,
} from './abi';

/** Least segments of a burst. */
export let tcpMinTsoSegs: u32 = 2;
/** The congestion window decays while nothing is sent. */
export let tcpSlowStartAfterIdle: bool = true;

/** 0, or E_INVAL. */
export function setSysctl(key: i32, value: f64): i32 {
  switch (key) {
    case CFG_TCP_MIN_TSO_SEGS:
      tcpMinTsoSegs = <u32>max(1, value);
      return 0;
    case CFG_TCP_SLOW_START_AFTER_IDLE:
      tcpSlowStartAfterIdle = value != 0;
      return 0;
  }
  return E_INVAL;
}
