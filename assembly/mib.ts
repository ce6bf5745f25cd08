/**
 * Counters of a stack, shared by AssemblyScript and TypeScript: names are the kernel's (`nstat`), or ours for limits; the
 * value is the index in the counter array.
 */
export const MIB_MPCapableSYNRX = 0;
export const MIB_MPCapableSYNTX = 1;
export const MIB_MPCapableSYNACKRX = 2;
export const MIB_MPCapableACKRX = 3;
export const MIB_MPCapableFallbackACK = 4;
export const MIB_MPCapableFallbackSYNACK = 5;
export const MIB_MPCapableSYNTXDrop = 6;
export const MIB_MPFallbackTokenInit = 7;
export const MIB_MPTCPRetrans = 8;
export const MIB_MPJoinNoTokenFound = 9;
export const MIB_MPJoinSynRx = 10;
export const MIB_MPJoinSynBackupRx = 11;
export const MIB_MPJoinSynAckRx = 12;
export const MIB_MPJoinSynAckBackupRx = 13;
export const MIB_MPJoinSynAckHMacFailure = 14;
export const MIB_MPJoinAckRx = 15;
export const MIB_MPJoinAckHMacFailure = 16;
export const MIB_MPJoinRejected = 17;
export const MIB_MPJoinSynTx = 18;
export const MIB_DSSNotMatching = 19;
export const MIB_DSSCorruptionFallback = 20;
export const MIB_DSSCorruptionReset = 21;
export const MIB_InfiniteMapTx = 22;
export const MIB_InfiniteMapRx = 23;
export const MIB_DSSNoMatchTCP = 24;
export const MIB_DataCsumErr = 25;
export const MIB_OFOQueueTail = 26;
export const MIB_OFOQueue = 27;
export const MIB_OFOMerge = 28;
export const MIB_NoDSSInWindow = 29;
export const MIB_DuplicateData = 30;
export const MIB_AddAddr = 31;
export const MIB_AddAddrTx = 32;
export const MIB_AddAddrTxDrop = 33;
export const MIB_EchoAdd = 34;
export const MIB_EchoAddTx = 35;
export const MIB_EchoAddTxDrop = 36;
export const MIB_PortAdd = 37;
export const MIB_AddAddrDrop = 38;
export const MIB_RmAddr = 39;
export const MIB_RmAddrTx = 41;
export const MIB_RmAddrTxDrop = 42;
export const MIB_RmSubflow = 43;
export const MIB_MPPrioTx = 44;
export const MIB_MPPrioRx = 45;
export const MIB_MPFailTx = 46;
export const MIB_MPFailRx = 47;
export const MIB_MPFastcloseTx = 48;
export const MIB_MPFastcloseRx = 49;
export const MIB_MPRstTx = 50;
export const MIB_MPRstRx = 51;
export const MIB_SubflowStale = 52;
export const MIB_SubflowRecover = 53;
export const MIB_SndWndShared = 54;
export const MIB_RcvWndShared = 55;
export const MIB_MPCurrEstab = 56;
export const MIB_Blackhole = 57;
export const MIB_MPCapableDataFallback = 58;
export const MIB_DssFallback = 59;
export const MIB_SimultConnectFallback = 60;
export const MIB_FallbackFailed = 61;
export const MIB_WinProbe = 62;
// TCP and IP below it (TcpExt, Tcp and Ip groups of the kernel)
export const MIB_InSegs = 64;
export const MIB_OutSegs = 65;
export const MIB_RetransSegs = 66;
export const MIB_InErrs = 67;
export const MIB_InCsumErrors = 68;
export const MIB_OutRsts = 69;
export const MIB_ActiveOpens = 70;
export const MIB_PassiveOpens = 71;
export const MIB_AttemptFails = 72;
export const MIB_EstabResets = 73;
export const MIB_TCPTimeouts = 74;
export const MIB_TCPLossProbes = 75;
export const MIB_TCPLossProbeRecovery = 76;
export const MIB_TCPFastRetrans = 77;
export const MIB_TCPSlowStartRetrans = 78;
export const MIB_TCPSackRecovery = 79;
export const MIB_TCPRenoRecovery = 80;
export const MIB_TCPDSACKRecv = 81;
export const MIB_TCPDSACKOldSent = 82;
export const MIB_TCPOFOQueue = 83;
export const MIB_PAWSEstab = 84;
export const MIB_TCPChallengeACK = 85;
export const MIB_TCPSYNChallenge = 86;
export const MIB_TCPACKSkippedChallenge = 87;
export const MIB_ListenDrops = 88;
export const MIB_TCPAbortOnTimeout = 89;
export const MIB_DelayedACKs = 91;
export const MIB_TCPWinProbe = 92;
export const MIB_TCPKeepAlive = 93;
export const MIB_TWRecycled = 94;
export const MIB_TCPFullUndo = 95;
export const MIB_TCPLossUndo = 139;
export const MIB_TCPPartialUndo = 140;
export const MIB_TCPDSACKUndo = 141;
export const MIB_TCPSpuriousRTOs = 142;
/** ICMP errors about octets that are not under way. */
export const MIB_OutOfWindowIcmps = 150;
/** ICMP errors about TCP segments; malformed ones, and ones about segments of no subflow. */
export const MIB_IcmpInMsgs = 151;
export const MIB_IcmpInErrors = 152;
/** Subflows whose segments became smaller because a router said so. */
export const MIB_PathMtuReduced = 153;
// the handshake
/** SYNs and third packets that found the accept queue full; handshakes ended by a reset; bare ACKs not taken yet. */
export const MIB_ListenOverflows = 116;
export const MIB_EmbryonicRsts = 117;
export const MIB_TCPDeferAcceptDrop = 118;
/** SYNs and SYN/ACKs that were sent again. */
export const MIB_TCPSynRetrans = 119;
export const MIB_SyncookiesSent = 96;
export const MIB_SyncookiesRecv = 97;
export const MIB_SyncookiesFailed = 98;
export const MIB_TCPReqQFullDoCookies = 99;
export const MIB_TCPReqQFullDrop = 100;
/** Resets that their ration did not allow; the kernel has no such limit. */
export const MIB_OutRstsSkipped = 101;
export const MIB_TCPFastOpenActive = 102;
export const MIB_TCPFastOpenActiveFail = 103;
export const MIB_TCPFastOpenPassive = 104;
export const MIB_TCPFastOpenPassiveFail = 105;
export const MIB_TCPFastOpenListenOverflow = 106;
export const MIB_TCPFastOpenCookieReqd = 107;
export const MIB_TCPFastOpenBlackhole = 108;
export const MIB_TCPFastOpenPassiveAltKey = 109;
export const MIB_MPCapableSYNTXDisabled = 110;
export const MIB_MPCapableEndpAttempt = 111;
export const MIB_MPJoinPortSynRx = 112;
export const MIB_MPJoinPortSynAckRx = 113;
export const MIB_MPJoinPortAckRx = 114;
export const MIB_MismatchPortSynRx = 115;
export const MIB_MismatchPortAckRx = 120;
export const MIB_MPJoinSynTxCreatSkErr = 121;
export const MIB_MPJoinSynTxBindErr = 122;
export const MIB_MPJoinSynTxConnectErr = 123;
/** Octets that could leave from the application's memory; those of them that had to be copied after all. */
export const MIB_LentOctets = 126;
export const MIB_RepaidOctets = 127;
export const MIB_TCPDSACKOfoSent = 130;
export const MIB_TCPAbortOnData = 131;
export const MIB_TCPACKSkippedSynRecv = 132;
export const MIB_TCPACKSkippedTimeWait = 133;
export const MIB_TCPZeroWindowDrop = 166;
export const MIB_TCPRcvQDrop = 167;
export const MIB_PAWSOldAck = 168;
// What met a limit
/** Memory was refused: CFG_MEMORY_MAX, or none is left. */
export const MIB_MemoryDrop = 170;
/** Segments beyond a hole that needed one interval too many: on a subflow (the kernel's name), in the data. */
export const MIB_TCPOFODrop = 171;
export const MIB_DataOFODrop = 172;
/** Unmapped or unverified octets without a place to wait. */
export const MIB_HeldDrop = 173;
export const MIB_MappingDrop = 174;
export const MIB_TCPTimeWaitOverflow = 175;
export const MIB_ReinjectDrop = 176;
export const MIB_RecordsFull = 177;
export const MIB_PrivateFull = 178;
/** Packets of peers that are too many hops away (OPT_MIN_TTL). */
export const MIB_TCPMinTTLDrop = 179;
/** Signed segments (RFC 2385): there are no keys, so they are dropped. */
export const MIB_TCPMD5Unexpected = 185;
/** Packets that the network marked (IpExt). */
export const MIB_InCEPkts = 190;
/** Octets of payload that was handled where it lay, in a buffer of its own. */
export const MIB_PlacedOctets = 191;
export const MIB_COUNT = 192;
