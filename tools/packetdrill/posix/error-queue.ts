/**
 * The error queue of a socket (MSG_ERRQUEUE): completions of MSG_ZEROCOPY, transmit timestamps, ICMP errors. Which of
 * them come, in which order and with which numbers is Linux' (Documentation/networking: timestamping, msg_zerocopy).
 */
import { constant } from './constants.js';
import { extendedError, timestamping, type ControlMessage } from './ancillary.js';

const ORIGIN_TIMESTAMPING = constant('SO_EE_ORIGIN_TIMESTAMPING');
const ORIGIN_ZEROCOPY = constant('SO_EE_ORIGIN_ZEROCOPY');
const COPIED = constant('SO_EE_CODE_ZEROCOPY_COPIED');
const ENOMSG = constant('ENOMSG');
const SCHED = constant('SCM_TSTAMP_SCHED');
const SND = constant('SCM_TSTAMP_SND');
const ACK = constant('SCM_TSTAMP_ACK');

const TX_SOFTWARE = constant('SOF_TIMESTAMPING_TX_SOFTWARE');
const TX_SCHED = constant('SOF_TIMESTAMPING_TX_SCHED');
const TX_ACK = constant('SOF_TIMESTAMPING_TX_ACK');
const SOFTWARE = constant('SOF_TIMESTAMPING_SOFTWARE');
const OPT_ID = constant('SOF_TIMESTAMPING_OPT_ID');
const OPT_TSONLY = constant('SOF_TIMESTAMPING_OPT_TSONLY');
const TX = TX_SOFTWARE | TX_SCHED | TX_ACK;

export interface QueuedError {
  readonly control: readonly ControlMessage[];
  /** Octets of the packet that come with it. */
  readonly length: number;
}

/** Octets of a stream that wait for an event; `end`: offset after the last of them. */
interface Waiting {
  readonly end: number;
}

interface Stamp extends Waiting {
  readonly flags: number;
  /** Octets of the packet with the last of them, which comes back with the stamp. */
  readonly length: number;
  sent: boolean;
}

interface ZeroCopy extends Waiting {
  readonly id: number;
}

export class ErrorQueue {
  readonly #queue: (QueuedError & { range?: [first: number, last: number] })[] = [];
  readonly #stamps: Stamp[] = [];
  readonly #copies: ZeroCopy[] = [];
  #nextCopy = 0;
  /** Offset that timestamps are numbered from (SOF_TIMESTAMPING_OPT_ID). */
  #base = 0;

  constructor(readonly v6: boolean) {}

  get empty(): boolean {
    return this.#queue.length === 0;
  }

  /** Whether progress of the stream has to be told. */
  get waits(): boolean {
    return this.#stamps.length > 0 || this.#copies.length > 0;
  }

  take(): QueuedError | undefined {
    return this.#queue.shift();
  }

  push(error: QueuedError): void {
    this.#queue.push(error);
  }

  /** Timestamps are numbered from this offset of the stream on. */
  numberFrom(offset: number): void {
    this.#base = offset;
  }

  /** Octets that end at `end` were handed over, with these SOF_TIMESTAMPING_* flags. */
  stamp(end: number, length: number, flags: number): void {
    if ((flags & TX) !== 0) this.#stamps.push({ end, length, flags, sent: false });
  }

  zeroCopy(end: number): void {
    this.#copies.push({ end, id: this.#nextCopy++ });
  }

  /** So many octets of the stream were sent, and acknowledged, by now (microseconds). True: something is new. */
  progress(sent: number, acked: number, now: number): boolean {
    const before = this.#queue.length;
    for (const stamp of this.#stamps) {
      if (stamp.sent || stamp.end > sent) continue;
      stamp.sent = true;
      if ((stamp.flags & TX_SCHED) !== 0) this.#stamped(stamp, SCHED, now);
      if ((stamp.flags & TX_SOFTWARE) !== 0) this.#stamped(stamp, SND, now);
    }
    while (this.#stamps[0] !== undefined && this.#stamps[0].end <= acked) {
      const stamp = this.#stamps.shift()!;
      if ((stamp.flags & TX_ACK) !== 0) this.#stamped(stamp, ACK, now);
    }
    let copied = false;
    while (this.#copies[0] !== undefined && this.#copies[0].end <= acked) {
      this.#completed(this.#copies.shift()!.id);
      copied = true;
    }
    return copied || this.#queue.length > before;
  }

  #stamped({ end, length, flags }: Stamp, info: number, now: number): void {
    const data = (flags & OPT_ID) !== 0 ? end - 1 - this.#base : 0;
    const error = { errno: ENOMSG, origin: ORIGIN_TIMESTAMPING, type: 0, code: 0, info, data };
    const control = [extendedError(this.v6, error)];
    if ((flags & SOFTWARE) !== 0) control.unshift(timestamping(now));
    this.#queue.push({ control, length: (flags & OPT_TSONLY) !== 0 ? 0 : length });
  }

  /** Completions in a row are one, as long as nobody has taken it. */
  #completed(id: number): void {
    const last = this.#queue.at(-1);
    const first = last?.range?.[1] === id - 1 ? last.range[0] : id;
    if (first !== id) this.#queue.pop();
    const error = { errno: 0, origin: ORIGIN_ZEROCOPY, type: 0, code: COPIED, info: first, data: id };
    this.#queue.push({ control: [extendedError(this.v6, error)], length: 0, range: [first, id] });
  }
}
