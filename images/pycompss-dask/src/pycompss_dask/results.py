"""What a run leaves behind, as COMPSs does: log, task graph, task logs, trace, state."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

COLOURS = (
    "#0000ff,#ffffff #ffffff,#000000 #ff0000,#000000 #ff00ae,#000000 #b30000,#ffffff #14fdff,#000000"
    " #007272,#ffffff #00ff00,#000000 #ffff00,#000000 #e27e00,#000000 #8000ff,#ffffff #5e5e5e,#ffffff"
)
PALETTE = [pair.split(",") for pair in COLOURS.split()]
ATTEMPTS = ("NEW", "RESUBMITTED", "RESCHEDULED", "RESCHEDULED_RESUBMITTED")
# The event types of COMPSs' traces: which task runs, and its number.
TASK_EVENT, NUMBER_EVENT = 8000000, 8000002
GRAPH_HEAD = (
    "digraph {",
    "  newrank=true;",
    "  rankdir=TB;",
    '  labeljust="l";',
    "  compound= true;",
    "  subgraph dependence_graph {",
    "    ranksep=0.20;",
    "    node[height=0.75];",
)
RUNNING = 1  # Paraver's state "Running"


@dataclass
class Profile:
    """How long the tasks of one name took, in milliseconds."""

    #: How many ended.
    count: int = 0
    #: Milliseconds of all together, of the shortest and of the longest.
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0

    def add(self, value: float) -> None:
        self.least = value if not self.count else min(self.least, value)
        self.most = max(self.most, value)
        self.total += value
        self.count += 1


@dataclass
class WorkerState:
    """What is known of a worker."""

    #: Computing units.
    units: int
    #: Whether it is there now.
    up: bool = True
    #: Executors that have run tasks: tasks that take no unit may need more of them than there are units.
    slots: int = 0


class Results:
    """Collects what happens; writes to `folder`, or nowhere where there is none."""

    def __init__(self, folder: Path | None, application: str = "application", interval: float = 0.0) -> None:
        #: Where to write; nowhere where there is none.
        self.folder = folder
        #: Name of the script.
        self.application = application
        #: Begin of the run in seconds since 1970.
        self.started = time.time()
        #: Names of tasks, each with its place in the order of their first calls.
        self.names: dict[str, int] = {}
        #: Number, name, edges (producer, label), groups, and how many synchronisations came before.
        self.tasks: list[tuple[int, str, list[tuple[int, str]], tuple[str, ...], int]] = []
        #: Kind, producers, and how many tasks came before.
        self.syncs: list[tuple[str, list[int], int]] = []
        #: Numbers of tasks that no later one reads from, in order.
        self.leaves: dict[int, None] = {}
        #: Worker, executor, begin and end in seconds since 1970, name and number of each attempt.
        self.spans: list[tuple[str, int, float, float, str, int]] = []
        #: By the name of the task.
        self.profiles: dict[str, Profile] = {}
        #: By name, also those that have left.
        self.workers: dict[str, WorkerState] = {}
        #: How many tasks ended in each state.
        self.states: dict[str, int] = {}
        #: Names of tasks that have not ended, by number.
        self.open: dict[int, str] = {}
        #: Names of log files of tasks that printed nothing.
        self.quiet: list[str] = []
        #: How many tasks ended, and how many are pending.
        self.done = self.pending = 0
        #: Held while a line is written to runtime.log.
        self.lock = threading.Lock()
        #: Set at the end of the run, for good.
        self.finished = threading.Event()
        if folder is not None:
            for name in ("jobs", "monitor", "trace", "workers", "tmpFiles"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            self.file = (folder / "runtime.log").open("a", buffering=1)
            self.resources = (folder / "resources.log").open("a", buffering=1)
            if interval > 0:
                threading.Thread(target=self._monitor, args=(interval,), daemon=True).start()

    def log(self, level: str, message: str) -> None:
        if self.folder is not None:
            now = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
            with self.lock:
                self.file.write(f"[({now}) {level:>5}] {message}\n")

    # Noting what happens

    def submitted(self, number: int, name: str, reads: list[tuple[int, str]], groups: tuple[str, ...]) -> None:
        self.names.setdefault(name, len(self.names))
        self.tasks.append((number, name, reads, groups, len(self.syncs)))
        self.open[number] = name
        for producer, _ in reads:
            self.leaves.pop(producer, None)
        self.leaves[number] = None

    def synchronised(self, kind: str, producers: Iterable[int]) -> None:
        numbers = [number for number in dict.fromkeys(producers) if number]
        if kind == "barrier":
            numbers = list(self.leaves)
            self.leaves.clear()
        self.syncs.append((kind, numbers, len(self.tasks)))

    def joined(self, worker: str, units: int) -> None:
        self.workers[worker] = WorkerState(units)
        self._resources(f"worker {worker} joined with {units} computing units")

    def left(self, worker: str) -> None:
        if worker in self.workers:
            self.workers[worker].up = False
        self._resources(f"worker {worker} left")

    def _resources(self, message: str) -> None:
        self.log("INFO", message)
        if self.folder is not None:
            self.resources.write(f"[{datetime.now().isoformat(timespec='milliseconds')}] {message}\n")

    def counts(self, done: int, pending: int) -> None:
        self.done, self.pending = done, pending

    def ended(self, record: dict[str, Any], name: str) -> str:
        """Note the end of a task and of its earlier attempts; returns the label of the last attempt."""
        number, worker = record["task"], record["worker"]
        failures = list(record.get("failures") or [])
        lost = record.get("lost", 0)
        if record["state"] == "FAILED" and failures and record.get("fatal"):
            failures.pop()
        last = min(len(failures) + lost, len(ATTEMPTS) - 1)
        self.open.pop(number, None)
        self.states[record["state"]] = self.states.get(record["state"], 0) + 1
        if record["state"] != "CANCELED":
            self.profiles.setdefault(name, Profile()).add((record["end"] - record["begin"]) * 1000)
            self.spans.append((worker, record["slot"], record["begin"], record["end"], name, number))
            state = self.workers.setdefault(worker, WorkerState(1))
            state.slots = max(state.slots, record["slot"] + 1)
        if self.folder is not None:
            for place, (begin, end, message, out, err) in enumerate(failures):
                self._job(number, ATTEMPTS[min(place, 3)], out, err)
                self.spans.append((worker, record["slot"], begin, end, name, number))
                self.log("WARN", f"task {number} ({name}) attempt {ATTEMPTS[min(place, 3)]} FAILED: {message}")
            if record["state"] == "CANCELED" and "out" not in record:
                return ATTEMPTS[last]  # it never started
            self._job(number, ATTEMPTS[last], record.get("out", b""), record.get("err", b""))
        return ATTEMPTS[last]

    def _job(self, number: int, label: str, out: bytes, err: bytes) -> None:
        for data, suffix in ((out, "out"), (err, "err")):
            name = f"job{number}_{label}.{suffix}"
            if data:
                (self.folder / "jobs" / name).write_bytes(data)  # type: ignore[operator]
            else:
                # Tens of thousands of empty files would slow a run down: they are made at its end.
                self.quiet.append(name)

    # Writing the files of a run

    def finish(self) -> None:
        if self.finished.is_set():
            return
        self.finished.set()
        if self.folder is None:
            return
        for name in self.quiet:
            (self.folder / "jobs" / name).touch()
        (self.folder / "monitor" / "complete_graph.dot").write_text(self.graph())
        self.write_state()
        self.write_trace()
        counts = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items())) or "no tasks"
        self.log("INFO", f"{self.application}: {counts}, {time.time() - self.started:.3f} s")
        self.file.close()
        self.resources.close()

    def _monitor(self, interval: float) -> None:
        while not self.finished.wait(interval):
            self.write_state()

    def write_state(self) -> None:
        """`COMPSs_state.xml` and the graph of what has not ended, replaced as a whole so that readers see no half."""
        assert self.folder is not None  # noqa: S101
        for name, text in (("COMPSs_state.xml", self.state()), ("current_graph.dot", self.graph(dict(self.open)))):
            path = self.folder / "monitor" / name
            partial = path.with_suffix(".part")
            partial.write_text(text)
            partial.replace(path)

    def state(self) -> str:
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<COMPSsState>",
            "\t<TasksInfo>",
            '\t\t<Application id="1">',
            f"\t\t\t<TotalCount>{self.done + self.pending}</TotalCount>",
            f"\t\t\t<InProgress>{self.pending}</InProgress>",
            f"\t\t\t<Completed>{self.done}</Completed>",
            "\t\t</Application>",
            "\t</TasksInfo>",
            "\t<CoresInfo>",
        ]
        for name, core in list(self.names.items()):
            profile = self.profiles.get(name, Profile())
            mean = profile.total / profile.count if profile.count else 0
            lines += [
                f'\t\t<Core id="{core}">',
                '\t\t\t<Impl id="0">',
                f"\t\t\t\t<Signature>{escape(f'{self.application}.{name}')}</Signature>",
                f"\t\t\t\t<MeanExecutionTime>{mean:.0f}</MeanExecutionTime>",
                f"\t\t\t\t<MinExecutionTime>{profile.least:.0f}</MinExecutionTime>",
                f"\t\t\t\t<MaxExecutionTime>{profile.most:.0f}</MaxExecutionTime>",
                f"\t\t\t\t<ExecutedCount>{profile.count}</ExecutedCount>",
                "\t\t\t</Impl>",
                "\t\t</Core>",
            ]
        lines += ["\t</CoresInfo>", "\t<ResourceInfo>"]
        for name, worker in list(self.workers.items()):
            lines += [
                f"\t\t<Resource id={quoteattr(name)}>",
                f"\t\t\t<TotalCPUComputingUnits>{worker.units if worker.up else 0}</TotalCPUComputingUnits>",
                "\t\t\t<TotalGPUComputingUnits>0</TotalGPUComputingUnits>",
                "\t\t\t<TotalFPGAComputingUnits>0</TotalFPGAComputingUnits>",
                "\t\t\t<TotalOTHERComputingUnits>0</TotalOTHERComputingUnits>",
                f"\t\t\t<Status>{'Running' if worker.up else 'On Destroy'}</Status>",
                "\t\t\t<Actions></Actions>",
                "\t\t</Resource>",
            ]
        lines += ["\t</ResourceInfo>", "</COMPSsState>", ""]
        return "\n".join(lines)

    def graph(self, only: dict[int, str] | None = None) -> str:
        """The tasks and what each waits for, as Graphviz reads it; of all tasks, or of some."""
        lines = [*GRAPH_HEAD, f'Synchro0[label="main", {_octagon("#8B0000")}];']
        syncs = list(self.syncs)
        written = 0
        # Tasks are numbered from 1 in the order in which they are noted.
        entries = list(self.tasks) if only is None else [self.tasks[number - 1] for number in only]
        for entry in entries:
            while only is None and written < entry[-1]:
                lines += _synchronised(written, syncs[written])
                written += 1
            lines += self._drawn(entry, only)
        if only is None:
            for place in range(written, len(syncs)):
                lines += _synchronised(place, syncs[place])
        lines += [
            "  }",
            "  subgraph legend {",
            "    rank=sink;",
            "    node [shape=plaintext, height=0.75];",
            '    label = "Legend";',
            "    key [label=<",
            '      <table border="0" cellpadding="2" cellspacing="0" cellborder="1">',
        ]
        for name, place in self.names.items():
            colour = PALETTE[place % len(PALETTE)][0]
            lines.append(f'<tr><td align="right">{escape(name)}</td><td bgcolor="{colour}">&nbsp;</td></tr>')
        lines += ["      <tr><td></td></tr></table>", "    >]", "  }", "}", ""]
        return "\n".join(lines)

    def _drawn(
        self, entry: tuple[int, str, list[tuple[int, str]], tuple[str, ...], int], only: dict[int, str] | None
    ) -> list[str]:
        """One task in its groups, and an arrow from each that it waits for."""
        number, name, reads, groups, sync = entry
        lines = []
        fill, font = PALETTE[self.names[name] % len(PALETTE)]
        for group in groups:
            lines += [
                f'subgraph "clusterTasks{_quoted(group)}" {{',
                f'label="{_quoted(group)}";',
                'color="#A9A9A9";',
            ]
        lines.append(f'{number}[shape=circle, style=filled fillcolor="{fill}" fontcolor="{font}"];')
        lines += ["}"] * len(groups)
        before = [(producer, label) for producer, label in dict(reads).items() if only is None or producer in only]
        lines += [f'{producer} -> {number} [label="{label}"];' for producer, label in before]
        if not before:
            lines.append(f"Synchro{sync if only is None else 0} -> {number};")
        return lines

    def write_trace(self) -> None:
        """The time line of every computing unit, for Paraver: .prv (records), .pcf (names), .row (rows)."""
        assert self.folder is not None  # noqa: S101
        base = self.folder / "trace"
        origin = min([self.started, *[begin for _, _, begin, *_ in self.spans]])
        end = max([time.time(), *[stop for _, _, _, stop, *_ in self.spans]])

        def at(moment: float) -> int:
            return max(0, round((moment - origin) * 1e9))

        duration = at(end)
        workers = sorted(self.workers)
        units = [max(self.workers[worker].units, self.workers[worker].slots, 1) for worker in workers]
        threads = [1, *units]
        first = [1]
        for count in threads:
            first.append(first[-1] + count)
        nodes = f"{len(threads)}({','.join(map(str, threads))})"
        tasks = ",".join(f"{count}:{node}" for node, count in enumerate(threads, start=1))
        date = datetime.fromtimestamp(self.started).strftime("%d/%m/%Y at %H:%M")
        header = f"#Paraver ({date}):{duration}_ns:{nodes}:1:{len(threads)}({tasks})"
        rows: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
        places = {worker: place for place, worker in enumerate(workers)}
        for worker, slot, begin, stop, name, number in self.spans:
            if worker in places:
                rows.setdefault((places[worker], slot), []).append((at(begin), at(stop), self.names[name] + 1, number))
        records: list[tuple[int, int, str]] = [(0, 1, f"1:1:1:1:1:0:{duration}:{RUNNING}")]
        for (place, slot), spans in rows.items():
            who = f"{first[place + 1] + slot}:1:{place + 2}:{slot + 1}"
            for begin, stop, value, number in sorted(spans):
                records.append((begin, 1, f"1:{who}:{begin}:{stop}:{RUNNING}"))
                records.append((begin, 2, f"2:{who}:{begin}:{TASK_EVENT}:{value}:{NUMBER_EVENT}:{number}"))
                records.append((stop, 0, f"2:{who}:{stop}:{TASK_EVENT}:0:{NUMBER_EVENT}:0"))
        records.sort(key=lambda record: record[:2])
        (base / f"{self.application}_compss.prv").write_text("\n".join([header, *[text for _, _, text in records], ""]))
        values = "\n".join(f"{place + 1} {self.application}.{name}" for name, place in self.names.items())
        (base / f"{self.application}_compss.pcf").write_text(
            "DEFAULT_OPTIONS\n\nLEVEL               THREAD\nUNITS               NANOSEC\nLOOK_BACK           100\n"
            "SPEED               1\nFLAG_ICONS          ENABLED\nNUM_OF_STATE_COLORS 1000\nYMAX_SCALE          37\n\n\n"
            "DEFAULT_SEMANTIC\n\nTHREAD_FUNC          State As Is\n\n\nSTATES\n0    Idle\n1    Running\n\n\n"
            "STATES_COLOR\n0    {117,195,255}\n1    {0,0,255}\n\n\n"
            f"EVENT_TYPE\n0    {TASK_EVENT}    Task\nVALUES\n0    End\n{values}\n\n\n"
            f"EVENT_TYPE\n0    {NUMBER_EVENT}    Task IDs\n"
        )
        names = ["MASTER", *workers]
        labels = [
            f"THREAD 1.{task}.{thread + 1} ({name})"
            for task, (name, count) in enumerate(zip(names, threads, strict=True), start=1)
            for thread in range(count)
        ]
        cpus = [f"{cpu + 1}.{name}" for name, count in zip(names, threads, strict=True) for cpu in range(count)]
        parts = (("CPU", cpus), ("NODE", names), ("THREAD", labels))
        (base / f"{self.application}_compss.row").write_text(
            "\n".join(line for kind, rows_ in parts for line in (f"LEVEL {kind} SIZE {len(rows_)}", *rows_, "")) + "\n"
        )


def _octagon(colour: str) -> str:
    return f'shape=octagon, style=filled fillcolor="{colour}" fontcolor="#FFFFFF"'


def _synchronised(place: int, sync: tuple[str, list[int], int]) -> list[str]:
    """Where the main program waits, with an arrow from each task that it waits for."""
    kind, producers, _ = sync
    name = f"Synchro{place + 1}"
    style = " [color=grey]" if kind == "barrier" else ""
    return [
        f'{name}[label="{kind}", {_octagon("#ff0000")}];',
        f"Synchro{place} -> {name}{style};",
        *[f"{number} -> {name}{style};" for number in producers],
    ]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
