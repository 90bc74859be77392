"""From what is measured to what is done: pure, so that every rule of it can be tried by numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .agreement import (
    AT_LIMIT,
    COOLING,
    HOLDS,
    INVALID,
    NO_DATA,
    NO_ROOM,
    RESTING,
    VIOLATED,
    Agreement,
    Memory,
)
from .monitoring import Labels, Series
from .template import Action, Guarantee, Template

#: What a run of less age has of a total at the first look is what the run before it has left.
YOUNG_SECONDS = 120.0
#: Whether tasks wait is known as it was at the last scrape; in as long there were two.
LAST_SECONDS = 60.0
#: How much longer than a cool-down a cluster that had no room is believed to have none.
ROOM_COOL_DOWNS = 10


@dataclass(frozen=True)
class Observation:
    """What a look has found of one agreement."""

    #: Series of each name of the template. None: there is no answer, and `reason` says why.
    values: Mapping[str, Series] | None
    reason: str = ""
    #: Which of the names are totals.
    totals: frozenset[str] = frozenset()
    #: Tasks by state; empty where nobody knows.
    tasks: Mapping[str, float] = field(default_factory=dict)
    #: Workers' pods that no node has room for.
    unschedulable: int = 0
    #: Whether a worker may still become larger, and smaller again.
    may_grow: bool = False
    may_shrink: bool = False
    #: Workers that the namespace's budget leaves to this agreement, its own included; None: it has no budget.
    budget: int | None = None


@dataclass(frozen=True)
class Decision:
    """What follows: always a memory, at times a change, and the Event that says so."""

    memory: Memory
    #: Number of workers that is wanted; None: as it is.
    replicas: int | None = None
    #: What the size of each worker is multiplied by.
    factor: float = 1.0
    #: Reason and sentence of the Event; a warning where `warning`.
    event: tuple[str, str] | None = None
    warning: bool = False
    #: Whether a violation was counted.
    violated: bool = False

    @property
    def action(self) -> str:
        """What a metric counts it as; empty where nothing is done."""
        if self.replicas is not None:
            return "scale_out" if self.replicas > self.memory.source else "scale_in"
        if self.factor != 1:
            return "scale_up" if self.factor > 1 else "scale_down"
        return "notify" if self.event else ""


@dataclass(frozen=True)
class Judgement:
    """What does not hold, in words; empty: all holds. None of its guarantees had data where `blind`."""

    broken: str
    blind: bool
    #: Whether a total of what is broken has grown, which counts at once.
    grown: bool


def written(labels: Labels) -> str:
    return json.dumps(dict(labels), separators=(",", ":"), sort_keys=True) if labels else ""


def combinations(names: Sequence[str], values: Mapping[str, Series]) -> Iterator[tuple[Labels, dict[str, float]]]:
    """For each set of labels the names' values. A name with a single series without labels is the same for all."""
    constants = {name: values[name][()] for name in names if () in values[name]}
    keys = {labels for name in names for labels in values[name] if labels}
    for labels in sorted(keys) if keys else [()]:
        row = constants | {name: values[name][labels] for name in names if labels in values[name]}
        if len(row) == len(names):
            yield labels, row


def news(
    values: Mapping[str, Series], totals: frozenset[str], base: Mapping[str, Mapping[str, float]]
) -> dict[str, Series]:
    """Totals as their growth since they were judged. One that is smaller than then has begun anew."""
    fresh: dict[str, Series] = {}
    for name, series in values.items():
        before = base.get(name, {}) if name in totals else {}
        fresh[name] = {
            labels: value - old if (old := before.get(written(labels), 0.0)) <= value else value
            for labels, value in series.items()
        }
    return fresh


def judged(
    values: Mapping[str, Series], totals: frozenset[str], base: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """The base for the next look; a series that is away for a while keeps its own."""
    return {
        name: dict(base.get(name, {})) | {written(labels): value for labels, value in values[name].items()}
        for name in sorted(totals)
        if values[name] or name in base
    }


def judge(guarantees: Sequence[Guarantee], fresh: Mapping[str, Series], totals: frozenset[str]) -> Judgement:
    broken: list[str] = []
    blind, grown = True, False
    for guarantee in guarantees:
        condition = guarantee.condition
        for labels, row in combinations(condition.names, fresh):
            blind = False
            if not condition.holds(row):
                where = f" for {', '.join(f'{key}={value}' for key, value in labels)}" if labels else ""
                figures = ", ".join(
                    f"{name} {'is' if name not in totals else 'has grown by'} {value:g}" for name, value in row.items()
                )
                broken.append(f"{guarantee.constraint} does not hold{where}: {figures}")
                grown = grown or any(name in totals and value > 0 for name, value in row.items())
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return Judgement(f"{broken[0]}{more}" if broken else "", blind, grown)


def decide(agreement: Agreement, template: Template | str, seen: Observation, now: float) -> Decision:
    """What follows from a look at `now`, seconds since 1970. A template that is a text is what is wrong with it."""
    memory = agreement.memory
    if isinstance(template, str):
        return Decision(memory.now(INVALID, template, now))
    if agreement.min > agreement.max:
        return Decision(memory.now(INVALID, f"min {agreement.min} is above max {agreement.max}", now))
    if memory.target:
        if agreement.replicas == memory.source:
            return Decision(memory, replicas=memory.target, event=("QoSScaled", memory.reason))
        memory = replace(memory, source=0, target=0)
    if agreement.workers is None or agreement.replicas == 0:
        return Decision(memory.now(RESTING, "there are no workers: the application has ended, or has not begun", now))
    if seen.values is None:
        return Decision(memory.now(NO_DATA, seen.reason, now))
    if not memory.begun:
        young = now - agreement.workers.created < YOUNG_SECONDS
        memory = replace(memory, begun=True, base=judged(seen.values, seen.totals, {}) if young else {})
    if (tasks := sum(seen.tasks.values())) > memory.tasks:
        memory = replace(memory, tasks=tasks, tasks_grew=now)
    judgement = judge(template.guarantees, news(seen.values, seen.totals, memory.base), seen.totals)
    if judgement.blind:
        return Decision(memory.now(NO_DATA, f"no series of {', '.join(template.names)} yet", now))
    memory = replace(memory, base=judged(seen.values, seen.totals, memory.base))
    if seen.unschedulable and now >= memory.until:
        return without_room(agreement, template, seen, memory, now)
    if now < memory.until:
        # A change gets its time to show: what is violated meanwhile says nothing of it.
        memory = replace(memory, calm=0.0 if judgement.broken else memory.calm or now)
        keep = memory.state in (AT_LIMIT, NO_ROOM, VIOLATED)
        return Decision(memory if keep else memory.now(COOLING, memory.reason, now))
    if not judgement.broken:
        return calm(agreement, template, seen, replace(memory, calm=memory.calm or now), now)
    memory = replace(memory, calm=0.0)
    if not judgement.grown and now - memory.counted < template.period_seconds:
        return Decision(memory)
    memory = replace(memory, counted=now, violations=memory.violations + 1)
    if memory.violations <= template.max_allowed:
        reason = f"{judgement.broken}; violation {memory.violations} of {template.max_allowed} that are allowed"
        return Decision(memory.anew(VIOLATED, reason, now), violated=True)
    memory = replace(memory, violations=0)
    decision = act(template.action, judgement.broken, agreement, template, seen, memory, now)
    return replace(decision, violated=True)


def calm(agreement: Agreement, template: Template, seen: Observation, memory: Memory, now: float) -> Decision:
    """Nothing is violated: after long enough one step goes back."""
    memory = memory.now(HOLDS, "", now)
    if template.calm_seconds == 0 or now - memory.calm < template.calm_seconds:
        return Decision(memory)
    memory = replace(memory, violations=0, calm=now)
    quiet = f"{template.guarantee_name}: nothing violated for {template.calm_seconds:g} s"
    if template.action == "scale_out":
        want = max(agreement.min, math.floor(round(agreement.replicas / template.scale_factor, 9)))
        if want < agreement.replicas:
            return change(agreement, want, quiet, memory, template, now)
    if template.action == "scale_up" and seen.may_shrink:
        return resize(1 / template.scale_factor, quiet, memory, template, now)
    return Decision(memory)


def act(
    action: Action, broken: str, agreement: Agreement, template: Template, seen: Observation, memory: Memory, now: float
) -> Decision:
    """One violation too many."""
    have, why = agreement.replicas, f"{template.guarantee_name}: {broken}"
    if action == "none":
        return Decision(memory.anew(VIOLATED, broken, now))
    if action == "notify":
        return limited(VIOLATED, "QoSViolated", why, memory, template, now)
    if action in ("scale_up", "scale_down"):
        if seen.may_grow if action == "scale_up" else seen.may_shrink:
            return resize(template.scale_factor, why, memory, template, now)
        size = "as large as limits allow" if action == "scale_up" else "as small as the run began"
        return limited(AT_LIMIT, "QoSAtLimit", f"{why}; the workers are {size}", memory, template, now)
    if action == "scale_in":
        want = max(agreement.min, math.floor(round(have * template.scale_factor, 9)))
        if want < have:
            return change(agreement, want, why, memory, template, now)
        return limited(AT_LIMIT, "QoSAtLimit", f"{why}; {have} workers are as few as min allows", memory, template, now)
    if seen.tasks and seen.tasks.get("pending", 0) < 1 and now - memory.tasks_grew >= LAST_SECONDS:
        text = f"{broken}; no task waits, and none has come for {now - memory.tasks_grew:.0f} s: it is on its last ones"
        return Decision(memory.anew(VIOLATED, text, now))
    limits = {"max": agreement.max}
    if seen.budget is not None:
        limits["the namespace's budget"] = seen.budget
    if now < memory.room_until:
        limits["the cluster's room"] = memory.room
    limit = min(limits, key=lambda each: limits[each])
    want = min(math.ceil(round(have * template.scale_factor, 9)), limits[limit])
    if want > have:
        return change(agreement, want, why, memory, template, now)
    text = f"{why}; {have} workers are as many as {limit} allows"
    return limited(AT_LIMIT, "QoSAtLimit", text, memory, template, now)


def without_room(agreement: Agreement, template: Template, seen: Observation, memory: Memory, now: float) -> Decision:
    """Workers that wait for a node after a whole cool-down are taken back, and the next-best thing is done."""
    have = agreement.replicas
    room = max(agreement.min, have - seen.unschedulable)
    text = f"{template.guarantee_name}: no node has room for {seen.unschedulable} of {have} workers"
    if room == have:
        return limited(NO_ROOM, "QoSNoRoom", text, memory, template, now)
    until = now + ROOM_COOL_DOWNS * template.cool_down_seconds
    decision = change(agreement, room, text, replace(memory, room=room, room_until=until), template, now)
    memory = replace(decision.memory, state=NO_ROOM)
    event = ("QoSNoRoom", memory.reason)
    factor = template.scale_factor if template.otherwise == "scale_up" and seen.may_grow else 1.0
    return replace(decision, memory=memory, event=event, warning=True, factor=factor)


def change(agreement: Agreement, want: int, why: str, memory: Memory, template: Template, now: float) -> Decision:
    """Another number of workers; it stands in the memory before it is made."""
    have = agreement.replicas
    text = f"{why}; {have} -> {want} workers"
    memory = replace(memory, until=now + template.cool_down_seconds, calm=0.0, source=have, target=want)
    memory = memory.anew(COOLING, text, now)
    return Decision(memory, replicas=want, event=("QoSScaled", text))


def resize(factor: float, why: str, memory: Memory, template: Template, now: float) -> Decision:
    """Another size of each worker."""
    text = f"{why}; each worker's size is multiplied by {factor:.3g}"
    memory = replace(memory, until=now + template.cool_down_seconds, calm=0.0).anew(COOLING, text, now)
    return Decision(memory, factor=factor, event=("QoSResized", text))


def limited(state: str, reason: str, text: str, memory: Memory, template: Template, now: float) -> Decision:
    """Said, and not said again before a cool-down has gone by."""
    memory = replace(memory, until=now + template.cool_down_seconds).anew(state, text, now)
    return Decision(memory, event=(reason, text), warning=True)
