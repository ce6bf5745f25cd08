/**
 * `--endpoints-file`: a line per endpoint (`10.0.1.1 signal`) or of limits (`limits subflows 4`), read at the start and
 * again on SIGHUP. Reading again brings the host to what the file says, and leaves alone what did not change.
 */
import { readFileSync } from 'node:fs';
import { addressBytes, addressText } from '../core/address.js';
import { PlaitError } from '../errors.js';
import type { EndpointSpec, PathEndpoint, PathLimits } from '../path/endpoints.js';
import { parseEndpoint, parseLimits, type EndpointControl } from '../path/ip-mptcp.js';

export interface EndpointsFile {
  readonly endpoints: readonly EndpointSpec[];
  readonly limits: Partial<PathLimits>;
}

/** Throws EINVAL with the number of the line, and what reading throws. */
export function readEndpointsFile(name: string): EndpointsFile {
  const endpoints: EndpointSpec[] = [];
  let limits: Partial<PathLimits> = {};
  readFileSync(name, 'utf8')
    .split('\n')
    .forEach((line, i) => {
      const text = line.replace(/#.*/, '').trim();
      if (text === '') return;
      try {
        if (text.startsWith('limits'))
          limits = { ...limits, ...parseLimits(text.slice('limits'.length).trim()) };
        else endpoints.push(parseEndpoint(text));
      } catch (error) {
        throw new PlaitError('EINVAL', `${name} line ${i + 1}: ${(error as Error).message}`);
      }
    });
  return { endpoints, limits };
}

/** Deletes what the file does not have, changes flags that can change, adds the rest. Throws as the control does. */
export function applyEndpointsFile(control: EndpointControl, { endpoints, limits }: EndpointsFile): void {
  control.setLimits(limits);
  const stays = new Set<EndpointSpec>();
  for (const one of control.endpoints()) {
    const wanted = endpoints.find((spec) => !stays.has(spec) && isSame(spec, one));
    if (wanted !== undefined) {
      stays.add(wanted);
      control.changeEndpoint(
        { id: one.id },
        { backup: wanted.backup === true, fullmesh: wanted.fullmesh === true },
      );
    } else if (!one.implicit) control.deleteEndpoint({ id: one.id });
  }
  for (const spec of endpoints) if (!stays.has(spec)) control.addEndpoint(spec);
}

/** Alike but for the flags that may change. */
function isSame(spec: EndpointSpec, one: PathEndpoint): boolean {
  const { id = one.id, port = 0, dev = null, signal = false, subflow = false, laminar = false } = spec;
  return (
    addressText(addressBytes(spec.address)) === one.address &&
    id === one.id &&
    port === one.port &&
    dev === one.dev &&
    signal === one.signal &&
    subflow === one.subflow &&
    laminar === one.laminar
  );
}
