"""How far the tasks are: records of the scheduler go in; what is pending, what to cancel and the verdict come out.

Nothing here waits, sends or writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .data import Node
from .errors import COMPSsException, PyCOMPSsException, TaskFailed


@dataclass
class Group:
    """A task group of the main program."""

    #: As the main program calls it.
    name: str
    #: Numbers of its tasks that have not ended.
    pending: set[int] = field(default_factory=set)
    #: The message of the first COMPSsException of its tasks, until the main program gets it.
    exception: str | None = None


@dataclass
class Ending:
    """What the end of one task means to others."""

    #: The node of the task.
    node: Node
    #: Numbers of tasks that must not run any more.
    cancel: set[int] = field(default_factory=set)
    #: Why the application ends with this task; empty where it goes on.
    fatal: str = ""


class Progress:
    """The tasks of one run. Calls are noted by the main program's thread, endings by the listener's."""

    def __init__(self) -> None:
        #: Tasks that were called and have not ended, by number.
        self.pending: dict[int, Node] = {}
        #: How many tasks were called, and how many ended, by name. Each is written by one thread: what is pending is
        #: their difference.
        self.submitted_names: Counter[str] = Counter()
        self.ended_names: Counter[str] = Counter()
        #: How many tasks ended.
        self.ended = 0
        #: Every group that was opened, by name.
        self.groups: dict[str, Group] = {}
        #: Names of the groups that a task called now belongs to.
        self.open_groups: list[str] = []
        #: The message of a COMPSsException of a task outside of groups, until the main program gets it.
        self.ungrouped: str | None = None
        #: Numbers of the tasks that were cancelled or failed.
        self.cancelled: set[int] = set()
        #: Those of `cancelled` that the main program has waited for: their data go back to the version before.
        self.settled: set[int] = set()
        #: Why the application cannot go on; set once, by the first reason.
        self.fatal: str | None = None
        #: Name and computing units of each worker that is there, by address.
        self.workers: dict[str, tuple[str, int]] = {}

    # Calls and ends of tasks

    def submitted(self, node: Node) -> None:
        """A task was called; noted before it can end."""
        self.pending[node.number] = node
        self.submitted_names[node.name] += 1
        for name in node.groups:
            self.groups[name].pending.add(node.number)

    def ending(self, record: dict[str, Any]) -> Ending | None:
        """A task has ended; None where it was counted before, and its lost result was made again."""
        number, state, message = record["task"], record["state"], record.get("message", "")
        node = self.pending.get(number)
        if node is None:
            return None
        ending = Ending(node)
        self.ended += 1
        if state in ("CANCELED", "FAILED"):
            self.cancelled.add(number)
        if state == "RAISED":
            groups = [self.groups[name] for name in node.groups]
            for group in groups:
                group.exception = group.exception or message
                ending.cancel |= group.pending - {number}
            if not groups:
                self.ungrouped = message
                others = self.pending.items()
                ending.cancel |= {other for other, task in others if not task.groups and other != number}
        for name in node.groups:
            self.groups[name].pending.discard(number)
        del self.pending[number]
        self.ended_names[node.name] += 1
        if record.get("fatal"):
            printed = bytes(record.get("err") or b"").decode(errors="replace").strip()
            ending.fatal = f"task {number} ({node.name}) failed on {record['worker']}: {message}\n{printed}".strip()
        return ending

    def erred(self, number: int | None, message: str) -> str:
        """Why the application ends after Dask gave up a task, or a node of the engine (no number); empty where it was
        no longer wanted."""
        if number is not None and number not in self.pending:
            return ""
        node = self.pending.get(number or 0)
        return f"{f'task {node.number} ({node.name})' if node else 'data of the engine'}: {message}"

    def totals(self) -> dict[str, Any]:
        """How many tasks ended, how many are pending, and those by name."""
        names = {name: count - self.ended_names[name] for name, count in list(self.submitted_names.items())}
        names = {name: count for name, count in names.items() if count}
        return {"ended": self.ended, "pending": sum(names.values()), "names": names}

    def still(self, numbers: Iterable[int]) -> list[int]:
        """Those of the tasks that have not ended."""
        return [number for number in numbers if number in self.pending]

    # Opening and closing groups

    def open_group(self, name: str) -> None:
        self.groups.setdefault(name, Group(name)).exception = None
        self.open_groups.append(name)

    def close_group(self, name: str) -> None:
        self.open_groups.remove(name)

    def group(self, name: str) -> Group:
        if name not in self.groups:
            raise PyCOMPSsException(f"there is no task group {name!r}")
        return self.groups[name]

    # Whether the application can go on

    def fail(self, message: str) -> bool:
        """Note why the application cannot go on. Returns whether this is the first reason."""
        if self.fatal is not None:
            return False
        self.fatal = message
        return True

    def check(self) -> None:
        """Raises TaskFailed where the application cannot go on."""
        if self.fatal is not None:
            raise TaskFailed(self.fatal)

    def waited(self, group: Group | None = None) -> None:
        """The main program has waited for a group, or for everything: raises what it has not been told yet."""
        if group is None:
            message, self.ungrouped = self.ungrouped, None
        else:
            message, group.exception = group.exception, None
        if message is not None:
            raise COMPSsException(message)

    def settle(self) -> None:
        """The main program has waited: what was cancelled until now is settled."""
        self.settled |= self.cancelled
