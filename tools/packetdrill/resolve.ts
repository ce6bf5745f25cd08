/**
 * The script's Multipath options with their values filled in: for packets to be injected from what is known, for those
 * to be compared also from the packet that came.
 */
import type { Flow } from './flow.js';
import { addressHmac, initialNumber, joinHmac, mappingChecksum, scriptKey, tokenOf } from './keys.js';
import type { MptcpConnection, Names, PeerAddresses } from './mptcp-state.js';
import type { WireDss, WireMptcp, WireNumber } from './mptcp-wire.js';
import type {
  AddAddressSpec,
  DataField,
  DataNumber,
  DssSpec,
  HmacSpec,
  KeySpec,
  MpCapableSpec,
  MptcpSpec,
  TokenSpec,
} from './option-spec.js';
import { ScriptError } from './socket-layer.js';
import { addressOctets, addressOf } from './wire.js';

export interface Known {
  readonly flow: Flow;
  readonly names: Names;
  readonly peerAddresses: PeerAddresses;
  /** The segment's own numbers in the script's terms. */
  readonly seq: number;
  readonly payload: Buffer;
  /** Also what packetdrill itself does not compare. */
  readonly strict: boolean;
}

/** The option for a packet to the stack. */
export function toInject(spec: MptcpSpec, known: Known): WireMptcp {
  const { flow } = known;
  const { connection } = flow;
  switch (spec.kind) {
    case 'mp_capable':
      return injectCapable(spec, known);
    case 'mp_join_syn':
      flow.peerNonce = spec.nonce ?? flow.peerNonce;
      flow.peerId = known.peerAddresses.idOf(flow.remote.address, spec.id);
      return {
        ...{ kind: 'mp_join_syn', backup: spec.backup, id: flow.peerId },
        ...{ token: token(spec.token, connection.stackToken, known), nonce: flow.peerNonce },
      };
    case 'mp_join_syn_ack':
      flow.peerNonce = spec.nonce ?? 0x31323334;
      flow.peerId = known.peerAddresses.idOf(flow.remote.address, spec.id);
      return {
        ...{ kind: 'mp_join_syn_ack', backup: spec.backup, id: flow.peerId },
        ...{ hmac: peerHmac(spec.hmac, known, 8), nonce: flow.peerNonce },
      };
    case 'mp_join_ack':
      return { kind: 'mp_join_ack', hmac: peerHmac(spec.hmac, known, 20) };
    case 'dss':
      return injectDss(spec, known);
    case 'add_address':
      return injectAddress(spec, known);
    case 'mp_fail':
      // It is the stack's data that failed.
      return { kind: 'mp_fail', dsn: dataNumber(spec.dsn, connection.stackIdsn, 1n, known) };
    case 'mp_fastclose':
      return {
        kind: 'mp_fastclose',
        key: fastcloseKey(spec.key, connection.stackKey ?? 0n, known) + spec.plus,
      };
    // The list is written to the option from its end.
    case 'remove_address':
      return { kind: 'remove_address', ids: [...spec.ids].reverse() };
    default:
      return spec;
  }
}

/** The option that the stack should have sent; what the script leaves open is taken from what it did send. */
export function toExpect(spec: MptcpSpec, live: WireMptcp | null, known: Known): WireMptcp {
  const { connection } = known.flow;
  switch (spec.kind) {
    case 'mp_capable':
      return expectCapable(spec, live?.kind === 'mp_capable' ? live : null, known);
    case 'mp_join_syn': {
      const seen = live?.kind === 'mp_join_syn' ? live : null;
      known.flow.stackNonce = seen?.nonce ?? 0;
      return {
        ...{ kind: 'mp_join_syn', backup: spec.backup, id: spec.id ?? seen?.id ?? 0 },
        ...{ token: token(spec.token, connection.peerToken, known), nonce: spec.nonce ?? seen?.nonce ?? 0 },
      };
    }
    case 'mp_join_syn_ack': {
      const seen = live?.kind === 'mp_join_syn_ack' ? live : null;
      known.flow.stackNonce = seen?.nonce ?? 0;
      const id = (known.strict ? spec.id : null) ?? seen?.id ?? 0;
      return {
        ...{ kind: 'mp_join_syn_ack', backup: spec.backup, id, hmac: stackHmac(known, 8) },
        ...{ nonce: seen?.nonce ?? 0 },
      };
    }
    case 'mp_join_ack':
      return { kind: 'mp_join_ack', hmac: stackHmac(known, 20) };
    case 'dss':
      return expectDss(spec, live?.kind === 'dss' ? live : null, known);
    case 'add_address':
      return expectAddress(spec, live?.kind === 'add_address' ? live : null, known);
    case 'mp_fail':
      return { kind: 'mp_fail', dsn: expectFail(spec.dsn, live?.kind === 'mp_fail' ? live.dsn : 0n, known) };
    case 'mp_fastclose':
      return {
        kind: 'mp_fastclose',
        key: fastcloseKey(spec.key, connection.peerKey ?? 0n, known) + spec.plus,
      };
    case 'remove_address':
      return { kind: 'remove_address', ids: sameIds(spec.ids, live) };
    default:
      return spec;
  }
}

/** The order of the list is nobody's promise. */
function sameIds(ids: readonly number[], live: WireMptcp | null): readonly number[] {
  if (live?.kind !== 'remove_address') return ids;
  const sorted = (list: readonly number[]): string => [...list].sort((a, b) => a - b).join();
  return sorted(ids) === sorted(live.ids) ? live.ids : ids;
}

// ---- MP_CAPABLE -------------------------------------------------------------------------------------------

/** Value of a key by name; a bare name has to be known. */
function keyOf(spec: KeySpec, { names }: Known): bigint {
  if (spec.value !== null) {
    names.keys.set(spec.name, scriptKey(spec.value));
    names.given.add(spec.name);
  }
  const key = names.keys.get(spec.name);
  if (key === undefined) throw new ScriptError(`the key ${spec.name} is not known yet`);
  return key;
}

function injectCapable(spec: MpCapableSpec, known: Known): WireMptcp {
  const { connection } = known.flow;
  connection.hash = spec.version === 0 ? 'sha1' : 'sha256';
  const [own, other] = spec.keys;
  const keys: bigint[] = [];
  if (own !== undefined) {
    // A key that the script neither gives nor has seen is any key.
    if (own.value === null && !known.names.keys.has(own.name)) {
      known.names.keys.set(own.name, scriptKey(BigInt(known.names.keys.size) + 0x706c616974n));
    }
    connection.peerKey = keyOf(own, known);
    keys.push(connection.peerKey);
  }
  if (other !== undefined) keys.push(keyOf(other, known));
  if (spec.length !== null) connection.peerNext = max(connection.peerNext, 1n + BigInt(spec.length));
  const checksum = spec.length === null ? null : capableChecksum(spec, known);
  return {
    kind: 'mp_capable',
    version: spec.version,
    flags: spec.flags,
    keys,
    length: spec.length,
    checksum,
  };
}

function expectCapable(
  spec: MpCapableSpec,
  live: Extract<WireMptcp, { kind: 'mp_capable' }> | null,
  known: Known,
): WireMptcp {
  const { connection } = known.flow;
  connection.hash = spec.version === 0 ? 'sha1' : 'sha256';
  const [own, other] = spec.keys;
  const keys: bigint[] = [];
  if (own !== undefined) {
    if (own.value === null && connection.stackKey === null && !known.names.given.has(own.name)) {
      known.names.keys.set(own.name, live?.keys[0] ?? 0n);
    }
    connection.stackKey ??= live?.keys[0] ?? null;
    keys.push(keyOf(own, known));
  }
  if (other !== undefined) keys.push(keyOf(other, known));
  if (spec.length !== null) connection.stackNext = max(connection.stackNext, 1n + BigInt(spec.length));
  const checksum = spec.length === null ? null : capableChecksum(spec, known);
  return {
    kind: 'mp_capable',
    version: spec.version,
    flags: spec.flags,
    keys,
    length: spec.length,
    checksum,
  };
}

/** The first data's mapping is implied: number 1 at subflow number 1 (RFC 8684 section 3.1). */
function capableChecksum(spec: MpCapableSpec, known: Known): number | null {
  if (spec.checksum === 'none') return null;
  if (spec.checksum !== 'auto') return spec.checksum;
  const { connection } = known.flow;
  const [own] = spec.keys;
  const key = own === undefined ? 0n : keyOf(own, known);
  return mappingChecksum(initialNumber(key, connection.hash) + 1n, 1, spec.length ?? 0, known.payload);
}

function fastcloseKey(spec: KeySpec | null, usual: bigint, known: Known): bigint {
  if (spec === null) return usual;
  if (spec.value === null) return keyOf(spec, known);
  known.names.keys.set(spec.name, spec.value);
  return spec.value;
}

// ---- MP_JOIN ----------------------------------------------------------------------------------------------

function token(spec: TokenSpec, auto: number, known: Known): number {
  if (spec.kind === 'auto') return auto;
  if (spec.kind === 'number') return spec.value;
  return tokenOf(keyOf({ name: spec.key, value: null }, known), spec.hash);
}

function peerHmac(spec: HmacSpec, known: Known, octets: number): Buffer {
  const { connection, peerNonce, stackNonce } = known.flow;
  if (spec.kind === 'number') {
    const value = Buffer.alloc(octets);
    value.writeBigUInt64BE(spec.value);
    return value;
  }
  const named = (name: string): bigint => keyOf({ name, value: null }, known);
  const sender = spec.kind === 'keys' ? named(spec.sender) : (connection.peerKey ?? 0n);
  const receiver = spec.kind === 'keys' ? named(spec.receiver) : (connection.stackKey ?? 0n);
  return joinHmac(connection.hash, sender, receiver, peerNonce, stackNonce).subarray(0, octets);
}

function stackHmac({ flow }: Known, octets: number): Buffer {
  const { connection, peerNonce, stackNonce } = flow;
  const { peerKey, stackKey } = connection;
  return joinHmac(connection.hash, stackKey ?? 0n, peerKey ?? 0n, stackNonce, peerNonce).subarray(0, octets);
}

// ---- DSS --------------------------------------------------------------------------------------------------

/** Absolute data sequence number. */
function dataNumber(spec: DataNumber | null, idsn: bigint, auto: bigint, known: Known): bigint {
  if (spec === null) return idsn + auto;
  if (spec.kind === 'relative') return idsn + spec.value;
  const key =
    typeof spec.key === 'bigint' ? scriptKey(spec.key) : keyOf({ name: spec.key, value: null }, known);
  return initialNumber(key, spec.hash ?? known.flow.connection.hash) + spec.plus;
}

function wireNumber(field: DataField | null, idsn: bigint, auto: bigint, known: Known): WireNumber | null {
  if (field === null) return null;
  return { width: field.width, value: dataNumber(field.value, idsn, auto, known) };
}

function injectDss(spec: DssSpec, known: Known): WireDss {
  const { connection } = known.flow;
  const dack = wireNumber(spec.dack, connection.stackIdsn, connection.stackNext, known);
  const dsn = wireNumber(spec.dsn, connection.peerIdsn, connection.peerNext, known);
  const alone = known.payload.length === 0;
  const ssn = spec.ssn ?? (alone ? 0 : known.seq);
  const length = spec.length ?? known.payload.length + (spec.fin ? 1 : 0);
  if (dsn !== null) advance(connection, 'peerNext', dsn.value - connection.peerIdsn + BigInt(length));
  const checksum = dsn === null ? null : dssChecksum(spec, dsn.value, ssn, length, known.payload);
  // The tool puts the number that a script gives as a little-endian machine holds it.
  const swapped = typeof spec.checksum === 'number' ? ((checksum! & 255) << 8) | (checksum! >> 8) : checksum;
  return { kind: 'dss', fin: spec.fin, dack, dsn, ssn, length, checksum: swapped };
}

function expectDss(spec: DssSpec, live: WireDss | null, known: Known): WireDss {
  const { connection } = known.flow;
  const autoOf = (field: WireNumber | null | undefined, idsn: bigint): bigint => (field?.value ?? 0n) - idsn;
  const dack = wireNumber(spec.dack, connection.peerIdsn, autoOf(live?.dack, connection.peerIdsn), known);
  const dsn = wireNumber(spec.dsn, connection.stackIdsn, autoOf(live?.dsn, connection.stackIdsn), known);
  const ssn = spec.ssn ?? live?.ssn ?? 0;
  const length = spec.length ?? live?.length ?? 0;
  if (dsn !== null) advance(connection, 'stackNext', dsn.value - connection.stackIdsn + BigInt(length));
  let checksum: number | null = null;
  if (dsn !== null && spec.checksum !== 'none') {
    // A mapping of which only a part is here cannot be summed.
    const whole = known.payload.length + (spec.fin ? 1 : 0) === length;
    const fits = whole || typeof spec.checksum === 'number';
    checksum = fits ? dssChecksum(spec, dsn.value, ssn, length, known.payload) : (live?.checksum ?? 0);
  }
  return { kind: 'dss', fin: spec.fin, dack, dsn, ssn, length, checksum };
}

function dssChecksum(
  spec: DssSpec,
  dsn: bigint,
  ssn: number,
  length: number,
  payload: Buffer,
): number | null {
  if (spec.checksum === 'none') return null;
  return spec.checksum === 'auto' ? mappingChecksum(dsn, ssn, length, payload) : spec.checksum;
}

function advance(connection: MptcpConnection, which: 'peerNext' | 'stackNext', to: bigint): void {
  const next = BigInt.asIntN(64, to);
  if (next > connection[which]) connection[which] = next;
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** MP_FAIL names the peer's data; packetdrill counts from the stack's initial number. Both are taken. */
function expectFail(spec: DataNumber | null, live: bigint, known: Known): bigint {
  if (spec === null) return live;
  const { connection } = known.flow;
  const own = dataNumber(spec, connection.stackIdsn, 0n, known);
  return BigInt.asUintN(64, own) === live ? own : dataNumber(spec, connection.peerIdsn, 0n, known);
}

// ---- ADD_ADDR ---------------------------------------------------------------------------------------------

function injectAddress(spec: AddAddressSpec, known: Known): WireMptcp {
  const { flow, names, peerAddresses } = known;
  const echo = spec.hmac === null;
  const named = spec.address ?? names.addresses.get(spec.name)?.address ?? null;
  const address = named ?? peerAddresses.withId(spec.id).address;
  const id = echo ? (spec.id ?? 0) : peerAddresses.idOf(address, spec.id);
  const port = spec.port ?? (echo ? flow.local.port : flow.remote.port);
  names.addresses.set(spec.name, { address, port });
  const { peerKey, stackKey } = flow.connection;
  return addressOption(spec, id, address, peerKey, stackKey);
}

function expectAddress(
  spec: AddAddressSpec,
  live: Extract<WireMptcp, { kind: 'add_address' }> | null,
  known: Known,
): WireMptcp {
  const { flow, names } = known;
  const seen = live === null ? null : addressOf(live.address);
  const address = spec.address ?? names.addresses.get(spec.name)?.address ?? seen ?? '0.0.0.0';
  const port = spec.port ?? (spec.hmac === null ? flow.remote.port : flow.local.port);
  names.addresses.set(spec.name, { address, port });
  const { peerKey, stackKey } = flow.connection;
  return addressOption(spec, spec.id ?? live?.id ?? 0, address, stackKey, peerKey);
}

function addressOption(
  spec: AddAddressSpec,
  id: number,
  text: string,
  senderKey: bigint | null,
  receiverKey: bigint | null,
): WireMptcp {
  const address = addressOctets(text);
  let hmac: Buffer | null = null;
  if (spec.hmac === 'auto')
    hmac = addressHmac(senderKey ?? 0n, receiverKey ?? 0n, id, address, spec.port ?? 0);
  else if (spec.hmac !== null) {
    hmac = Buffer.alloc(8);
    hmac.writeBigUInt64BE(spec.hmac);
  }
  return { kind: 'add_address', echo: hmac === null, id, address, port: spec.port, hmac };
}
