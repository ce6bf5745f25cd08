#!/usr/bin/env python3
"""Takes connections through the kernel's MPTCP; answers 1 KB with 1 KB and closes: `serve.py PORT`, the peer of
`bench/apps/serve.ts`."""
import json
import resource
import selectors
import socket
import sys

IPPROTO_MPTCP = 262
MESSAGE = bytes(1024)

most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
selector = selectors.EpollSelector()
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, IPPROTO_MPTCP)
listener.bind(("0.0.0.0", int(sys.argv[1])))
listener.listen(4096)
selector.register(listener, selectors.EVENT_READ)
print(json.dumps({"listening": int(sys.argv[1])}), flush=True)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            sock, _ = listener.accept()
            selector.register(sock, selectors.EVENT_READ)
        elif data := key.fileobj.recv(4096):
            key.fileobj.send(MESSAGE)
            key.fileobj.shutdown(socket.SHUT_WR)
        else:
            selector.unregister(key.fileobj)
            key.fileobj.close()
