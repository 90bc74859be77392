"""How long tasks may take: what the environment says, and what the decorators of the script say."""

from __future__ import annotations

import json
import os

ENVIRONMENT = "COMPSS_DEADLINES"

#: Whether the engine takes the time of tasks itself; it says so when it is imported.
engine_measures = False
#: What the decorators of the script say: seconds and jitter by the name of the task.
declared: dict[str, tuple[float, float]] = {}


class Deadlines:
    """Seconds and jitter by the name of the task."""

    def __init__(self, limits: dict[str, tuple[float, float]] | None = None) -> None:
        #: Seconds and jitter by the name of the task, as the environment says.
        self.limits = dict(limits or {})
        #: How many tasks took longer, by name.
        self.missed: dict[str, int] = {}

    @classmethod
    def parse(cls, text: str) -> Deadlines:
        text = text.strip()
        try:
            if text.startswith("{"):
                limits = {}
                for name, value in json.loads(text).items():
                    if isinstance(value, dict):
                        limits[name] = (float(value["seconds"]), float(value.get("jitter", 0)))
                    else:
                        limits[name] = (float(value), 0.0)
                return cls(limits)
            limits = {}
            for entry in filter(None, (part.strip() for part in text.split(","))):
                name, _, value = entry.partition("=")
                seconds, _, jitter = value.partition("+")
                limits[name.strip()] = (float(seconds), float(jitter or 0))
            return cls(limits)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{ENVIRONMENT} is {text!r}, expected name=seconds[+jitter],… or JSON") from error

    @classmethod
    def from_environment(cls) -> Deadlines:
        return cls.parse(os.environ.get(ENVIRONMENT, ""))

    def of(self, name: str) -> dict[str, float]:
        """The deadline of a task, empty where it has none."""
        limit = self.limits.get(name) or declared.get(name)
        return {"deadline": limit[0], "jitter": limit[1]} if limit else {}

    def check(self, name: str, duration: float) -> dict[str, float] | None:
        """The deadline that `duration` misses, if it does."""
        limit = self.of(name)
        if not limit or duration <= limit["deadline"] + limit["jitter"]:
            return None
        self.missed[name] = self.missed.get(name, 0) + 1
        return limit
