/** TCP Fast Open (RFC 7413) of a whole stack; OPT_FAST_OPEN turns it on for one connection or listener. */
import { addressBytes } from '../core/address.js';
import type { Core } from '../core/core.js';

/** Whether a SYN between two addresses could carry data now: the peer has given a cookie, or none is wanted. */
export function fastOpenReady(core: Core, local: string, remote: string): boolean {
  core.setAddresses(addressBytes(local), addressBytes(remote));
  return core.x.fastOpenReady() === 1;
}

/** The key of cookies, 16 octets, and the one before it. Without it the stack draws its own. */
export function setFastOpenKeys(core: Core, primary: Uint8Array, backup?: Uint8Array): void {
  core.setAddresses(primary, backup);
  core.x.setFastOpenKeys(backup === undefined ? 0 : 1);
}
