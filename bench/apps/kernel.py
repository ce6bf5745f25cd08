#!/usr/bin/env python3
"""One direction of data through the Linux kernel's MPTCP, as fast as it goes: the peer of `bench/apps/plait.ts`.

A sender connects and writes out of one buffer for so many seconds; a receiver listens, prints {"listening": PORT}, and
reads to the end into one buffer, where the first octet of each piece must be the right one. Both print one JSON line at the end.
"""
import argparse
import json
import resource
import socket
import time

IPPROTO_MPTCP = 262
# Octets of a system call by default: those cost nothing then beside copying.
PIECE = 1 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["send", "receive"])
    parser.add_argument("address", help="of the receiver")
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float, nargs="?", default=1)
    parser.add_argument("--piece", type=int, default=PIECE, help="octets of a system call")
    options = parser.parse_args()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    if options.mode == "send":
        sock.connect((options.address, options.port))
        octets, seconds = send(sock, options.seconds, options.piece)
    else:
        # Linux resets joins to an address that nobody listens on: all of them.
        sock.bind(("0.0.0.0", options.port))
        sock.listen(8)
        report({"listening": options.port})
        octets, seconds = receive(sock.accept()[0], options.piece)
    used = resource.getrusage(resource.RUSAGE_SELF)
    report({"octets": octets, "seconds": seconds, "cpu": used.ru_utime + used.ru_stime})


def send(sock, limit, piece):
    data = memoryview(bytes(range(256)) * (piece // 256))
    start = time.monotonic()
    sent = 0
    while time.monotonic() - start < limit:
        sent += sock.send(data)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    return sent, time.monotonic() - start


def receive(sock, piece):
    """Time runs from the first octets to the end."""
    data = memoryview(bytearray(piece))
    received = sock.recv_into(data)
    start = time.monotonic()
    while count := sock.recv_into(data):
        if data[0] != received % 256:
            raise ValueError(f"a wrong octet at {received}")
        received += count
    return received, time.monotonic() - start


def report(what):
    print(json.dumps(what), flush=True)


main()
