"""Runs the loop, and serves /metrics; the environment says what, see settings.py."""

from __future__ import annotations

import signal
import sys
import threading

from lightkube.core.exceptions import ConfigError
from prometheus_client import start_http_server

from .cluster import Cluster
from .controller import Controller
from .monitoring import Monitoring
from .settings import Settings


def main() -> int:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = Settings.from_environment()
        controller = Controller(
            settings,
            Cluster(settings.timeout),
            Monitoring(settings.monitoring_api_url, settings.token_file, settings.timeout),
        )
        start_http_server(settings.port, addr="::")
    except (OSError, ValueError, ConfigError) as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        return 2
    controller.run(stopping)
    return 0


if __name__ == "__main__":
    sys.exit(main())
