"""A stream of events and the queue before their receiver, in real time: what a digital twin of a queue follows.

Events come at random, at a rate that can be changed while it runs. The receiver has a number of threads, which can be
changed, too: all of them work on one event at a time, a part of which is serial. With exponential service times this is
M/M/1, with 166.7 events per second on 16 threads and 222.2 on 32. No thread computes: events take their time only.

    python stream.py --rate 125 --threads 16 --port 8000
    curl -X PUT -d '{"rate": 185}' http://localhost:8000/settings
    curl http://localhost:8000/metrics
"""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

#: Seconds of one event's service: what one thread must do, and what all of them share.
SERIAL, PARALLEL = 0.003, 0.048
#: Seconds: an empty queue without events to come has no next one.
LONGEST_WAIT = 60.0
#: The most events per second, and threads, that are taken.
LIMITS = {"rate": 10_000, "threads": 1024}


class Queue:
    """Moves from event to event. Times are seconds since it began, of whatever clock calls `advance`."""

    def __init__(self, rate: float, threads: int, seed: int | None = None) -> None:
        self.random = random.Random(seed)  # noqa: S311 (no secret)
        self.now = 0.0
        #: Events that wait or are served.
        self.inside = 0
        self.arrived = self.served = 0
        #: Seconds that events have waited, all together: grows by the queue's length each second.
        self.waited = 0.0
        self.rate, self.threads = rate, threads
        self.arrival, self.departure = self._after(rate), math.inf

    @property
    def waiting(self) -> int:
        return max(self.inside - 1, 0)

    @property
    def service_rate(self) -> float:
        """Events per second."""
        return 1 / (SERIAL + PARALLEL / self.threads)

    @property
    def next(self) -> float:
        return min(self.arrival, self.departure)

    def set(self, rate: float, threads: int) -> None:
        """From now on. An exponential time that has begun may be drawn anew: it has no memory."""
        self.rate, self.threads = rate, threads
        self.arrival = self._after(rate)
        self.departure = self._after(self.service_rate) if self.inside else math.inf

    def advance(self, now: float) -> None:
        """Lets all happen that happens until then."""
        while self.next <= now:
            self._pass(self.next)
            if self.arrival <= self.departure:
                self.arrived += 1
                self.inside += 1
                self.arrival = self._after(self.rate)
                begins = self.inside == 1
            else:
                self.served += 1
                self.inside -= 1
                self.departure = math.inf
                begins = self.inside > 0
            if begins:
                self.departure = self._after(self.service_rate)
        self._pass(now)

    def _pass(self, now: float) -> None:
        self.waited += self.waiting * (now - self.now)
        self.now = now

    def _after(self, rate: float) -> float:
        return self.now + self.random.expovariate(rate) if rate else math.inf


class Stream(Collector):
    """A queue that moves with the clock."""

    def __init__(self, queue: Queue, clock: Callable[[], float] = time.monotonic) -> None:
        self.queue, self.clock, self.began = queue, clock, clock()
        self.lock = threading.Condition()
        self.stopping = False

    def run(self, seconds: float) -> None:
        """Until it is stopped, or for so long."""
        with self.lock:
            while not self.stopping and self.queue.now < seconds:
                self.queue.advance(min(self.clock() - self.began, seconds))
                self.lock.wait(min(self.queue.next - self.queue.now, seconds - self.queue.now, LONGEST_WAIT))

    def stop(self) -> None:
        with self.lock:
            self.stopping = True
            self.lock.notify()

    def settings(self) -> dict[str, Any]:
        return {"rate": self.queue.rate, "threads": self.queue.threads}

    def change(self, settings: dict[str, Any]) -> None:
        """Set what is in them and keep the rest."""
        with self.lock:
            self.queue.advance(self.clock() - self.began)
            self.queue.set(**{**self.settings(), **settings})
            self.lock.notify()

    def collect(self) -> Iterator[Metric]:
        with self.lock:
            queue = self.queue
            queue.advance(self.clock() - self.began)
            yield GaugeMetricFamily("stream_queue_length", "Events that wait.", queue.waiting)
            yield GaugeMetricFamily("stream_threads", "Threads that the receiver has.", queue.threads)
            yield GaugeMetricFamily("stream_set_rate_hertz", "Events per second that are asked for.", queue.rate)
            yield CounterMetricFamily("stream_events_arrived", "Events that have arrived.", queue.arrived)
            yield CounterMetricFamily("stream_events_served", "Events that have been served.", queue.served)
            yield CounterMetricFamily(
                "stream_queue_length_seconds",
                "Queue length, summed up over time: its rate is the mean queue length.",
                queue.waited,
            )


def checked(settings: Any) -> dict[str, Any]:
    """Raises ValueError."""
    if not isinstance(settings, dict) or set(settings) - set(LIMITS):
        raise ValueError(f"{settings!r}: expected an object of {' and '.join(LIMITS)}")
    for name, value in settings.items():
        whole = name == "threads"
        good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not good or not (1 if whole else 0) <= value <= LIMITS[name]:
            kind = f"a whole number from 1 to {LIMITS[name]}" if whole else f"a number from 0 to {LIMITS[name]}"
            raise ValueError(f"{name} is {value!r}: expected {kind}")
    return settings


def handler(stream: Stream) -> type[BaseHTTPRequestHandler]:
    registry = CollectorRegistry()
    registry.register(stream)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self.answer(200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(registry))
            elif self.path == "/settings":
                self.answer(200, "application/json", json.dumps(stream.settings()).encode())
            else:
                self.answer(404, "text/plain", b"expected /metrics or /settings\n")

        def do_PUT(self) -> None:
            if self.path != "/settings":
                self.answer(404, "text/plain", b"expected /settings\n")
                return
            try:
                settings = checked(json.loads(self.body()))
            except ValueError as error:
                self.answer(400, "text/plain", f"{error}\n".encode())
                return
            stream.change(settings)
            self.answer(200, "application/json", json.dumps(stream.settings()).encode())

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing: a scrape is no news."""

    return Handler


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=125, help="events per second")
    parser.add_argument("--threads", type=int, default=16, help="threads of the receiver")
    parser.add_argument("--port", type=int, default=8000, help="of /metrics and /settings; 0 takes a free one")
    parser.add_argument("--seconds", type=float, default=math.inf, help="how long it runs; without end by default")
    parser.add_argument("--seed", type=int, help="of the random times")
    options = parser.parse_args()
    try:
        settings = checked({"rate": options.rate, "threads": options.threads})
    except ValueError as error:
        parser.error(str(error))

    stream = Stream(Queue(**settings, seed=options.seed))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stream.stop).start())
    server = ThreadingHTTPServer(("", options.port), handler(stream))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(
        f"stream: {settings['rate']:g} events per second for {settings['threads']} threads; port {server.server_port}"
    )
    sys.stdout.flush()
    stream.run(options.seconds)
    server.shutdown()
    queue = stream.queue
    print(
        f"stream: {queue.arrived} events in {queue.now:.1f} s, {queue.inside} of them left; "
        f"mean queue length {queue.waited / queue.now if queue.now else 0:.2f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
