"""What the catalogue's rules cost, and what they save, on a history of 200 nodes and 10,000 pods.

Starts a Prometheus of its own (loopback, port 19390). Its history is made so that queries find it as on a site: the
last minutes of every series are in the head, where remote write brings them; the hour before them is a block, with the
series that panels of clusters and namespaces read and that are not of pods. Rules and windows are those of the role.
Prometheus evaluates all rules; then each cluster- and namespace-level figure is asked for by record, and by the raw
query that the record stands for.

A panel asks for an hour in steps of 30 s, as the dashboards do. What reads series of pods is asked for one step only,
as their hour would be 37 million samples; a longer time only adds to what a record gains. The gain is that of the
query as Prometheus times it (execTotalTime): the way there and back and the JSON of the answer are the same for both.
"As a client sees it" has them all the same.
Prints one JSON object per figure on stdout, progress on stderr.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from figures import figure, progress

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (  # noqa: E402
    METRICS,
    Catalogue,
    Configuration,
    Selection,
    rules_file,
)

NODES, NAMESPACES, DEPLOYMENTS, PODS = 200, 20, 1000, 10_000
STEP, HOUR = 30, 3600  # seconds: between two samples, and what a panel shows
# Seconds of history that the head has when it is made. A chunk of the head has 120 samples when it is full; rules
# find it half full, at the mean, and read it from its beginning.
PAST, AHEAD = 1500, 420
# What the role gives to the module besides its defaults.
CONFIGURATION = Configuration(query_offset="1m")
ADDRESS = "127.0.0.1:19390"


def program(name: str) -> str:
    path = Path(os.environ.get(name.upper()) or ROOT / ".local/bin" / name)
    if not os.access(path, os.X_OK):
        sys.exit(f"bench: error: no {name} at {path}; run `make up` once, which builds it, or set {name.upper()}")
    return str(path)


Series = tuple[str, str, int, int]
CADVISOR, STATE, HOST = (f'cluster="big",job="{job}"' for job in ("cadvisor", "kube-state-metrics", "node-exporter"))
NODE_LABELS = [f'node="node-{n}"' for n in range(NODES)]
APPLICATIONS = [(f'namespace="team-{d % NAMESPACES}"', f"app-{d}") for d in range(DEPLOYMENTS)]
KINDS = 50  # pods differ, in so many kinds


@cache
def pods() -> list[tuple[int, str, str, str, int]]:
    """Number, the labels of the node, of the pod and of its namespace, and the number of the deployment."""
    rows = []
    for p in range(PODS):
        deployment = p % DEPLOYMENTS
        space = f'namespace="team-{deployment % NAMESPACES}"'
        rows.append((p, NODE_LABELS[p % NODES], f'{space},pod="app-{deployment}-5d4f-{p}"', space, deployment))
    return rows


def series() -> Iterator[Series]:
    """Name, labels, first value and rise per sample of every series, family by family."""
    yield from series_of_containers()
    yield from series_of_pods()
    yield from series_of_applications()
    yield from series_of_nodes()
    yield from series_of_hosts()


def containers(family: str, rise: int, start: int = 1000, cgroups: bool = True) -> Iterator[Series]:
    for p, node, name, _, _ in pods():
        labels = f'{CADVISOR},{node},{name},id="/kubepods/burstable/pod{p}'
        kind = p % KINDS
        yield family, f'{labels}/1",container="app",image="app:1",name="{p}a"', start + kind, rise * (kind + 1)
        if cgroups:
            yield family, f'{labels}",container="",image="",name=""', start + kind, rise * (kind + 1)
    if cgroups:
        for n, node in enumerate(NODE_LABELS):
            yield family, f'{CADVISOR},{node},id="/"', start, rise * (n % KINDS + 1) * 60
            for unit in ("kubelet", "containerd"):
                yield family, f'{CADVISOR},{node},id="/system.slice/{unit}.service"', start, rise


def series_of_containers() -> Iterator[Series]:
    yield from containers("container_cpu_usage_seconds_total", 1)
    yield from containers("container_memory_working_set_bytes", 0, 50_000_000)
    # One period of three: an alert for each container is no site's everyday state.
    for family, rise in (("container_cpu_cfs_periods_total", 3), ("container_cpu_cfs_throttled_periods_total", 1)):
        yield from containers(family, rise, cgroups=False)
    for family in ("container_spec_cpu_quota", "container_spec_cpu_period"):
        yield from containers(family, 0, 100_000, cgroups=False)
    for family in ("container_fs_reads_bytes_total", "container_fs_writes_bytes_total"):
        for p, node, name, _, _ in pods():
            labels = f'{CADVISOR},{node},{name},id="/kubepods/burstable/pod{p}/1",container="app",image="app:1"'
            yield family, f'{labels},device="/dev/vda"', 0, 4096
    for verb in ("receive", "transmit"):
        for family, rise in (
            (f"container_network_{verb}_bytes_total", 30_000),
            (f"container_network_{verb}_packets_dropped_total", 1),
        ):
            for p, node, name, _, _ in pods():
                labels = f'{CADVISOR},{node},{name},id="/kubepods/burstable/pod{p}/0",image="pause:3.10"'
                yield family, f'{labels},interface="eth0"', 0, rise * (p % KINDS + 1)


def series_of_pods() -> Iterator[Series]:
    for family, resources in (
        ("kube_pod_container_resource_requests", (("cpu", 1), ("memory", 64_000_000))),
        ("kube_pod_container_resource_limits", (("cpu", 2), ("memory", 128_000_000))),
    ):
        for _, node, name, _, _ in pods():
            for resource, value in resources:
                yield family, f'{STATE},{node},{name},container="app",resource="{resource}"', value, 0
    for _, node, name, _, _ in pods():
        yield "kube_pod_info", f'{STATE},{node},{name},host_network="false"', 1, 0
    for _, _, name, _, deployment in pods():
        owner = f'owner_kind="ReplicaSet",owner_name="app-{deployment}-5d4f",owner_is_controller="true"'
        yield "kube_pod_owner", f"{STATE},{name},{owner}", 1, 0
    for _, _, name, _, _ in pods():
        for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
            yield "kube_pod_status_phase", f'{STATE},{name},phase="{phase}"', int(phase == "Running"), 0
    for _, _, name, _, _ in pods():
        yield "kube_pod_status_ready", f'{STATE},{name},condition="true"', 1, 0
    for _, _, name, _, _ in pods():
        yield "kube_pod_container_status_restarts_total", f'{STATE},{name},container="app"', 0, 0
    for p, _, _, space, deployment in pods():
        yield "kube_endpoint_address", f'{STATE},{space},endpoint="app-{deployment}",ip="10.0.{p}",ready="true"', 1, 0


def series_of_applications() -> Iterator[Series]:
    for space, name in APPLICATIONS:
        owner = f'replicaset="{name}-5d4f",owner_kind="Deployment",owner_name="{name}",owner_is_controller="true"'
        yield "kube_replicaset_owner", f"{STATE},{space},{owner}", 1, 0
    for family in ("spec_replicas", "status_replicas_available", "metadata_generation"):
        for space, name in APPLICATIONS:
            yield f"kube_deployment_{family}", f'{STATE},{space},deployment="{name}"', 10, 0
    for space, name in APPLICATIONS:
        yield "kube_service_info", f'{STATE},{space},service="{name}"', 1, 0
    for space, name in APPLICATIONS:
        yield "kube_endpoint_info", f'{STATE},{space},endpoint="{name}"', 1, 0
    for part, size in (("capacity", 10**9), ("used", 6 * 10**8), ("available", 4 * 10**8)):
        for d, (space, name) in enumerate(APPLICATIONS):
            labels = f'cluster="big",job="kubelet",{NODE_LABELS[d % NODES]},{space},persistentvolumeclaim="{name}"'
            yield f"kubelet_volume_stats_{part}_bytes", labels, size, 0


def series_of_nodes() -> Iterator[Series]:
    for node in NODE_LABELS:
        yield "kube_node_info", f"{STATE},{node}", 1, 0
    for node in NODE_LABELS:
        yield "kube_node_spec_unschedulable", f"{STATE},{node}", 0, 0
    for node in NODE_LABELS:
        for condition in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
            value = int(condition == "Ready")
            yield "kube_node_status_condition", f'{STATE},{node},condition="{condition}",status="true"', value, 0
    for family in ("kube_node_status_capacity", "kube_node_status_allocatable"):
        for node in NODE_LABELS:
            for resource, value in (("cpu", 64), ("memory", 256 * 10**9), ("pods", 110)):
                yield family, f'{STATE},{node},resource="{resource}"', value, 0


def series_of_hosts() -> Iterator[Series]:
    for node in NODE_LABELS:
        for cpu in range(8):
            for mode in ("idle", "user", "system", "iowait"):
                yield "node_cpu_seconds_total", f'{HOST},{node},cpu="{cpu}",mode="{mode}"', 0, 7
    for verb in ("receive", "transmit"):
        for family in (f"node_network_{verb}_bytes_total", f"node_network_{verb}_drop_total"):
            for node in NODE_LABELS:
                for device in ("eth0", "cni0", "lo", "veth1"):
                    yield family, f'{HOST},{node},device="{device}"', 0, 300_000
    for family, kind, rise in (
        ("node_filesystem_size_bytes", "mountpoint", 0),
        ("node_filesystem_avail_bytes", "mountpoint", 0),
        ("node_disk_read_bytes_total", "", 4096),
        ("node_disk_written_bytes_total", "", 4096),
        ("node_disk_io_time_seconds_total", "", 3),
    ):
        for node in NODE_LABELS:
            more = ',mountpoint="/",fstype="ext4",device="/dev/vda1"' if kind else ',device="vda"'
            yield family, f"{HOST},{node}{more}", 10**11, rise
    for family, value in (
        *((f"node_load{minutes}", 3) for minutes in (1, 5, 15)),
        ("node_memory_MemTotal_bytes", 256 * 10**9),
        ("node_memory_MemAvailable_bytes", 128 * 10**9),
        ("node_boot_time_seconds", 1),
        ("node_time_seconds", 10**6),
    ):
        for node in NODE_LABELS:
            yield family, f"{HOST},{node}", value, 0


class Server:
    """A Prometheus on its own folder, and one connection to it."""

    def __init__(self, folder: Path, address: str, *flags: str) -> None:
        self.folder, self.address, self.flags = folder, address, flags
        self.connection = http.client.HTTPConnection(address, timeout=300)

    def __enter__(self) -> Server:
        self.configure()
        command = [program("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        command += [f"--web.listen-address={self.address}", *self.flags]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        for _ in range(120):
            try:
                self.ask("query", query="1")
                break
            except (OSError, http.client.HTTPException, ValueError):
                self.connection.close()
                time.sleep(1)
        else:
            self.fail("does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def fail(self, why: str) -> NoReturn:
        self.process.kill()
        sys.exit(f"bench: error: Prometheus {why}; the end of its log:\n" + (self.folder / "log").read_text()[-2000:])

    def configure(self, rules: str = "") -> None:
        (self.folder / "rules.yml").write_text(rules, encoding="utf-8")
        (self.folder / "prometheus.yml").write_text("rule_files: [rules.yml]\n", encoding="utf-8")

    def reconfigure(self, rules: str) -> None:
        self.configure(rules)
        self.process.send_signal(signal.SIGHUP)

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        self.connection.request(method, f"/api/v1/{path}", body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise ValueError(f"{path}: {answer.status}: {content.decode()}")
        return content

    def ask(self, path: str, **parameters: str) -> Any:
        return json.loads(self.request("GET", f"{path}?" + urllib.parse.urlencode(parameters)))["data"]

    def rules_evaluated(self) -> float:
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        return sum(float(value) for value in re.findall(r"^prometheus_rule_evaluations_total{.*} (.+)$", text, re.M))

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_block(folder: Path, lines: Iterable[str]) -> None:
    """Blocks of the lines, in OpenMetrics' text format and without its end, beside those that are in data."""
    path = folder / "history.om"
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        file.writelines(lines)
        file.write("# EOF\n")
    command = [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", path.name, "data"]
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    path.unlink()


def before(families: set[str], start: int, end: int) -> Iterator[str]:
    """The samples before those of the head, of the series that are not of pods."""
    last = ""
    for family, labels, value, rise in series():
        if family in families and ',pod="' not in labels:
            if family != last:
                kind = "counter" if family.endswith("_total") else "gauge"
                yield f"# TYPE {family.removesuffix('_total') if kind == 'counter' else family} {kind}\n"
                last = family
            for i, moment in enumerate(range(start, end, STEP)):
                yield f"{family}{{{labels}}} {value + rise * i} {moment}\n"


# Remote write, version 1: Protocol Buffers in Snappy's block format, here as one literal and so not compressed.


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(content)) + content


@cache
def label(text: str) -> bytes:
    name, value = text[:-1].split('="', 1)
    return field(1, field(1, name.encode()) + field(2, value.encode()))


@cache
def samples(value: int, rise: int, first: int, times: range) -> bytes:
    return b"".join(
        field(2, b"\x09" + struct.pack("<d", value + rise * i) + b"\x10" + varint(1000 * moment))
        for i, moment in enumerate(times, first)
    )


def push(server: Server, start: int, times: range) -> int:
    """Write the samples of those times; `start` is that of the first sample of all. Returns how many series."""
    first = (times.start - start) // STEP
    batch: list[bytes] = []
    size = count = 0

    def send() -> None:
        message = b"".join(batch)
        body = varint(len(message)) + b"\xfc" + struct.pack("<I", len(message) - 1) + message
        server.request("POST", "write", body, Content_Encoding="snappy", Content_Type="application/x-protobuf")

    for family, labels, value, rise in series():
        parts = [label(f'__name__="{family}"'), *map(label, labels.split(",")), samples(value, rise, first, times)]
        batch.append(field(1, b"".join(parts)))
        size, count = size + len(batch[-1]), count + 1
        if size > 4_000_000:
            send()
            batch.clear()
            size = 0
    send()
    return count


def raw_query(expression: str, expressions: dict[str, str]) -> str:
    """What a dashboard without records would ask: every record replaced by what it stands for.

    Matchers of a record are handed down to the raw series, which have these labels too; a range of it is a subquery.
    """
    pattern = re.compile(
        r"(?<![\w:])(" + "|".join(map(re.escape, expressions)) + r")(?![\w:])(?:\{([^}]*)\})?(?:\[(\w+)\])?(\s+offset)?"
    )

    def replaced(match: re.Match[str]) -> str:
        if match[4]:
            raise LookupError(f"{match[1]} of another time has no raw form")
        raw = raw_query(expressions[match[1]], expressions)
        asked = re.sub(r"(\w+){", rf"\1{{{match[2]}, ", raw) if match[2] else raw
        return f"({asked})" + (f"[{match[3]}:{STEP}s]" if match[3] else "")

    return pattern.sub(replaced, expression)


def timed(server: Server, query: str, start: float, end: float, times: int) -> tuple[float, float]:
    """Seconds of a panel's range query, in Prometheus and as its client sees it: the medians of some runs."""
    inside, outside = [], []
    for _ in range(times):
        began = time.perf_counter()
        data = server.ask("query_range", query=query, start=str(start), end=str(end), step=str(STEP), stats="all")
        outside.append(time.perf_counter() - began)
        inside.append(data["stats"]["timings"]["execTotalTime"])
        if not data["result"]:
            raise LookupError(query)
    return statistics.median(inside), statistics.median(outside)


def rendering() -> None:
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT / 'collections')!r}); began = time.perf_counter()\n"
        "from ansible_collections.continuum.edge.plugins.module_utils.catalogue import *\n"
        "rules_file(Catalogue().groups(Selection())); print(time.perf_counter() - began)"
    )
    runs = [float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(5)]
    figure("Whole catalogue rendered, imports included", round(statistics.median(runs), 3), "s", 0.3)


def evaluations(server: Server, end: float) -> tuple[list[dict[str, float]], dict[str, float], float]:
    """Seconds of each group, for each time that all were evaluated; of each rule; CPU seconds of evaluating all once.

    The first time does not count: it makes all series of the records.
    """
    seen: dict[str, dict[str, float]] = {}
    each: dict[str, float] = {}
    began: tuple[float, float, float] | None = None
    while time.time() < end:
        time.sleep(2)
        if server.process.poll() is not None:
            server.fail("ended")
        groups = server.ask("rules")["groups"]
        for group in groups:
            failing = [f"{rule['name']}: {rule['lastError']}" for rule in group["rules"] if rule["health"] == "err"]
            if failing:
                server.fail(f"fails at {len(failing)} rules, such as {failing[0]}")
            if all(rule["health"] == "ok" for rule in group["rules"]):
                seen.setdefault(group["name"], {})[group["lastEvaluation"]] = group["evaluationTime"]
                each.update({rule["name"]: rule["evaluationTime"] for rule in group["rules"]})
        if began is None and groups and len(seen) == len(groups):
            began = (time.time(), server.cpu_seconds(), server.rules_evaluated())
        if began and time.time() - began[0] > 2.5 * STEP and all(len(times) > 2 for times in seen.values()):
            break
    if began is None or any(len(times) < 2 for times in seen.values()):
        sys.exit("bench: error: the rules were not evaluated twice before the history's end; is the machine too busy?")
    # By what was evaluated and not by time: a busy machine leaves evaluations out.
    cpu = (server.cpu_seconds() - began[1]) / (server.rules_evaluated() - began[2]) * len(each)
    rounds = min(len(times) for times in seen.values()) - 1
    return [{name: list(times.values())[-1 - n] for name, times in seen.items()} for n in range(rounds)], each, cpu


def prepared(folder: Path, catalogue: Catalogue, panels: Iterable[str] = ()) -> tuple[Server, int, int]:
    """A Prometheus, not started, on a block for these panels; and the times of the first sample of all and of now."""
    folder.mkdir(exist_ok=True)
    now = int(time.time()) // STEP * STEP
    start = now - PAST - HOUR
    families = {one for name in panels for names in catalogue.exporters[name].values() for one in names}
    if families:
        progress("Making the block of the hour before")
        make_block(folder, before(families, start, now - PAST))
    return Server(folder, ADDRESS, "--web.enable-remote-write-receiver"), start, now


def filled(server: Server, catalogue: Catalogue, start: int, now: int) -> int:
    """Bring all series into the head, then let it evaluate the rules. Returns how many series."""
    progress(f"Writing the minutes of {NODES} nodes and {PODS} pods")
    count = push(server, start, range(now - PAST, now + AHEAD + STEP, STEP))
    progress("Evaluating the rules")
    server.reconfigure(rules_file(catalogue.groups(Selection())))
    return count


def stretch(server: Server, names: Iterable[str], times: range, folder: Path) -> None:
    """A block below the folder in which each record has its present value, or nearly, at all those times."""

    def lines() -> Iterator[str]:
        for name in sorted(names):
            result = server.ask("query", query=name)["result"]
            if result:
                yield f"# TYPE {name} gauge\n"
            for one in result:
                labels = ",".join(f'{k}="{v}"' for k, v in one["metric"].items() if k != "__name__")
                value = float(one["value"][1])
                for moment in times:
                    # The value moves, as real ones do: a constant one would be stored, and read, for nothing.
                    moved = value * (1 + moment // STEP % 7 / 1000) if value % 1 else value
                    yield f"{name}{{{labels}}} {moved} {moment}\n"

    make_block(folder, lines())


def measure(folder: Path) -> None:
    catalogue = Catalogue(CONFIGURATION)
    asked = [metric.name for metric in METRICS if metric.level in ("cluster", "namespace")]
    server, start, now = prepared(folder, catalogue, asked)
    with server:
        count = filled(server, catalogue, start, now)
        rounds, each, cpu = evaluations(server, now + AHEAD)
        for name, seconds in sorted(each.items(), key=lambda item: item[1])[-20:]:
            progress(f"{seconds:8.3f} s  {name}")
        for name in rounds[0]:
            progress(f"{statistics.median(one[name] for one in rounds):8.3f} s  {name}")
        total = statistics.median(sum(one.values()) for one in rounds)
        figure(f"All rule groups evaluated, one after the other ({STEP} s interval)", round(total, 2), "s", STEP / 10)
        slowest = statistics.median(max(one.values()) for one in rounds)
        figure("The slowest rule group", round(slowest, 2), "s", STEP / 10)
        figure("CPU that Prometheus takes for it", round(cpu, 2), "CPU s", None)
        recorded = server.ask("query", query='count({__name__=~".+:.+:.+"})')["result"][0]["value"][1]
        figure(f"Series that the records add to {count}", int(recorded), "series", None)
        server.reconfigure("")
        panels(server, catalogue, asked)


def panels(server: Server, catalogue: Catalogue, asked: Iterable[str]) -> None:
    progress("Asking by record and by raw query")
    expressions = {metric.name: catalogue.entries[metric.name].expr for metric in METRICS}
    last = int(time.time()) // STEP * STEP - 2 * STEP
    raw, spans = {}, {}
    for name in asked:
        raw[name] = raw_query(name, expressions)
        if server.ask("query", query=raw[name], time=str(last))["result"]:
            long = server.ask("query", query=raw[name], time=str(last - HOUR))["result"]
            spans[name] = HOUR if long else STEP
    hours = [name for name, span in spans.items() if span == HOUR]
    stretch(server, hours, range(last - HOUR, last - STEP, STEP), server.folder)
    for _ in range(100):  # Prometheus looks for new blocks once a minute
        if all(server.ask("query", query=name, time=str(last - HOUR))["result"] for name in hours):
            break
        time.sleep(1)
    else:
        server.fail("does not read its new block")
    gains: dict[str, list[float]] = {}
    seen: dict[str, list[float]] = {}
    for name, span in spans.items():
        inside, outside = zip(
            timed(server, name, last - span, last, 15), timed(server, raw[name], last - span, last, 3), strict=True
        )
        gains[name], seen[name] = list(inside), list(outside)
    for name, (by_record, by_raw) in sorted(gains.items(), key=lambda item: item[1][1] / item[1][0]):
        progress(
            f"{by_raw / by_record:8.0f} x  {1000 * by_record:8.3f} ms  {1000 * by_raw:9.1f} ms"
            f"  {'an hour ' if spans[name] == HOUR else 'one step'}  {name}"
        )
    for text, span in (("one step over series of pods", STEP), ("an hour over other series", HOUR)):
        chosen = [name for name in gains if spans[name] == span]
        ratios = sorted(gains[name][1] / gains[name][0] for name in chosen)
        what = f"{len(chosen)} panels of {text}, by record"
        figure(f"{what}: least gain", round(ratios[0], 1), "x", 50, "more")
        figure(f"{what}: median gain", round(statistics.median(ratios), 1), "x", None, "more")
        client = statistics.median(seen[name][1] / seen[name][0] for name in chosen)
        figure(f"{what}: median gain as a client sees it", round(client, 1), "x", None, "more")
    figure(
        "Slowest panel by record, as a client sees it",
        round(1000 * max(one for one, _ in seen.values()), 2),
        "ms",
        None,
    )
    figure(
        "Slowest panel by raw query, as a client sees it",
        round(1000 * max(raw for _, raw in seen.values()), 1),
        "ms",
        None,
    )


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rendering()
    with tempfile.TemporaryDirectory(prefix="continuum-bench-rules-", ignore_cleanup_errors=True) as folder:
        measure(Path(folder))


if __name__ == "__main__":
    main()
