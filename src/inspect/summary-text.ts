/** The summary of a connection, for people. */
import type { Paint } from './line.js';
import { plain } from './line.js';
import type { ConnectionSummary, DirectionSummary, FlowSummary, SubflowSummary } from './summary.js';

/** Lines, the first of which begins a connection. `start`: microseconds that times are relative to. */
export function formatSummary(summary: ConnectionSummary, start: number, paint: Paint = plain): string[] {
  const lines = [
    `connection ${String(summary.connection)}  ${summary.opener} > ${summary.answerer}  ${summary.protocol}${
      summary.checksums ? ', DSS checksums' : ''
    }`,
    row(
      'time',
      `${seconds(summary.start - start)} s, lasted ${summary.seconds.toFixed(3)} s; ${summary.end}`,
    ),
    row('data', `> ${directionText(summary.forward)}`),
    row('', `< ${directionText(summary.backward)}`),
  ];
  if (summary.fallback !== null) {
    const { reason, time } = summary.fallback;
    lines.push(row('fallback', paint('error', `${reason} (at ${seconds(time - start)} s)`)));
  }
  for (const subflow of summary.subflows) lines.push(...subflowLines(subflow, paint));
  for (const one of summary.addresses) {
    const where = one.port === null ? one.address : `${one.address} port ${String(one.port)}`;
    const state = [
      one.times > 1 && `sent ${String(one.times)} times`,
      one.echoed ? 'echoed' : 'no echo',
      `HMAC ${one.hmac}`,
      one.removed && 'removed',
    ].filter((part) => part !== false);
    lines.push(row('address', `${one.from} id ${String(one.addressId)} ${where}: ${state.join(', ')}`));
  }
  for (const { time, subflow, way, text } of summary.signals) {
    lines.push(row('signal', `${seconds(time - start)} s ${subflow} ${way} ${text}`));
  }
  return lines;
}

function subflowLines(subflow: SubflowSummary, paint: Paint): string[] {
  const name = paint('subflow', subflow.name, Number(subflow.name.split('.')[1] ?? 0));
  const rtt = [
    subflow.handshakeRtt !== null && `handshake ${subflow.handshakeRtt.toFixed(1)}`,
    subflow.meanRtt !== null && `mean ${subflow.meanRtt.toFixed(1)}`,
    subflow.minRtt !== null && `min ${subflow.minRtt.toFixed(1)}`,
  ].filter((part) => part !== false);
  const facts = [
    `${subflow.from.toFixed(3)} to ${subflow.to.toFixed(3)} s`,
    rtt.length > 0 && `round trip ${rtt.join(', ')} ms`,
    subflow.backup && 'backup',
    subflow.join,
    subflow.end,
  ].filter((part) => typeof part === 'string');
  const arrow = subflow.openedBy === '>' ? '>' : '<';
  return [
    row('subflow', `${name}  ${subflow.opener} ${arrow} ${subflow.answerer}`),
    row('', `     ${facts.join('; ')}`),
    row('', `     > ${flowText(subflow.forward)}`),
    row('', `     < ${flowText(subflow.backward)}`),
  ];
}

function directionText({ bytes, mbps, reinjectedBytes, reinjections }: DirectionSummary): string {
  const again =
    reinjections === 0
      ? ''
      : `, ${String(reinjectedBytes)} octets reinjected in ${count(reinjections, 'packet')}`;
  return `${String(bytes)} octets, ${mbps.toFixed(3)} Mbit/s${again}`;
}

function flowText({ packets, bytes, retransmissions, retransmittedBytes }: FlowSummary): string {
  const again =
    retransmissions === 0
      ? ''
      : `, ${count(retransmissions, 'retransmission')} (${String(retransmittedBytes)} octets)`;
  return `${count(packets, 'packet')}, ${String(bytes)} octets${again}`;
}

function count(n: number, what: string): string {
  return `${String(n)} ${what}${n === 1 ? '' : 's'}`;
}

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(3);
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(9)} ${text}`;
}
