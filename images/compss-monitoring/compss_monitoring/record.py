"""Single tasks: what each of the first ones waits for, and the executions that ended last. Both are bounded.

`State` guards it with its lock, and keeps the names within their limit.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MAX_SINGLE = 500  # tasks of an application that are told one by one; of more there are only the edges between names
MAX_SPANS = 3000
SPANS = "compss_monitoring_spans"  # the list in Redis


class Span(NamedTuple):
    """An execution; times in seconds since 1970. One that runs has no end."""

    id: int
    name: str
    worker: str
    start: float
    end: float | None
    state: str


@dataclass
class Single:
    """A task, and the numbers of those whose output it reads."""

    name: str
    reads: list[int]
    #: Empty until it has ended, then completed or failed.
    state: str = ""


@dataclass
class Record:
    #: Whether what is stored belongs to an earlier run.
    begun: bool = False
    #: Tasks that were called, in all.
    called: int = 0
    #: All of them by number, as long as they are few.
    singles: dict[int, Single] = field(default_factory=dict)
    #: How often a task of one name reads from one of another.
    edges: dict[tuple[str, str], int] = field(default_factory=dict)
    spans: deque[Span] = field(default_factory=lambda: deque(maxlen=MAX_SPANS))
    #: Those of `spans` that have not been stored.
    fresh: list[Span] = field(default_factory=list)

    def take(self, called: int, singles: dict[int, Single], edges: dict[tuple[str, str], int]) -> None:
        """Tasks that were called since the last time, and how many there are now."""
        self.called = called
        self.singles = self.singles | singles if called <= MAX_SINGLE else {}
        for edge, count in edges.items():
            self.edges[edge] = self.edges.get(edge, 0) + count

    def ended(self, span: Span, ran: bool = True) -> None:
        """A task has ended; one that never `ran` has no time."""
        if span.id in self.singles:
            self.singles[span.id].state = span.state
        if ran:
            self.spans.append(span)
            self.fresh.append(span)

    def store(self, pipeline: Any) -> None:
        """Store the spans that are new, in the transaction that stores all numbers."""
        if self.begun:
            pipeline.delete(SPANS)
        if self.fresh:
            pipeline.rpush(SPANS, *(json.dumps(span, separators=(",", ":")) for span in self.fresh[-MAX_SPANS:]))
            pipeline.ltrim(SPANS, -MAX_SPANS, -1)
        self.fresh, self.begun = [], False

    def graph(self, names: dict[str, dict[str, int]], running: set[int]) -> dict[str, Any]:
        """What waits for what, with the `names` of tasks and how many there are of each in which state."""
        first = [task.name for task in self.singles.values()]
        order = dict.fromkeys([*first, *(name for edge in self.edges for name in edge), *names])
        none = {"pending": 0, "running": 0, "completed": 0, "failed": 0}
        return {
            "called": self.called,
            "names": [{"name": name, **names.get(name, none)} for name in order],
            "edges": [{"source": one, "target": two, "count": count} for (one, two), count in self.edges.items()],
            "tasks": [
                {
                    "id": number,
                    "name": task.name,
                    "state": task.state or ("running" if number in running else "pending"),
                    "reads": task.reads,
                }
                for number, task in self.singles.items()
            ],
        }

    def dump(self) -> dict[str, Any]:
        """All but the spans."""
        return {
            "called": self.called,
            "singles": [[number, task.name, task.reads, task.state] for number, task in self.singles.items()],
            "edges": [[*edge, count] for edge, count in self.edges.items()],
        }

    @classmethod
    def load(cls, content: dict[str, Any], spans: list[Any]) -> Record:
        return cls(
            called=content["called"],
            singles={number: Single(*task) for number, *task in content["singles"]},
            edges={(source, target): count for source, target, count in content["edges"]},
            spans=deque((Span(*json.loads(span)) for span in spans), MAX_SPANS),
        )
