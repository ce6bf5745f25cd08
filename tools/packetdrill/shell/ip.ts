/** `ip`: addresses of tun0, the path manager's endpoints; routes and the rest change nothing here. */
import { PlaitError } from '../../../src/errors.js';
import { applyIpMptcp } from '../../../src/path/ip-mptcp.js';
import { failed, ok, type Command, type Context, type Result } from './command.js';

export const ip: Command = (words, context) => {
  const rest = words.filter((word) => !/^-/.test(word));
  const [object = '', ...args] = rest;
  const is = (name: string, least: number): boolean => object.length >= least && name.startsWith(object);
  if (object === 'mptcp') return mptcp(args, context);
  if (is('address', 1)) return address(args, context);
  if (is('link', 1)) return link(args, context);
  if (is('route', 1) || object === 'ro') {
    if (args.some((word) => METRICS.test(word))) context.warn('metrics of routes have no effect', true);
    return ok();
  }
  context.warn('has no effect');
  return ok();
};

const METRICS =
  /^(?:initcwnd|initrwnd|mtu|advmss|rto_min|quickack|congctl|features|hoplimit|window|rtt|cwnd|ssthresh)$/;

/** What is printed and refused is src/path's; `monitor` has nobody to tell. */
function mptcp(args: readonly string[], { host, warn }: Context): Result {
  if (args[0] === 'monitor') return ok();
  try {
    return ok(applyIpMptcp(host.paths, args));
  } catch (error) {
    if (!(error instanceof PlaitError)) throw error;
    warn(error.message, true);
    return failed();
  }
}

/** `addr add ADDRESS[/PREFIX] dev tun0`, `addr del ...`, `addr show`. */
function address([action = 'show', ...args]: readonly string[], { host }: Context): Result {
  const [given] = args.filter((word) => /^[0-9a-fA-F:.]+(?:\/\d+)?$/.test(word));
  const text = given?.replace(/\/\d+$/, '') ?? null;
  if ('show'.startsWith(action) || action === 'list') {
    return ok(
      host.addresses.map((one) => `    inet${one.includes(':') ? '6' : ''} ${one} dev tun0\n`).join(''),
    );
  }
  if (text === null) return 'flush'.startsWith(action) ? ok() : failed();
  if ('add'.startsWith(action) || 'replace'.startsWith(action) || 'change'.startsWith(action))
    host.addAddress(text);
  else if ('delete'.startsWith(action)) host.removeAddress(text);
  return ok();
}

/** `link set [dev] tun0 [mtu N] [up|down]`. */
function link(args: readonly string[], { host }: Context): Result {
  const mtu = args.indexOf('mtu');
  if (mtu >= 0) host.setMtu(Number(args[mtu + 1]));
  if (args.includes('down')) host.setUp(false);
  else if (args.includes('up')) host.setUp(true);
  return ok();
}
