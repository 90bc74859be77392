"""What the Monitoring API adds to a query, what it bears, and what it takes.

Starts a Prometheus of its own (loopback, port 19392) with an hour of records of 200 nodes, and the API before it (port
19393) on the first processor; Prometheus and the clients run on the last. Authentication is off: a token that was seen
in the last minute costs a look into a table.

"Each for something else" is what the API cannot share between its clients: no two requests have the same labelSelector.
The direct query is Prometheus' own of the same series, over a connection that stays open, as the API's does.
Prints one JSON object per figure on stdout, progress on stderr.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import rules
from figures import figure, progress

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Catalogue
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.info import information

PROMETHEUS, API = "127.0.0.1:19392", "127.0.0.1:19393"
RECORD = "node:load1:max"
#: Its series changes every so many seconds; those of the other record do not.
CHANGING, EVERY = "node:cpu_usage:ratio", 5
HOUR, AHEAD = 3600, 900
ASKED, SECONDS, CONNECTIONS, CLIENTS = 1000, 10, 8, 2000
KIB = 1024  # to a MiB


def history(now: int) -> Iterator[str]:
    """The last samples lie in the future, for as long as the program runs."""
    yield f"# TYPE {RECORD} gauge\n"
    for node in range(rules.NODES):
        for moment in range(now - HOUR, now + AHEAD, 60):
            yield f'{RECORD}{{cluster="big",node="node-{node}"}} {node % 7} {moment}\n'
    yield f"# TYPE {CHANGING} gauge\n"
    for moment in range(now - HOUR, now + AHEAD, EVERY):
        yield f'{CHANGING}{{cluster="big",node="node-0"}} {value(moment)} {moment}\n'


def value(moment: int) -> float:
    """Of the record that changes; it comes again after so long that nobody takes the one for the other."""
    return moment // EVERY % 100 / 100


@contextmanager
def api(folder: Path) -> Iterator[int]:
    """The image's program; its process."""
    catalogue = folder / "catalogue.json"
    catalogue.write_text(json.dumps(information(Catalogue())), encoding="utf-8")
    settings = {
        "CATALOGUE": str(catalogue),
        "PORT": API.rpartition(":")[2],
        "PROMETHEUS_URL": f"http://{PROMETHEUS}",
        "AUTHENTICATION": "false",
        "RATE": "1000000",
        "BURST": "1000000",
        "LOOK": "1",
        "STREAMS": str(CLIENTS),
    }
    environment = {**os.environ, **settings, "PYTHONPATH": str(rules.ROOT / "images" / "monitoring-api")}
    process = subprocess.Popen([sys.executable, "-m", "monitoring_api"], env=environment)
    try:
        for _ in range(100):
            try:
                ask(http.client.HTTPConnection(API), "/healthz")
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit(f"bench: error: the API at {API} does not answer")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def ask(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        sys.exit(f"bench: error: {path}: {answer.status}: {content.decode()}")
    return content


def of_nodes(numbers: tuple[int, ...]) -> str:
    nodes = ",".join(f"node-{node}" for node in numbers)
    parameters = {"metric": RECORD, "labelSelector": f"node in ({nodes})"}
    return "/api/v1/values?" + urllib.parse.urlencode(parameters)


def direct(numbers: tuple[int, ...]) -> str:
    nodes = "|".join(f"node-{node}" for node in numbers)
    return "/api/v1/query?" + urllib.parse.urlencode({"query": f'{{__name__="{RECORD}",node=~"{nodes}"}}'})


def seconds(connection: http.client.HTTPConnection, path: str) -> float:
    began = time.perf_counter()
    ask(connection, path)
    return time.perf_counter() - began


def latency(chosen: Iterator[tuple[int, ...]]) -> None:
    """One request after the other, by turns direct and by the API."""
    connections = http.client.HTTPConnection(PROMETHEUS), http.client.HTTPConnection(API)
    taken: list[tuple[float, float]] = [
        (seconds(connections[0], direct(numbers)), seconds(connections[1], of_nodes(numbers)))
        for numbers in itertools.islice(chosen, ASKED + 100)
    ][100:]  # the first ones open what stays open
    alone, through = ([1000 * each for each in column] for column in zip(*taken, strict=True))
    for name, goal, quantile in (
        ("median", 3, statistics.median),
        ("99th percentile", 10, lambda times: statistics.quantiles(times, n=100)[98]),
    ):
        before, after = quantile(alone), quantile(through)
        figure(
            f"Latency that the API adds, {name}",
            round(after - before, 2),
            "ms",
            goal,
            note=f"{after:.2f} ms beside {before:.2f} ms of the direct query: {after / before:.1f}x",
        )


def rate(address: str, paths: Callable[[], Iterator[str]]) -> float:
    """Requests a second of some clients that each ask again at once."""
    endless, deadline = paths(), time.monotonic() + SECONDS

    def client(_: int) -> int:
        connection, count = http.client.HTTPConnection(address), 0
        while time.monotonic() < deadline:
            ask(connection, next(endless))
            count += 1
        return count

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(client, range(CONNECTIONS))) / SECONDS


def throughput(chosen: Iterator[tuple[int, ...]]) -> None:
    same = (0, 1, 2)
    alone = rate(PROMETHEUS, lambda: map(direct, chosen))
    for what, paths in (
        ("each for something else", lambda: map(of_nodes, chosen)),
        ("all for the same", lambda: itertools.repeat(of_nodes(same))),
    ):
        measured = rate(API, paths)
        figure(
            f"Requests a second on one core, {what}",
            round(measured),
            "",
            500,
            better="more",
            note=f"{CONNECTIONS} clients; directly {alone:.0f}: {measured / alone:.2f}x",
        )


def memory(process: int) -> float:
    """MiB of resident memory."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    match = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
    assert match is not None
    return int(match[1]) / KIB


def told(sockets: list[socket.socket], limit: float, enough: Callable[[bytes], bool]) -> dict[socket.socket, float]:
    """When each of the clients has received what is enough, for those that did within the limit."""
    moments: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = dict.fromkeys(sockets, b"")
    deadline = time.monotonic() + limit
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while len(moments) < len(sockets) and time.monotonic() < deadline:
            for key, _ in selector.select(1):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                received[client] += client.recv(1 << 16)
                if enough(received[client]):
                    moments[client] = time.monotonic()
                    selector.unregister(client)
    return moments


def stream(process: int) -> None:
    """All clients wait for the same record, which changes every few seconds."""
    host, _, port = API.rpartition(":")
    request = f"GET /api/v1/events?metric={CHANGING} HTTP/1.1\r\nHost: {API}\r\n\r\n".encode()
    sockets: list[socket.socket] = []
    try:
        for _ in range(CLIENTS):
            client = socket.create_connection((host, int(port)), 30)
            client.sendall(request)
            sockets.append(client)
        opened = told(sockets, 60, lambda text: b"retry:" in text)
        progress(f"{len(opened)} clients are connected")
        expected = f'"value":{value(int(time.time()) + 2 * EVERY)},'.encode()
        moments = told(sockets, 3 * EVERY + 10, lambda text: expected in text)
        spread = max(moments.values()) - min(moments.values()) if moments else 0.0
        figure(
            "Clients of the event stream that a change reaches",
            len(moments),
            "",
            CLIENTS,
            better="more",
            possible=CLIENTS,
            note=f"{1000 * spread:.0f} ms from the first to the last",
        )
        figure(f"Resident memory of the API with {CLIENTS:,} clients", round(memory(process), 1), "MiB", 64)
    finally:
        for client in sockets:
            client.close()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 3 * CLIENTS),) * 2)
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[-1:])
    chosen = itertools.combinations(range(rules.NODES), 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules.make_block(folder, history(int(time.time()) // EVERY * EVERY))
        with rules.Server(folder, PROMETHEUS), api(folder) as process:
            os.sched_setaffinity(process, processors[:1])
            progress("One request after the other")
            latency(chosen)
            progress("As many as it bears")
            throughput(chosen)
            figure("Resident memory of the API after these requests", round(memory(process), 1), "MiB", 64)
            progress("The event stream")
            stream(process)


if __name__ == "__main__":
    main()
