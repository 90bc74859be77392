"""COMPSs_state.xml, which the runtime rewrites while it runs: `--monitoring`."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Core:
    """Executions of the tasks of one name. Their number jumps when a worker is added again; the totals do not."""

    name: str
    executed: int
    spent: float  # seconds, in all


@dataclass(frozen=True)
class Resource:
    """A worker. One that the runtime has dropped is not listed; one that it starts has an action that is no task."""

    name: str
    units: int
    up: bool
    running: int


@dataclass(frozen=True)
class Snapshot:
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


def resource(node: ElementTree.Element) -> Resource:
    units = int(number(node, "TotalCPUComputingUnits") or number(node, "TotalComputingUnits"))
    actions = [action.text or "" for action in node.iterfind("Actions/Action")]
    started = not any("StartWorkerAction" in action for action in actions)
    return Resource(
        name=node.get("id") or "",
        units=units,
        up=started and units > 0 and (node.findtext("Status") or "Running") == "Running",
        running=sum("ExecutionAction" in action for action in actions),
    )


def parse(text: str) -> Snapshot:
    """What the file says; ValueError where it is not whole."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (written by our own runtime, in our own volume)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
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
        in_progress=int(sum(number(node, "InProgress") for node in applications)),
        completed=int(sum(number(node, "Completed") for node in applications)),
        cores=tuple(Core(name, times, spent) for name, (times, spent) in cores.items()),
        resources=tuple(resource(node) for node in root.iterfind("ResourceInfo/Resource")),
    )


def newest(results: Path, since: float) -> Path | None:
    """The state file of the run that goes on."""
    files = [(path.stat().st_mtime, path) for path in results.glob(".COMPSs/*/monitor/COMPSs_state.xml")]
    fresh = [entry for entry in files if entry[0] >= since]
    return max(fresh)[1] if fresh else None
