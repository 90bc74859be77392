"""Changes as server-sent events: one look for all clients that wait for the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from .backend import Backend, NotGiven, TooMuch, Unavailable
from .selector import Requirement

#: So long nothing may be said: a client, and what stands between, then believes that nobody is there.
HEARTBEAT_SECONDS = 15.0
#: Events that may wait for a client; one that is slower is let go, and comes back with a whole picture.
WAITING = 64


@dataclass(frozen=True)
class Subject:
    """What is looked at. Without a threshold each change of a value is an event, with one each crossing of it."""

    names: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    above: float | None = None
    below: float | None = None

    def state(self, value: float) -> str:
        if self.above is not None and value > self.above:
            return "above"
        if self.below is not None and value < self.below:
            return "below"
        return "normal"


def event(kind: str, content: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()


#: What each series was last told to be, and the event that said so.
Told = dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float | str, bytes]]


class Topic:
    """One subject with its clients. It looks as long as it has any."""

    def __init__(self, subject: Subject, backend: Backend, seconds: float) -> None:
        self.subject, self.backend, self.seconds = subject, backend, seconds
        self.clients: set[asyncio.Queue[bytes | None]] = set()
        self.told: Told = {}
        self.trouble = ""
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self.seconds)

    async def look(self) -> None:
        try:
            answered = await self.backend.values(self.subject.names, self.subject.requirements)
        except (Unavailable, NotGiven, TooMuch) as error:
            if str(error) != self.trouble:
                self.trouble = str(error)
                self.tell(event("unavailable", {"reason": self.trouble}))
            return
        if self.trouble:
            self.trouble = ""
            self.tell(event("available", {}))
        threshold = self.subject.above is not None or self.subject.below is not None
        seen: Told = {}
        for item in answered:
            at, value = item.points[-1]
            key, state = (item.metric, tuple(sorted(item.labels.items()))), self.subject.state(value)
            told = state if threshold else number(value)
            before = self.told.get(key)
            if before and before[0] == told:
                seen[key] = before
                continue
            content = {"metric": item.metric, "labels": item.labels, "time": at, "value": number(value), "state": state}
            seen[key] = (told, event("value", content))
            if before or not threshold or state != "normal":
                self.tell(seen[key][1])
        for metric, labels in self.told.keys() - seen.keys():
            self.tell(event("gone", {"metric": metric, "labels": dict(labels)}))
        self.told = seen

    def tell(self, text: bytes) -> None:
        for queue in tuple(self.clients):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self.clients.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def picture(self) -> list[bytes]:
        """What a client that comes now is told first."""
        if self.trouble:
            return [event("unavailable", {"reason": self.trouble})]
        return [text for told, text in self.told.values() if told != "normal"]


def number(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


class Stream:
    """All topics."""

    def __init__(self, backend: Backend, seconds: float, clients: int) -> None:
        self.backend, self.seconds, self.limit = backend, seconds, clients
        self.topics: dict[Subject, Topic] = {}

    @property
    def full(self) -> bool:
        return sum(len(topic.clients) for topic in self.topics.values()) >= self.limit

    async def follow(self, subject: Subject) -> AsyncIterator[bytes]:
        topic = self.topics.get(subject)
        if topic is None:
            topic = self.topics[subject] = Topic(subject, self.backend, self.seconds)
            topic.task = asyncio.create_task(topic.run())
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)
        topic.clients.add(queue)
        try:
            yield b"retry: 5000\n\n" + b"".join(topic.picture())
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield b": nothing has changed\n\n"
                    continue
                if text is None:
                    return
                yield text
        finally:
            topic.clients.discard(queue)
            if not topic.clients and self.topics.get(subject) is topic:
                del self.topics[subject]
                if topic.task:
                    topic.task.cancel()

    async def close(self) -> None:
        tasks = [topic.task for topic in self.topics.values() if topic.task]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
