#!/usr/bin/env python3
"""Talks Multipath TCP through the Linux kernel: the other side of the interoperability tests.

Sends a seeded pattern and receives at the same time, shuts its sending direction down after the last byte, reads to
the end, and prints one JSON line per connection. A server prints {"listening": PORT} first.

With --gate it stops after so many bytes until its half of the pattern and the peer's have passed, prints
{"event": "gate"}, and obeys lines on stdin: "look" prints the present state, "view" all that the kernel tells of the
connection, "go" sends the rest, "reset" aborts.
"""
import argparse
import ctypes
import errno
import fcntl
import hashlib
import json
import mmap
import os
import select
import socket
import struct
import sys
import tempfile
import termios
import threading
import time

IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO, MPTCP_TCPINFO, MPTCP_SUBFLOW_ADDRS = 1, 2, 3
FLAG_FALLBACK, FLAG_REMOTE_KEY = 1, 2
IP_TRANSPARENT = 19
TCP_FASTOPEN = 23
TCP_FASTOPEN_CONNECT = 30
BLOCK = 65536


def block(seed, index):
    """The pattern's 64 KiB block `index`; test/interop/pattern.ts makes the same."""
    return hashlib.shake_128(f"{seed}:{index}".encode()).digest(BLOCK)


def pattern(seed, length):
    for index in range((length + BLOCK - 1) // BLOCK):
        yield block(seed, index)[: length - index * BLOCK]


class Connection:
    def __init__(self, sock, options):
        self.sock = sock
        self.options = options
        self.sent = 0
        self.received = 0
        self.error = None
        self.subflows = 0
        self.fallback = None
        self.gate = options.gate
        self.ended = False
        self.aborted = False
        # With Fast Open, the first data opens the connection.
        self.opened = threading.Event()
        self.sent_hash = hashlib.sha256()
        self.received_hash = hashlib.sha256()

    def run(self):
        start = time.monotonic()
        sender = threading.Thread(target=self.guard, args=(self.send,))
        sender.start()
        if self.options.fast_open:
            self.opened.wait()
        self.guard(self.receive)
        self.ended = True
        sender.join()
        seconds = time.monotonic() - start
        self.look()
        if self.options.hold:
            time.sleep(self.options.hold)
        local, remote = self.name("getsockname"), self.name("getpeername")
        if not self.options.disconnect:
            self.sock.close()
        return {
            "sent": self.sent,
            "received": self.received,
            "sentSha256": self.sent_hash.hexdigest(),
            "receivedSha256": self.received_hash.hexdigest(),
            "seconds": round(seconds, 6),
            "mptcp": self.fallback is False,
            "subflows": self.subflows,
            "local": local,
            "remote": remote,
            "error": self.error,
        }

    def guard(self, work):
        try:
            work()
        except OSError as error:
            self.error = self.error or errno.errorcode.get(error.errno, str(error))
        finally:
            self.opened.set()

    def send(self):
        for data in pattern(self.options.seed, self.options.send):
            while self.gate is not None and self.sent + len(data) >= self.gate:
                data = self.send_some(data, self.gate - self.sent)
                if not self.wait_at_gate():
                    return
            self.send_some(data, len(data))
            if self.options.pace:
                time.sleep(self.options.pace)
        if self.gate is not None and not self.wait_at_gate():
            return
        self.look()
        if not self.options.keep_open:
            self.sock.shutdown(socket.SHUT_WR)

    def send_some(self, data, count):
        """Returns what is left."""
        self.sent_hash.update(data[:count])
        SENDERS[self.options.io](self.sock, data[:count])
        self.opened.set()
        self.sent += count
        return data[count:]

    def wait_at_gate(self):
        """Whether to go on."""
        self.gate = None
        while self.received < self.options.gate_received:
            if self.ended:
                return False
            time.sleep(0.005)
        report({"event": "gate"})
        for line in sys.stdin:
            word = line.strip()
            if word == "go":
                return True
            if word == "reset":
                # RFC 8684 section 3.5: with a linger time of zero, closing is MP_FASTCLOSE.
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                break
            if word == "view":
                report({"event": "view", "view": view(self.sock)})
            else:
                report({"event": "look", "subflows": self.look(), "mptcp": self.fallback is False})
        self.aborted = True
        return False

    def receive(self):
        out = open(self.options.receive, "wb") if self.options.receive else None
        buffer = bytearray(1 << 18)
        view = memoryview(buffer)
        while self.options.expect is None or self.received < self.options.expect:
            if not self.readable():
                break
            peeked = self.sock.recv(1 << 18, socket.MSG_PEEK) if self.options.peek else b""
            count = self.sock.recv_into(buffer, len(peeked))
            if count == 0:
                break
            if peeked and peeked[:count] != view[:count]:
                raise OSError("MSG_PEEK showed other data")
            if self.received == 0 or self.received >> 22 != (self.received + count) >> 22:
                self.look()
            self.received += count
            self.received_hash.update(view[:count])
            if out:
                out.write(view[:count])
        if out:
            out.close()

    def readable(self):
        """Waits until there is something to read; False: the connection was aborted here."""
        deadline = time.monotonic() + self.options.timeout
        while not self.aborted:
            if select.select([self.sock], [], [], 0.1)[0]:
                return True
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "nothing came")
        return False

    def look(self):
        """Whether the connection is still MPTCP, and the most subflows ever seen; returns how many there are."""
        try:
            info = self.sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 256)
        except OSError:
            self.fallback = True
            return 1
        extra, flags = struct.unpack_from("=B7xI", info)
        # mptcpi_subflows_total (Linux 6.10) knows whether the first one is still there.
        count = info[80] if len(info) > 80 else extra + 1
        self.fallback = bool(flags & FLAG_FALLBACK)
        self.subflows = max(self.subflows, count)
        return count

    def name(self, which):
        try:
            return list(getattr(self.sock, which)()[:2])
        except OSError:
            return None


def view(sock):
    """MPTCP_INFO, and the ends and TCP states of the subflows (linux/mptcp.h)."""
    info = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 256)
    flags, token = struct.unpack_from("=II", info, 8)
    sent, received, acked = struct.unpack_from("=QQQ", info, 56)
    return {
        "subflows": info[80],
        "fallback": bool(flags & FLAG_FALLBACK),
        "remoteKey": bool(flags & FLAG_REMOTE_KEY),
        "token": f"{token:08x}",
        "checksum": bool(info[42]),
        "sent": sent,
        "received": received,
        "acked": acked,
        "ends": [ends(one) for one in of_subflows(sock, MPTCP_SUBFLOW_ADDRS, 256)],
        # tcpi_state; 1 is ESTABLISHED
        "states": [one[0] for one in of_subflows(sock, MPTCP_TCPINFO, 232)],
    }


def of_subflows(sock, option, size):
    """An option that has an array for the subflows, behind struct mptcp_subflow_data."""
    buffer = ctypes.create_string_buffer(16 + 8 * size)
    struct.pack_into("=IIII", buffer, 0, 16, 0, 0, size)
    length = ctypes.c_uint32(len(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(sock.fileno(), SOL_MPTCP, option, buffer, ctypes.byref(length)) != 0:
        raise OSError(ctypes.get_errno(), "getsockopt")
    count = struct.unpack_from("=I", buffer, 4)[0]
    return [buffer.raw[16 + i * size : 16 + (i + 1) * size] for i in range(count)]


def ends(addresses):
    """Local and remote end of a struct mptcp_subflow_addrs."""
    return [endpoint(addresses[:128]), endpoint(addresses[128:])]


def endpoint(storage):
    family = struct.unpack_from("=H", storage)[0]
    port = struct.unpack_from("!H", storage, 2)[0]
    at, size = (8, 16) if family == socket.AF_INET6 else (4, 4)
    return [socket.inet_ntop(family, storage[at : at + size]), port]


def when_writable(sock, write):
    while True:
        try:
            return write()
        except BlockingIOError:
            # A socket with a timeout does not block.
            if not select.select([], [sock], [], sock.gettimeout())[1]:
                raise TimeoutError(errno.ETIMEDOUT, "nothing went out") from None


def send_file(sock, data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        at = 0
        while at < len(data):
            at += when_writable(sock, lambda: os.sendfile(sock.fileno(), file.fileno(), at, len(data) - at))


def send_mapped(sock, data):
    if not data:
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with mmap.mmap(file.fileno(), len(data)) as mapped:
            sock.sendall(mapped)


def send_spliced(sock, data):
    source, sink = os.pipe()
    at = 0
    while at < len(data):
        piped = os.write(sink, data[at : at + 4096])
        at += piped
        while piped:
            piped -= when_writable(sock, lambda: os.splice(source, sock.fileno(), piped))
    os.close(source)
    os.close(sink)


SENDERS = {"send": socket.socket.sendall, "sendfile": send_file, "mmap": send_mapped, "splice": send_spliced}


def report(what):
    print(json.dumps(what), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["server", "client"])
    parser.add_argument("address", help="of the server; one that takes joins to its other addresses listens on 0.0.0.0 or ::")
    parser.add_argument("port", type=int, help="0: the kernel chooses (server)")
    parser.add_argument("--bind", help="the client's local address")
    parser.add_argument("--send", type=int, default=0, metavar="BYTES")
    parser.add_argument("--seed", default="plait", help="of the pattern that is sent")
    parser.add_argument("--pace", type=float, default=0, metavar="SECONDS", help="rest after every 64 KiB sent")
    parser.add_argument("--receive", metavar="FILE", help="write what arrives to a file")
    parser.add_argument("--expect", type=int, metavar="BYTES", help="stop receiving after so many instead of at the end")
    parser.add_argument("--gate", type=int, metavar="BYTES", help="wait after sending so many")
    parser.add_argument("--gate-received", type=int, default=0, metavar="BYTES", help="and receiving so many")
    parser.add_argument("--keep-open", action="store_true", help="no half-close after sending")
    parser.add_argument("--hold", type=float, default=0, metavar="SECONDS", help="stay open so long after all is done")
    parser.add_argument("--connections", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--disconnect", action="store_true", help="use one socket for all of a client's connections")
    parser.add_argument("--fast-open", action="store_true", help="TCP Fast Open: the first data opens the connection")
    parser.add_argument("--timeout", type=float, default=200, metavar="SECONDS", help="of every blocking call")
    parser.add_argument("--tcp", action="store_true", help="plain TCP")
    parser.add_argument("--io", choices=SENDERS, default="send", help="how to send")
    parser.add_argument("--peek", action="store_true", help="look at what comes with MSG_PEEK before reading it")
    parser.add_argument("--transparent", action="store_true", help="take connections to any address (server)")
    options = parser.parse_args()

    sock = open_socket(options)
    failed = False
    if options.mode == "client":
        for turn in range(options.connections):
            if turn and options.disconnect:
                disconnect(sock)
            elif turn:
                sock = open_socket(options)
            try:
                if options.fast_open:
                    sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
                if options.bind:
                    sock.bind((options.bind, 0))
                sock.connect((options.address, options.port))
            except OSError as error:
                report({"error": errno.errorcode.get(error.errno, str(error))})
                sys.exit(1)
            result = Connection(sock, options).run()
            report(result)
            failed = failed or result["error"] is not None
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.transparent:
            sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        sock.bind((options.address, options.port))
        if options.fast_open:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
        sock.listen(64)
        report({"listening": sock.getsockname()[1]})
        # The listener stays open: Linux resets joins to a port that nobody listens on.
        for _ in range(options.connections):
            accepted, _ = sock.accept()
            accepted.settimeout(options.timeout)
            result = Connection(accepted, options).run()
            report(result)
            failed = failed or result["error"] is not None
    sys.exit(1 if failed else 0)


def open_socket(options):
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    protocol = socket.IPPROTO_TCP if options.tcp else IPPROTO_MPTCP
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    sock.settimeout(options.timeout)
    return sock


def disconnect(sock):
    """connect(2): AF_UNSPEC dissolves the association, and the socket may connect again."""
    # What the peer has not acknowledged by then is lost.
    while struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0] > 0:
        time.sleep(0.005)
    if ctypes.CDLL(None, use_errno=True).connect(sock.fileno(), bytes(16), 16) != 0:
        raise OSError(ctypes.get_errno(), "disconnect")


main()
