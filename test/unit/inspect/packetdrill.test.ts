import { expect } from 'chai';
import { TcpFlag } from '../../../src/inspect/dissection.js';
import { loadDissector, type Dissector } from '../../../src/inspect/dissector.js';
import { formatPacketdrill, type Origins } from '../../../src/inspect/packetdrill.js';
import { fromHex } from '../octets.js';
import { ipPacket, type Segment } from './packets.js';

describe('the notation of packetdrill', () => {
  let dissector: Dissector;

  before(async () => {
    dissector = await loadDissector();
  });

  const text = (segment: Segment, origins?: Origins): string =>
    formatPacketdrill(dissector.dissect(ipPacket(segment)), origins);

  it('names flags, numbers and the options of a SYN', () => {
    const options = fromHex('020405b40402080a000003e80000000001030308' + '1e040181');
    expect(text({ flags: TcpFlag.SYN, seq: 1000, options }, { seq: 1000, timestamp: 900 })).to.equal(
      'S 0:0(0) win 1000 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,mpcapable v1 flags[flag_a, flag_h] nokey>',
    );
  });

  it("writes a script's keys with their lowest octet first", () => {
    const options = fromHex('1e1601010200000000000000' + '03000000000000000064' + '0101');
    expect(text({ flags: TcpFlag.ACK | TcpFlag.PSH, options, payload: new Uint8Array(100) })).to.equal(
      'P. 1:101(100) ack 1 win 1000 <mpcapable v1 flags[flag_h] key[ckey=2, skey=3] mpcdatalen 100,nop,nop>',
    );
  });

  it('counts data sequence numbers from their origins, across their wraps', () => {
    const options = fromHex(
      '1e1c201f' + '0000000000000005' + 'fffffffffffffff1' + '00000001' + '000a' + 'abcd',
    );
    const origins = { dsn: 0xfffffffffffffff0n, dataAck: 4n };
    expect(text({ options, payload: new Uint8Array(9) }, origins)).to.equal(
      '. 1:10(9) ack 1 win 1000 <dss dack8=1 dsn8=1 ssn=1 dll=10 cksum=43981 fin>',
    );
    const narrow = fromHex('1e122005' + '00000005' + '00000003' + '00000001' + '0001' + '0101');
    expect(text({ options: narrow }, { dsn: 0xfffffffffffffff0n, dataAck: 4n })).to.contain(
      'dss dack4=1 dsn4=19 ssn=1 dll=1 nocs',
    );
  });

  it('writes every other option of Multipath TCP', () => {
    const cases = {
      '1e0c100566840dda01020304': 'mp_join_syn backup=0 address_id=5 token=1719930330 rand=16909060',
      '1e08900200000000': 'kind 30 [1e08900200000000]',
      '1e0831020a000201': 'add_address address_id=2 addr[a2=inet_addr("10.0.2.1")] addr_echo',
      '1e1230020a00020101bb00000000000000010101':
        'add_address address_id=2 addr[a2=inet_addr("10.0.2.1")] port=443 hmac=1,nop,nop',
      '1e05400102010101': 'remove_address address_id=[1,2],nop,nop,nop',
      '1e035101': 'mp_prio backup=1,nop',
      '1e0c60000000000000000007': 'mp_fail dsn8=7',
      '1e0c70000200000000000000': 'mp_fastclose key=2',
      '1e048103': 'mp_reset 3 flags[flag_T]',
      '050a000007d100000bb90101': 'sack 1001:2001,nop,nop',
    };
    for (const [octets, expected] of Object.entries(cases)) {
      const origins = octets.startsWith('05') ? { ack: 1000 } : {};
      expect(text({ options: fromHex(octets) }, origins)).to.match(/<(.*)>$/);
      expect(/<(.*)>$/.exec(text({ options: fromHex(octets) }, origins))?.[1]).to.equal(expected);
    }
  });

  it('says what is no TCP segment', () => {
    expect(formatPacketdrill(dissector.dissect(new Uint8Array(3)))).to.equal('(not IP)');
  });
});
