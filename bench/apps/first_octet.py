#!/usr/bin/env python3
"""Listens with the kernel's MPTCP and prints when the first octet of each connection came, in nanoseconds of
CLOCK_MONOTONIC, which every process of the machine shares."""
import json
import socket
import sys
import time

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen(8)
print(json.dumps({"listening": int(sys.argv[2])}), flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(1)
    print(json.dumps({"ns": time.monotonic_ns()}), flush=True)
    while connection.recv(4096):
        pass
    connection.close()
