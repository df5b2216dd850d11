"""What stands for a database in a sandbox site: it takes connections, and says so.

`python -m runbook.demo.database PORT`
"""

import socketserver
import sys

GREETING = b"ready\n"


class _Greeter(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Greet whoever connects."""
        self.request.sendall(GREETING)


class _Server(socketserver.TCPServer):
    allow_reuse_address = True


if __name__ == "__main__":
    with _Server(("127.0.0.1", int(sys.argv[1])), _Greeter) as server:
        server.serve_forever()
