"""Stands in for a worker's JVM: NIOWorker.py <name> <MinPort> <MaxPort> <WorkingDir> <JVM options>

It listens on MinPort, or on MaxPort where that is taken, and goes on until its master ends it. A line `store d1` keeps a
result in the WorkingDir, `fetch d1` answers whether it is there, `stop` ends the worker.
"""

import contextlib
import socketserver
import sys
import threading
from pathlib import Path

name, *ports = sys.argv[1:4]
working = Path(sys.argv[4])
working.mkdir(parents=True, exist_ok=True)


class Master(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            order, _, data = line.decode().strip().partition(" ")
            if order == "store":
                (working / f"{data}v1.IT").touch()
            present = order != "fetch" or (working / f"{data}v1.IT").exists()
            self.wfile.write(b"ok\n" if present else b"missing\n")
            if order == "stop":
                threading.Thread(target=self.server.shutdown).start()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


for port in ports:
    with contextlib.suppress(OSError), Server((name, int(port)), Master) as server:
        server.serve_forever(0.1)
        break
