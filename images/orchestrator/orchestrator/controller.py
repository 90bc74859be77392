"""The loop: look at all agreements, decide, write."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import Counter, Gauge

from . import template as templates
from .agreement import STATES, Agreement
from .cluster import Cluster, Conflict, unschedulable
from .decision import Decision, Observation, decide
from .monitoring import Monitoring, Unavailable, Unknown
from .settings import Settings
from .sizes import resized
from .template import Template

#: Tasks by state: a further worker is of no use to an application on its last ones.
TASKS = "compss_application:tasks:sum"
#: Whether a worker may change at all is asked by factors that any template's goes beyond.
GROW, SHRINK = 1.01, 0.99

WHO = ("namespace", "application", "pool", "template")
STATE = Gauge("qos_agreement_state", "1 for the state that an agreement is in.", (*WHO, "state"))
WORKERS = Gauge("qos_agreement_workers", "Workers that an agreement's pool is to have.", WHO)
VIOLATIONS = Counter("qos_violations", "Violations that were counted.", WHO)
ACTIONS = Counter("qos_actions", "What was done by agreements.", (*WHO, "action"))
LOOKS = Counter("qos_looks", "Looks at all agreements, by how they ended.", ("result",))
LOOKED = Gauge("qos_last_look_timestamp_seconds", "When the last look ended well.")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Controller:
    def __init__(
        self, settings: Settings, cluster: Cluster, monitoring: Monitoring, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings, self.cluster, self.monitoring, self.clock = settings, cluster, monitoring, clock
        self.budgets: dict[str, int] = json.loads(settings.budgets)
        self.templates, self.bad = templates.read(settings.templates)
        for name, fault in self.bad.items():
            say(f"template {name} is not used: {fault}")
        self.last_problem = ""

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(self.settings.look):
            self.look()

    def look(self) -> None:
        """Never raises: what is away now is asked again at the next look."""
        try:
            agreements = self.cluster.agreements()
        except Unavailable as error:
            self.problem(str(error))
            LOOKS.labels("unavailable").inc()
            return
        STATE.clear()
        WORKERS.clear()
        workers: defaultdict[str, int] = defaultdict(int)
        for agreement in agreements:
            workers[agreement.namespace] += agreement.replicas
        problem = ""
        for agreement in agreements:
            try:
                others = workers[agreement.namespace] - agreement.replicas
                decision = decide(agreement, self.template(agreement), self.observe(agreement, others), self.clock())
                self.carry_out(agreement, decision)
                if decision.replicas is not None:
                    workers[agreement.namespace] = others + decision.replicas
            except Conflict:
                # The next look sees what the other writer has made of it.
                LOOKS.labels("conflict").inc()
            except Unavailable as error:
                problem = str(error)
        self.problem(problem)
        LOOKS.labels("unavailable" if problem else "good").inc()
        if not problem:
            LOOKED.set(self.clock())

    def problem(self, text: str) -> None:
        """Said once, and once more when it is over."""
        if text != self.last_problem:
            say(text or "all that was away answers again")
            self.last_problem = text

    def template(self, agreement: Agreement) -> Template | str:
        """The template, or what is wrong with it."""
        name = agreement.template
        if name in self.bad:
            return f"template {name}: {self.bad[name]}"
        if name not in self.templates:
            return f"there is no template {name}; there are {', '.join(self.templates) or 'none'}"
        try:
            for metric in self.templates[name].names:
                self.monitoring.metric(metric)
        except Unknown as error:
            return f"template {name}: {error}"
        except Unavailable:
            pass  # the observation says so
        return self.templates[name]

    def observe(self, agreement: Agreement, others: int) -> Observation:
        """Raises Unavailable where the API server is away; the Monitoring API's absence is an observation."""
        if agreement.template not in self.templates or agreement.replicas == 0:
            return Observation(None)
        template = self.templates[agreement.template]
        application = {"namespace": agreement.namespace, "application": agreement.application}
        try:
            values = self.monitoring.values(template.names, application if template.type == "app-compss" else {})
            tasks = self.monitoring.values((TASKS,), application)[TASKS]
            totals = frozenset(each for each in template.names if self.monitoring.metric(each).total)
        except (Unavailable, Unknown) as error:
            return Observation(None, str(error))
        pods = self.cluster.pods(agreement)
        budget = self.budgets.get(agreement.namespace, self.budgets.get("*"))
        return Observation(
            values,
            totals=totals,
            tasks={dict(labels)["state"]: number for labels, number in tasks.items()},
            unschedulable=unschedulable(pods),
            may_grow=any(self.sizes(agreement, pods, GROW)),
            may_shrink=any(self.sizes(agreement, pods, SHRINK)),
            budget=None if budget is None else budget - others,
        )

    @staticmethod
    def sizes(agreement: Agreement, pods: list[dict[str, Any]], factor: float) -> Iterator[tuple[dict[str, Any], Any]]:
        """The running workers that change by a factor, each with its new requests and limits."""
        least = agreement.workers.size if agreement.workers else {}
        for pod in pods:
            if pod["status"].get("phase") == "Running":
                resources = resized(pod, factor, least, agreement.limits)
                if resources:
                    yield pod, resources

    def carry_out(self, agreement: Agreement, decision: Decision) -> None:
        """Raises Conflict or Unavailable; what is not done then is done at the next look."""
        who = (agreement.namespace, agreement.application, agreement.target, agreement.template)
        wanted = agreement.replicas if decision.replicas is None else decision.replicas
        if decision.memory != agreement.memory:
            self.cluster.remember(agreement, decision.memory, wanted)
        for state in STATES:
            STATE.labels(*who, state).set(state == decision.memory.state)
        WORKERS.labels(*who).set(wanted)
        if decision.violated:
            VIOLATIONS.labels(*who).inc()
        if decision.replicas is not None:
            self.cluster.scale(agreement, decision.replicas)
        if decision.factor != 1:
            for pod, resources in self.sizes(agreement, self.cluster.pods(agreement), decision.factor):
                self.cluster.resize(pod, resources)
        if decision.event:
            ACTIONS.labels(*who, decision.action).inc()
            reason, sentence = decision.event
            say(f"{agreement.namespace}/{agreement.name}: {sentence}")
            self.cluster.event(agreement, reason, sentence, warning=decision.warning)
