"""Serves the API; the environment says what, see settings.py."""

from __future__ import annotations

import socket
import sys

import uvicorn

from .app import create
from .settings import Settings


def listening(port: int) -> socket.socket:
    """A socket for both families of addresses, where the machine has both."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=2048, dualstack_ipv6=True)
    return socket.create_server(("", port), backlog=2048)


def main() -> int:
    try:
        settings = Settings.from_environment()
        app = create(settings)
    except (OSError, ValueError, KeyError) as error:
        print(f"monitoring-api: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        limit_concurrency=settings.streams + 200,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listening(settings.port)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
