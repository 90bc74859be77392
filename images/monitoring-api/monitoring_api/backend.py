"""What the API asks of a back-end. Names are the catalogue's; how a back-end finds them is its own matter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

from .catalogue import Exporter
from .selector import Requirement


class Unavailable(Exception):  # noqa: N818 - it is an answer: the API's 503
    """A back-end that is away, slow, or refuses."""


class NotGiven(Exception):  # noqa: N818 - it is an answer: the API's 501
    """What this kind of back-end never has."""


class TooMuch(Exception):  # noqa: N818 - it is an answer: the API's 413
    """More than one answer may hold."""


class Series(NamedTuple):
    """One series; each point is (seconds since 1970, value)."""

    metric: str
    labels: dict[str, str]
    points: list[tuple[float, float]]


class Target(NamedTuple):
    """One address that an exporter is asked at."""

    labels: dict[str, str]
    up: bool


#: Of each variable of a board whether it may have several values, and those that are chosen; none are all.
Chosen = Mapping[str, tuple[bool, tuple[str, ...]]]


class Backend(Protocol):
    kind: str

    async def values(self, names: tuple[str, ...], requirements: tuple[Requirement, ...]) -> list[Series]:
        """Each series with its present value as its only point."""

    async def history(
        self, names: tuple[str, ...], requirements: tuple[Requirement, ...], start: float, end: float, step: float
    ) -> list[Series]:
        """Each series with a point for each step at which it has a value."""

    async def label_values(
        self, name: str, label: str, requirements: tuple[Requirement, ...], start: float, end: float
    ) -> list[str]:
        """What a label of a metric has been between two times, sorted; a back-end may look back further."""

    async def drawn(
        self, expressions: tuple[str, ...], chosen: Chosen, start: float, end: float, step: float
    ) -> list[list[Series]]:
        """The series of each query of a board's panel; with a step of 0 each has its value at `end` alone."""

    async def alerts(self) -> list[dict[str, Any]]:
        """Those that are pending or firing: `name`, `state`, `severity`, `since`, `labels` and its texts."""

    async def targets(self, exporter: Exporter) -> list[Target] | None:
        """The targets of an exporter; None where nothing tells them from others'."""

    async def close(self) -> None:
        """Let go of what is open."""


class Shared:
    """Answers for a moment, so that many who ask the same ask once. A failure is not kept."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.clock = seconds, clock
        self.answers: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> Any:
        now = self.clock()
        kept = self.answers.get(key)
        if kept is None or kept[0] < now:
            self.answers = {each: answer for each, answer in self.answers.items() if answer[0] >= now}
            kept = (now + self.seconds, asyncio.ensure_future(ask()))
            self.answers[key] = kept
            kept[1].add_done_callback(lambda future: self._forget(key, future))
        # Whoever goes away early must not end what others wait for.
        return await asyncio.shield(kept[1])

    def _forget(self, key: Hashable, future: asyncio.Future[Any]) -> None:
        if future.cancelled() or future.exception() is not None:
            kept = self.answers.get(key)
            if kept and kept[1] is future:
                del self.answers[key]
