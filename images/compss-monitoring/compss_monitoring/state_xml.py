"""COMPSs_state.xml, which the runtime rewrites while it runs: `--monitoring`."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Core:
    name: str
    executed: int
    mean: float  # seconds


@dataclass(frozen=True)
class Resource:
    name: str
    units: int
    status: str
    actions: int


@dataclass(frozen=True)
class Snapshot:
    total: int
    in_progress: int
    completed: int
    cores: tuple[Core, ...]
    resources: tuple[Resource, ...]


def number(node: ElementTree.Element, path: str) -> float:
    try:
        return float(node.findtext(path) or 0)
    except ValueError:
        return 0.0


def task_name(signature: str) -> str:
    """`multiply` of `matmul.multiply` and of `multiply(OBJECT_T,OBJECT_T)matmul`."""
    return signature.partition("(")[0].rpartition(".")[2] or signature


def parse(text: str) -> Snapshot:
    root = ElementTree.fromstring(text)  # noqa: S314 (written by our own runtime, in our own volume)
    cores: dict[str, tuple[int, float]] = {}
    for core in root.iterfind("CoresInfo/Core"):
        # A task may have several implementations, and several cores one name.
        for implementation in core.iterfind("Impl"):
            name = task_name(implementation.findtext("Signature") or core.get("id") or "")
            executed, spent = cores.get(name, (0, 0.0))
            times = int(number(implementation, "ExecutedCount"))
            cores[name] = (executed + times, spent + times * number(implementation, "MeanExecutionTime") / 1000)
    applications = root.findall("TasksInfo/Application")
    return Snapshot(
        total=int(sum(number(node, "TotalCount") for node in applications)),
        in_progress=int(sum(number(node, "InProgress") for node in applications)),
        completed=int(sum(number(node, "Completed") for node in applications)),
        cores=tuple(Core(name, times, spent / times if times else 0.0) for name, (times, spent) in cores.items()),
        resources=tuple(
            Resource(
                name=node.get("id") or "",
                units=int(number(node, "TotalCPUComputingUnits") or number(node, "TotalComputingUnits")),
                status=node.findtext("Status") or "Running",
                actions=len(node.findall("Actions/Action")),
            )
            for node in root.iterfind("ResourceInfo/Resource")
        ),
    )


def newest(results: Path, since: float) -> Path | None:
    """The state file of the run that goes on."""
    found = [(path.stat().st_mtime, path) for path in results.glob("*/monitor/COMPSs_state.xml")]
    fresh = [entry for entry in found if entry[0] >= since]
    return max(fresh)[1] if fresh else None
