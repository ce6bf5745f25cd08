#!/usr/bin/env python3
"""A path manager in user space for the Linux kernel: what `ip mptcp` has no words for.

Prints {"ready": true}, then one JSON line per event of the kernel, with the names of `ip mptcp monitor`. Obeys lines on
stdin, about the connection that was created last, and answers each with {"done": LINE, "error": ERRNO or null}:

  announce ADDRESS id ID [port PORT]
  remove id ID
  create ADDRESS id ID to ADDRESS port PORT [backup]
  destroy ADDRESS to ADDRESS
  prio ADDRESS to ADDRESS [backup]
"""
import errno
import ipaddress
import json
import select
import socket
import struct
import sys

NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NLMSG_ERROR = 2
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_FAMILY_ID, CTRL_FAMILY_NAME, CTRL_MCAST_GROUPS = 1, 2, 7
NESTED = 0x8000
# linux/mptcp_pm.h, linux/mptcp.h
SET_FLAGS, ANNOUNCE, REMOVE, CREATE, DESTROY = 7, 8, 9, 10, 11
ADDR, TOKEN, LOC_ID, ADDR_REMOTE = 1, 4, 5, 6
FAMILY, ID, ADDR4, ADDR6, PORT, FLAGS = 1, 2, 3, 4, 5, 6
SIGNAL, SUBFLOW, BACKUP = 1, 2, 4
EVENTS = {
    1: "created", 2: "established", 3: "closed", 6: "announced", 7: "removed", 10: "sf_established", 11: "sf_closed",
    13: "sf_priority", 15: "listener_created", 16: "listener_closed",
}  # fmt: skip
ATTRIBUTES = {
    1: "token", 2: "family", 3: "loc_id", 4: "rem_id", 5: "saddr4", 6: "saddr6", 7: "daddr4", 8: "daddr6", 9: "sport",
    10: "dport", 11: "backup", 12: "error", 13: "flags", 14: "timeout", 15: "ifindex", 16: "reset_reason",
    17: "reset_flags", 18: "server_side",
}  # fmt: skip


def attribute(kind, payload):
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def attributes(octets):
    at = 0
    while at + 4 <= len(octets):
        length, kind = struct.unpack_from("=HH", octets, at)
        if length < 4:
            return
        yield kind & 0x3FFF, octets[at + 4 : at + length]
        at += (length + 3) & ~3


class Generic:
    """A generic netlink socket."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.bind((0, 0))

    def ask(self, family, command, payload):
        """The payload of the answer; b"" for none. Raises OSError."""
        body = struct.pack("=BBH", command, 1, 0) + payload
        self.sock.send(struct.pack("=IHHII", 16 + len(body), family, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        answer = b""
        while True:
            octets = self.sock.recv(65536)
            kind = struct.unpack_from("=H", octets, 4)[0]
            if kind != NLMSG_ERROR:
                answer = octets[20:]
                continue
            code = -struct.unpack_from("=i", octets, 16)[0]
            if code:
                raise OSError(code, "refused")
            return answer


class Manager:
    def __init__(self):
        self.commands = Generic()
        found = dict(attributes(self.commands.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, attribute(CTRL_FAMILY_NAME, b"mptcp_pm\0"))))
        self.family = struct.unpack("=H", found[CTRL_FAMILY_ID])[0]
        self.events = Generic()
        for _, group in attributes(found[CTRL_MCAST_GROUPS]):
            member = dict(attributes(group))
            if member[1] == b"mptcp_pm_events\0":
                self.events.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, struct.unpack("=I", member[2])[0])
        self.token = None
        # Ports by local and remote address, from the events.
        self.ports = {}

    def run(self):
        tell({"ready": True})
        while True:
            for ready in select.select([sys.stdin, self.events.sock], [], [])[0]:
                if ready is not sys.stdin:
                    self.happened(self.events.sock.recv(65536))
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                self.obey(line.strip())

    def happened(self, octets):
        event = {"event": EVENTS.get(octets[16], octets[16])}
        for kind, value in attributes(octets[20:]):
            name = ATTRIBUTES.get(kind, str(kind))
            if "addr" in name:
                event[name] = str(ipaddress.ip_address(value))
            else:
                event[name] = int.from_bytes(value, "big" if "port" in name else sys.byteorder)
        if event["event"] == "created":
            self.token = event["token"]
        if event["event"] in ("created", "established", "sf_established"):
            local = event.get("saddr4") or event.get("saddr6")
            remote = event.get("daddr4") or event.get("daddr6")
            self.ports[bare(local), bare(remote)] = event["sport"], event["dport"]
        tell(event)

    def obey(self, line):
        # Events that are here already tell of the subflow that is meant.
        while select.select([self.events.sock], [], [], 0)[0]:
            self.happened(self.events.sock.recv(65536))
        error = None
        try:
            self.command(*line.split())
        except OSError as refused:
            error = errno.errorcode.get(refused.errno, str(refused))
        tell({"done": line, "error": error})

    def command(self, verb, *words):
        token = attribute(TOKEN, struct.pack("=I", self.token))
        number = {word: int(words[i + 1]) for i, word in enumerate(words) if word in ("id", "port")}
        backup = BACKUP if "backup" in words else 0
        if verb == "remove":
            return self.ask(REMOVE, token + attribute(LOC_ID, bytes([number["id"]])))
        local = words[0]
        if verb == "announce":
            return self.ask(ANNOUNCE, token + address(ADDR, local, flags=SIGNAL, **number))
        remote = words[words.index("to") + 1]
        if verb == "create":
            ends = address(ADDR, local, id=number["id"], flags=SUBFLOW | backup)
            return self.ask(CREATE, token + ends + address(ADDR_REMOTE, remote, port=number["port"]))
        if (bare(local), bare(remote)) not in self.ports:
            raise OSError(errno.ESRCH, "no such subflow")
        sport, dport = self.ports[bare(local), bare(remote)]
        ends = address(ADDR, local, port=sport, flags=backup) + address(ADDR_REMOTE, remote, port=dport)
        return self.ask({"destroy": DESTROY, "prio": SET_FLAGS}[verb], token + ends)

    def ask(self, command, payload):
        self.commands.ask(self.family, command, payload)


def address(kind, text, id=None, port=None, flags=None):
    one = ipaddress.ip_address(text)
    v4 = one.version == 4
    inside = attribute(FAMILY, struct.pack("=H", socket.AF_INET if v4 else socket.AF_INET6))
    inside += attribute(ADDR4 if v4 else ADDR6, one.packed)
    if id is not None:
        inside += attribute(ID, bytes([id]))
    if port is not None:
        inside += attribute(PORT, struct.pack("=H", port))
    if flags is not None:
        inside += attribute(FLAGS, struct.pack("=I", flags))
    return attribute(kind | NESTED, inside)


def bare(text):
    """An IPv4 address in IPv6 form is the same one."""
    one = ipaddress.ip_address(text)
    return str(getattr(one, "ipv4_mapped", None) or one)


def tell(what):
    print(json.dumps(what), flush=True)


Manager().run()
