# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The records against the truth, on a cluster whose nodes are cgroups of this machine (as `make up` makes it).

Needs KUBECONFIG and PROMETHEUS_URL, root, and Go. Pods do known things at known rates; each record of each level must
read within ten percent of what the kernel, the program itself or the API says was done. Takes a quarter of an hour.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "ground-truth"
LABELS = {"app.kubernetes.io/name": "ground-truth"}
# A scratch image that is on every node; the program comes from the machine that all nodes share.
IMAGE = os.environ.get("GROUND_TRUTH_IMAGE", "quay.io/prometheus/node-exporter:v1.12.1")
WINDOW = 120  # seconds; the rate window
BEHIND = 60  # seconds; query_offset, by which records are behind
INTERVAL = 30  # seconds between two scrapes, and between two evaluations
MB = 1_000_000
TOLERANCE = 0.1


def near(value: float) -> Any:
    return pytest.approx(value, rel=TOLERANCE)


def kubectl(*arguments: str, text: str | None = None) -> str:
    program = shutil.which("kubectl") or str(ROOT / ".local/bin/kubectl")
    result = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False, timeout=180)
    assert result.returncode == 0, result.stderr
    return result.stdout


def api(kind: str, *more: str) -> Any:
    return json.loads(kubectl("get", kind, "-o", "json", *more))


def ask(expression: str, moment: float | None = None) -> list[dict[str, Any]]:
    parameters = {"query": expression, "time": moment or time.time()}
    url = os.environ["PROMETHEUS_URL"].rstrip("/") + "/api/v1/query?" + urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  the address is the tester's own
        return list(json.load(answer)["data"]["result"])


def query(expression: str, moment: float | None = None) -> list[tuple[dict[str, str], float]]:
    return [(row["metric"], float(row["value"][1])) for row in ask(expression, moment)]


def one(expression: str, moment: float | None = None) -> float:
    rows = query(expression, moment)
    assert len(rows) == 1, f"{expression}: {rows}"
    return rows[0][1]


def eventually(expression: str, value: float, seconds: int = 150) -> None:
    """A state of the API reaches its record within a scrape and an evaluation."""
    end = time.time() + seconds
    while (values := [row[1] for row in query(expression)]) != [value]:
        assert time.time() < end, f"{expression} is {values}; expected {value}"
        time.sleep(5)


def cgroup(identifier: str, controller: str) -> Path:
    """The folder of a cgroup, on cgroup v1 and v2."""
    unified = Path("/sys/fs/cgroup")
    return (unified if (unified / "cgroup.controllers").exists() else unified / controller) / identifier.lstrip("/")


def cpu_seconds(identifier: str) -> float:
    folder = cgroup(identifier, "cpuacct")
    if (folder / "cpuacct.usage").exists():
        return int((folder / "cpuacct.usage").read_text()) / 1e9
    return int(re.search(r"usage_usec (\d+)", (folder / "cpu.stat").read_text())[1]) / 1e6  # type: ignore[index]


def working_set(identifier: str) -> int:
    folder = cgroup(identifier, "memory")
    current = next(folder / name for name in ("memory.usage_in_bytes", "memory.current") if (folder / name).exists())
    inactive = re.search(r"^(?:total_)?inactive_file (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE)
    totals = re.search(r"^total_inactive_file (\d+)", (folder / "memory.stat").read_text(), re.MULTILINE) or inactive
    return int(current.read_text()) - int(totals[1])  # type: ignore[index]


def accounted(identifier: str) -> bool:
    """Whether the kernel counts a cgroup's disk I/O. That of cgroup v1 may do so only where a throttle limit is set."""
    folder = cgroup(identifier, "blkio")
    counters = next(
        folder / name for name in ("blkio.throttle.io_service_bytes", "io.stat") if (folder / name).exists()
    )
    return any(int(number) for number in re.findall(r"(?:Write |wbytes=)(\d+)", counters.read_text()))


def processes(identifier: str) -> list[int]:
    folder = cgroup(identifier, "cpuacct")
    return [int(line) for path in folder.rglob("cgroup.procs") for line in path.read_text().split()]


def identifier_of(pod: str, container: str) -> str:
    (row,) = query(f'process:cpu_usage_cores:rate{{pod="{pod}", container="{container}"}}')
    return row[0]["id"]


def interfaces(pid: int) -> dict[str, tuple[int, int]]:
    """Bytes received and transmitted by each interface, as that process' network namespace counts them."""
    rows = (line.replace(":", " ").split() for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:])
    return {row[0]: (int(row[1]), int(row[9])) for row in rows}


def written() -> int:
    """Bytes written on the disks of the machine."""
    rows = (line.split() for line in Path("/proc/diskstats").read_text().splitlines())
    return sum(int(row[9]) * 512 for row in rows if re.fullmatch(r"vd.|sd.|nvme\d+n\d+", row[2]))


def printed(pod: str) -> int:
    return int(kubectl("logs", "-n", NAMESPACE, pod, "--tail=1"))


def pod(name: str, node: str, folder: Path, *arguments: str, claim: str = "") -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"name": "program", "hostPath": {"path": str(folder)}}]
    mounts = [{"name": "program", "mountPath": "/program", "readOnly": True}]
    if claim:
        volumes.append({"name": "volume", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "volume", "mountPath": "/volume"})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": LABELS},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 0,
            "volumes": volumes,
            "containers": [
                {
                    "name": "load",
                    "image": IMAGE,
                    "command": ["/program/load", *arguments],
                    "volumeMounts": mounts,
                    "resources": {"requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"memory": "400Mi"}},
                    "securityContext": {"runAsUser": 0},
                }
            ],
        },
    }


def claim(name: str, size: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def apply(*objects: dict[str, Any]) -> None:
    kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


class Load:
    """What ran, and what the kernel and the programs counted from `since` to `until`."""

    def __init__(self, nodes: list[str]) -> None:
        self.nodes = nodes
        self.truth: dict[str, float] = {}
        self.until = 0.0
        # What the disks had written, second by second.
        self.disks: list[tuple[float, int]] = []

    def mean(self, record: str) -> float:
        """A rate over the time in which the truth was counted: each of its windows lies within it."""
        return one(f"avg_over_time({record}[{INTERVAL * 2 + 1}s])", self.until)

    def now(self, record: str) -> float:
        """A record at the end of that time."""
        return one(record, self.until)

    def disks_had_written(self, moment: float) -> float:
        after = next(i for i, (t, _) in enumerate(self.disks) if t >= moment)
        (t0, before), (t1, then) = self.disks[after - 1 : after + 1]
        return before + (then - before) * (moment - t0) / (t1 - t0)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    for variable in ("KUBECONFIG", "PROMETHEUS_URL"):
        if not os.environ.get(variable):
            pytest.skip(f"{variable} is not set: no cluster to compare with")
    if os.geteuid() != 0:
        pytest.skip("the cgroup files of the nodes can be read by root only")
    folder = tmp_path_factory.mktemp("program")
    folder.chmod(0o755)
    environment = {**os.environ, "CGO_ENABLED": "0"}
    source = Path(__file__).parent / "load"
    subprocess.run(["go", "build", "-o", str(folder / "load"), "."], cwd=source, check=True, env=environment)
    nodes = sorted(item["metadata"]["name"] for item in api("nodes")["items"])
    state = Load(nodes)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    apply(namespace)
    try:
        apply(
            claim("written", "64Mi"),
            claim("filled", "100Mi"),
            pod("burn", nodes[0], folder, "cpu", "0.5"),
            pod("hold", nodes[1], folder, "memory", "200"),
            pod("receive", nodes[1], folder, "receive", ":9000"),
            pod("write", nodes[0], folder, "write", "/volume/file", str(5 * MB), claim="written"),
            pod("fill", nodes[1], folder, "fill", "/volume/file", str(80 << 20), claim="filled"),
        )
        kubectl("wait", "-n", NAMESPACE, "pod", "--all", "--for=condition=Ready", "--timeout=120s")
        address = api("pod", "-n", NAMESPACE, "receive")["status"]["podIP"]
        apply(pod("send", nodes[0], folder, "send", f"{address}:9000", str(MB)))
        kubectl("wait", "-n", NAMESPACE, "pod", "--all", "--for=condition=Ready", "--timeout=120s")
        time.sleep(150)  # until every record, a minute behind, has a whole window
        measure(state)
        yield state
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def measure(state: Load) -> None:
    """Count for the windows of three records, then let Prometheus see the end of it."""
    burn, hold = identifier_of("burn", "load"), identifier_of("hold", "load")
    node_cgroups = [
        row[0]["id"] for row in query('process:cpu_usage_cores:rate{id=~"/[^/]+/[^/]+/(kubepods|system.slice/[^/]+)"}')
    ]
    sender = processes(identifier_of("send", "load"))[0]
    exporters = query(f'process:cpu_usage_cores:rate{{container="node-exporter", node="{state.nodes[0]}"}}')
    host = processes(exporters[0][0]["id"])[0]

    def counters() -> dict[str, float]:
        readings = {
            "burn": cpu_seconds(burn),
            "sent": printed("send"),
            "received": printed("receive"),
            "written": printed("write"),
        }
        readings |= {f"cgroup {identifier}": cpu_seconds(identifier) for identifier in node_cgroups}
        readings["pod transmit"] = interfaces(sender)["eth0"][1]
        readings["node transmit"] = interfaces(host)["eth0"][1]
        return readings

    began, before = time.time(), counters()
    while time.time() < began + WINDOW + 2 * INTERVAL:
        state.disks.append((time.time(), written()))
        time.sleep(1)
    after, state.until = counters(), time.time()
    state.truth = {name: (after[name] - before[name]) / (state.until - began) for name in before}
    state.truth["hold"] = working_set(hold)
    state.truth["kubelet memory"] = working_set(next(i for i in node_cgroups if "kubelet" in i and state.nodes[0] in i))
    state.truth["node memory"] = sum(working_set(i) for i in node_cgroups if f"/{state.nodes[1]}/" in i)
    time.sleep(BEHIND + 2 * INTERVAL)


@pytest.mark.parametrize(
    "record",
    [
        'container:cpu_usage_cores:rate{pod="burn", container="load"}',
        'process:cpu_usage_cores:rate{pod="burn", container="load"}',
        'pod:cpu_usage_cores:rate{pod="burn"}',
        'application:cpu_usage_cores:rate{workload="burn", workload_type="Pod"}',
    ],
)
def test_half_a_core(load: Load, record: str) -> None:
    assert load.truth["burn"] == near(0.5)
    assert load.mean(record) == near(load.truth["burn"])


def test_cpu_of_the_namespace_is_that_of_its_pods(load: Load) -> None:
    pods = sum(value for _, value in query(f'pod:cpu_usage_cores:rate{{namespace="{NAMESPACE}"}}'))
    assert one(f'namespace:cpu_usage_cores:rate{{namespace="{NAMESPACE}"}}') == near(pods)
    assert pods > load.truth["burn"] * 0.9


def test_cpu_of_nodes_and_cluster(load: Load) -> None:
    used = {
        node: sum(v for n, v in load.truth.items() if n.startswith("cgroup ") and f"/{node}/" in n)
        for node in load.nodes
    }
    for node in load.nodes:
        assert load.mean(f'node:cpu_usage_cores:rate{{node="{node}"}}') == pytest.approx(
            used[node], rel=TOLERANCE, abs=0.02
        )
        assert load.mean(
            f'system_service:cpu_usage_cores:rate{{node="{node}", unit="kubelet.service"}}'
        ) == pytest.approx(
            next(v for n, v in load.truth.items() if "kubelet.service" in n and f"/{node}/" in n), rel=0.25, abs=0.01
        )
    size = os.cpu_count()  # all nodes together have the machine's processors, and no more
    assert size
    assert one("cluster:cpu_capacity_cores:sum") == size
    assert load.mean("cluster:cpu_usage_cores:rate") == near(sum(used.values()))
    assert load.mean("cluster:cpu_usage:percent") == near(100 * sum(used.values()) / size)
    allocatable = sum(float(cores(item["status"]["allocatable"]["cpu"])) for item in api("nodes")["items"])
    assert one("sum(node:cpu_allocatable_cores:max)") == near(allocatable)


def cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


@pytest.mark.parametrize(
    "record",
    [
        'container:memory_working_set_bytes:max{pod="hold", container="load"}',
        'process:memory_working_set_bytes:max{pod="hold", container="load"}',
        'pod:memory_working_set_bytes:sum{pod="hold"}',
        'application:memory_working_set_bytes:sum{workload="hold", workload_type="Pod"}',
        'container:memory_limit_usage:ratio{pod="hold", container="load"} * 400 * 1024 * 1024',
    ],
)
def test_200_mib(load: Load, record: str) -> None:
    assert load.truth["hold"] == near(200 << 20)
    assert load.now(record) == near(load.truth["hold"])


def test_memory_of_namespace_service_node_and_cluster(load: Load) -> None:
    pods = sum(value for _, value in query(f'pod:memory_working_set_bytes:sum{{namespace="{NAMESPACE}"}}'))
    assert one(f'namespace:memory_working_set_bytes:sum{{namespace="{NAMESPACE}"}}') == near(pods)
    assert pods > 0.9 * load.truth["hold"]
    kubelet = f'system_service:memory_working_set_bytes:sum{{node="{load.nodes[0]}", unit="kubelet.service"}}'
    assert load.now(kubelet) == near(load.truth["kubelet memory"])
    assert load.now(f'node:memory_working_set_bytes:sum{{node="{load.nodes[1]}"}}') == near(load.truth["node memory"])
    nodes = sum(value for _, value in query("node:memory_working_set_bytes:sum", load.until))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert load.now("cluster:memory_usage:percent") == near(100 * nodes / memory)


@pytest.mark.parametrize(
    ("record", "truth"),
    [
        ('process:network_transmit_bytes:rate{pod="send"}', "sent"),
        ('pod:network_transmit_bytes:rate{pod="send"}', "sent"),
        ('container:network_transmit_bytes:rate{pod="send", container="load"}', "sent"),
        ('application:network_transmit_bytes:rate{workload="send"}', "sent"),
        (f'namespace:network_transmit_bytes:rate{{namespace="{NAMESPACE}"}}', "sent"),
        ('pod:network_transmit_bytes:rate{pod="send"}', "pod transmit"),
        ('process:network_receive_bytes:rate{pod="receive"}', "received"),
        ('pod:network_receive_bytes:rate{pod="receive"}', "received"),
        ('container:network_receive_bytes:rate{pod="receive", container="load"}', "received"),
        (f'namespace:network_receive_bytes:rate{{namespace="{NAMESPACE}"}}', "received"),
    ],
)
def test_one_megabyte_per_second_to_another_node(load: Load, record: str, truth: str) -> None:
    assert load.truth["sent"] == near(MB)
    assert load.mean(record) == near(load.truth[truth])


def test_network_of_node_and_cluster(load: Load) -> None:
    assert load.mean(f'node:network_transmit_bytes:rate{{node="{load.nodes[0]}"}}') == near(load.truth["node transmit"])
    nodes = sum(value for _, value in query("node:network_transmit_bytes:rate"))
    assert one("cluster:network_transmit_bytes:rate") == near(nodes)
    assert nodes > MB


@pytest.mark.parametrize(
    "record",
    [
        'pod:disk_written_bytes:rate{pod="write"}',
        f'namespace:disk_written_bytes:rate{{namespace="{NAMESPACE}"}}',
        'application:disk_written_bytes:rate{workload="write"}',
    ],
)
def test_five_megabytes_per_second_to_a_volume(load: Load, record: str) -> None:
    assert load.truth["written"] == near(5 * MB)
    if not accounted(identifier_of("write", "load")):
        pytest.skip("this kernel accounts no disk I/O to the cgroup that wrote: there is nothing to record")
    assert load.mean(record) == near(load.truth["written"])


def test_disks_of_nodes_are_those_of_the_machine(load: Load) -> None:
    """The machine's disk has other users, who are not steady: the truth is that between the scrapes of the window."""
    for node in load.nodes:
        record = f'node:disk_written_bytes:rate{{node="{node}"}}'
        moment = load.now(f"timestamp({record})")
        counters = ask(f'node_disk_written_bytes_total{{node="{node}"}}[{WINDOW}s]', moment)
        scrapes = [float(t) for t, _ in counters[0]["values"]]
        done = load.disks_had_written(scrapes[-1]) - load.disks_had_written(scrapes[0])
        assert load.now(record) == near(done / (scrapes[-1] - scrapes[0]))


@pytest.mark.usefixtures("load")
def test_filled_volume() -> None:
    filled = '{namespace="' + NAMESPACE + '", persistentvolumeclaim="filled"}'
    capacity, used = one("volume:capacity_bytes:max" + filled), one("volume:used_bytes:max" + filled)
    assert used == near(80 << 20)
    assert one("volume:used:ratio" + filled) == near(used / capacity)
    assert 0.7 < used / capacity < 1
    # A file system keeps some space back, so that used and available are less than all of it.
    assert one("volume:available_bytes:min" + filled) == pytest.approx(capacity - used, abs=0.05 * capacity)
    assert one('application:volume_used_bytes:sum{workload="fill"}') == near(used)


def test_cordoned_node(load: Load) -> None:
    nodes = len(load.nodes)
    assert one("cluster:nodes:count") == nodes
    eventually("cluster:nodes_available:sum", nodes)
    kubectl("cordon", load.nodes[-1])
    try:
        eventually("cluster:nodes_available:sum", nodes - 1)
        assert one("cluster:nodes:count") == nodes
        assert one(f'node:ready:max{{node="{load.nodes[-1]}"}}') == 1
    finally:
        kubectl("uncordon", load.nodes[-1])
    eventually("cluster:nodes_available:sum", nodes)


def test_stopped_node(load: Load) -> None:
    """The kubelet is halted, not ended: no supervisor starts another one, and it goes on where it was."""
    nodes, node = len(load.nodes), load.nodes[-1]
    (row,) = query(f'process:cpu_usage_cores:rate{{node="{node}", id=~".*/kubelet.service"}}')
    kubelet = processes(row[0]["id"])
    for pid in kubelet:
        os.kill(pid, signal.SIGSTOP)
    try:
        eventually("cluster:nodes_available:sum", nodes - 1)
        assert one("cluster:nodes:count") == nodes
        # An evaluation that is under way has written the first of its records.
        eventually(f'node:ready:max{{node="{node}"}}', 0)
        eventually(f'node:problems:sum{{node="{node}"}}', 1)
    finally:
        for pid in kubelet:
            os.kill(pid, signal.SIGCONT)
    eventually("cluster:nodes_available:sum", nodes)
