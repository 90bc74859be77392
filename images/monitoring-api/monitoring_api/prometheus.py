"""The back-end prometheus: anything that has Prometheus' HTTP API. Its query language is spoken in this file only."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from .backend import Chosen, Series, Shared, Target, Unavailable
from .catalogue import Exporter
from .selector import Requirement
from .settings import Settings
from .web import Asker

#: Records change once in an evaluation interval, so that a second more tells nobody less.
SHARED_SECONDS = 1.0
#: The catalogue's selector of exporters that have no job of their own: those of applications.
ANY_JOB = 'job=~".+"'
_VARIABLE = re.compile(r"\$(\w+)")
_SPECIAL = re.compile(r"[.+*?()|\[\]{}^$\\]")


def text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def matcher(requirement: Requirement) -> str:
    if len(requirement.values) == 1:
        return f"{requirement.label}{'!=' if requirement.negated else '='}{text(requirement.values[0])}"
    pattern = "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in requirement.values)
    return f"{requirement.label}{'!~' if requirement.negated else '=~'}{text(pattern)}"


def selector(names: tuple[str, ...], requirements: tuple[Requirement, ...]) -> str:
    return "{" + ",".join(map(matcher, (Requirement("__name__", names), *requirements))) + "}"


def filled(expression: str, chosen: Chosen, step: float) -> str:
    """A board's expression with its variables' values in it, which stand in quotes there."""
    # A rate needs several scrapes, however close the steps are.
    values = {"__interval": f"{max(step, 60):.0f}s", "__rate_interval": f"{max(4 * step, 120):.0f}s"}
    for name, (several, given) in chosen.items():
        if several:
            pattern = "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in given) if given else ".*"
            values[name] = text(pattern)[1:-1]
        else:
            values[name] = text(given[0] if given else "")[1:-1]
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), expression)


def series(entry: dict[str, Any]) -> Series:
    labels = dict(entry["metric"])
    points = entry["values"] if "values" in entry else [entry["value"]]
    return Series(labels.pop("__name__", ""), labels, [(float(at), float(value)) for at, value in points])


class Prometheus:
    kind = "prometheus"

    def __init__(self, settings: Settings) -> None:
        self.http = Asker("Prometheus", settings.prometheus_url, settings.timeout, settings.answer_bytes)
        self.shared = Shared(SHARED_SECONDS)

    async def data(self, path: str, **parameters: str) -> Any:
        # The body carries what an address could be too long for.
        return await self.answer("POST", path, data=parameters)

    async def answer(self, method: str, path: str, **request: Any) -> Any:
        status, answer = await self.http.ask(method, f"api/v1/{path}", **request)
        if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success":
            kind = answer.get("errorType", "no JSON") if isinstance(answer, dict) else "no JSON"
            raise Unavailable(f"Prometheus answered {status} ({kind})")
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.data("query", query=expression))["result"]
        return entries

    async def values(self, names: tuple[str, ...], requirements: tuple[Requirement, ...]) -> list[Series]:
        async def ask() -> list[Series]:
            return [series(entry) for entry in await self.query(selector(names, requirements))]

        answer: list[Series] = await self.shared.get((names, requirements), ask)
        return answer

    async def history(
        self, names: tuple[str, ...], requirements: tuple[Requirement, ...], start: float, end: float, step: float
    ) -> list[Series]:
        data = await self.data(
            "query_range",
            query=selector(names, requirements),
            start=f"{start:.3f}",
            end=f"{end:.3f}",
            step=f"{step:.3f}",
        )
        return [series(entry) for entry in data["result"]]

    async def label_values(
        self, name: str, label: str, requirements: tuple[Requirement, ...], start: float, end: float
    ) -> list[str]:
        parameters = {"match[]": selector((name,), requirements), "start": f"{start:.3f}", "end": f"{end:.3f}"}
        return sorted(await self.answer("GET", f"label/{label}/values", params=parameters))

    async def drawn(
        self, expressions: tuple[str, ...], chosen: Chosen, start: float, end: float, step: float
    ) -> list[list[Series]]:
        async def ask(expression: str) -> list[Series]:
            query = filled(expression, chosen, step)
            if not step:
                return [series(entry) for entry in (await self.data("query", query=query, time=f"{end:.3f}"))["result"]]
            span = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
            return [series(entry) for entry in (await self.data("query_range", query=query, **span))["result"]]

        return await asyncio.gather(*(ask(expression) for expression in expressions))

    async def alerts(self) -> list[dict[str, Any]]:
        return [
            {
                "name": alert["labels"]["alertname"],
                "state": alert["state"],
                "severity": alert["labels"].get("severity", ""),
                "since": alert["activeAt"],
                "labels": {
                    name: value for name, value in alert["labels"].items() if name not in ("alertname", "severity")
                },
                **{name: alert.get("annotations", {}).get(name, "") for name in ("summary", "description", "runbook")},
            }
            for alert in (await self.answer("GET", "alerts"))["alerts"]
            # A sign of life, which always fires, says that nothing is wrong.
            if alert["labels"].get("severity") != "none"
        ]

    async def targets(self, exporter: Exporter) -> list[Target] | None:
        if exporter.selector == ANY_JOB:
            return None
        entries = map(series, await self.query(f"up{{{exporter.selector}}}"))
        return [Target(entry.labels, entry.points[0][1] == 1) for entry in entries]

    async def close(self) -> None:
        await self.http.close()
