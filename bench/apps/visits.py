#!/usr/bin/env python3
"""Opens many connections through the kernel's MPTCP, so many at once: `visits.py ADDRESS PORT COUNT hold|visit`.

`hold` leaves them open until a line comes on stdin; `visit` sends 1 KB on each, reads to the end, and closes it. Prints
{"seconds": ...} when the last one is open, or closed.
"""
import json
import resource
import selectors
import socket
import sys
import time

IPPROTO_MPTCP = 262
AT_ONCE = 64
MESSAGE = bytes(1024)


def main():
    address, port, count, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    selector = selectors.EpollSelector()
    left = count
    pending = 0
    kept = []
    start = time.monotonic()
    while left or pending:
        while left and pending < AT_ONCE:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, IPPROTO_MPTCP)
            sock.connect_ex((address, port))
            selector.register(sock, selectors.EVENT_WRITE)
            left -= 1
            pending += 1
        for key, events in selector.select():
            sock = key.fileobj
            if events & selectors.EVENT_WRITE:
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "connect")
                if mode == "visit":
                    sock.send(MESSAGE)
                    selector.modify(sock, selectors.EVENT_READ)
                    continue
                kept.append(sock)
            elif sock.recv(4096):
                continue
            selector.unregister(sock)
            pending -= 1
            if mode == "visit":
                sock.close()
    print(json.dumps({"seconds": time.monotonic() - start}), flush=True)
    sys.stdin.readline()


main()
