import { expect } from 'chai';
import { ipOfFrame, knowsLinkType } from '../../../src/inspect/link.js';
import { fromHex } from '../octets.js';
import { ipPacket } from './packets.js';

const V4 = ipPacket({});
const V6 = ipPacket({ source: '2001:db8::1', destination: '2001:db8::2' });
const MACS = '02000000000102000000000a';

describe('link layers', () => {
  const cases: readonly (readonly [name: string, type: number, header: string, packet: Uint8Array | null])[] =
    [
      ['Ethernet', 1, `${MACS}0800`, V4],
      ['Ethernet, IPv6', 1, `${MACS}86dd`, V6],
      ['a VLAN tag', 1, `${MACS}810000070800`, V4],
      ['two VLAN tags', 1, `${MACS}88a80007810000070800`, V4],
      ['PPPoE', 1, `${MACS}8864110000010030` + '0021', V4],
      ['ARP', 1, `${MACS}0806`, null],
      ['Linux cooked', 113, '0000000100060200000000010000' + '0800', V4],
      ['Linux cooked v2', 276, '86dd000000000002' + '0001000602000000000100000000'.slice(0, 24), V6],
      ['loopback, little-endian', 0, '02000000', V4],
      ['loopback, big-endian', 0, '0000001e', V6],
      ['OpenBSD loopback', 108, '00000002', V4],
      ['raw', 101, '', V6],
      ['raw IPv4', 228, '', V4],
      ['something else', 105, '00', null],
    ];
  for (const [name, type, header, packet] of cases) {
    it(name, () => {
      const frame = Uint8Array.of(...fromHex(header), ...(packet ?? V4));
      const found = ipOfFrame(type, frame);
      expect(found === null ? null : [...found.packet]).to.deep.equal(packet === null ? null : [...packet]);
      if (found !== null) expect(found.offset).to.equal(header.length / 2);
    });
  }

  it('are read no further than they go', () => {
    for (const [, type, header] of cases) {
      const octets = fromHex(header);
      for (let length = 0; length <= octets.length; length++) {
        expect(ipOfFrame(type, octets.subarray(0, length))?.packet.length ?? 0).to.equal(0);
      }
    }
    expect(knowsLinkType(1)).to.equal(true);
    expect(knowsLinkType(127)).to.equal(false);
  });
});
