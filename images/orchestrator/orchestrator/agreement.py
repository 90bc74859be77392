"""Who is guarded by which template, and what is remembered of it: the custom resource QoSAgreement.

Its spec is the application's: template, StatefulSet of the workers, bounds. Its status is ours. A change of the number
of workers is written there before it is made: a controller that is started again finishes it, and a second one sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

GROUP, VERSION, KIND, PLURAL = "continuum.edge", "v1alpha1", "QoSAgreement", "qosagreements"
#: The container of a worker's pod that tasks run in.
CONTAINER = "worker"

HOLDS = "Holds"
VIOLATED = "Violated"
COOLING = "CoolingDown"
AT_LIMIT = "AtLimit"
NO_ROOM = "NoRoom"
NO_DATA = "NoData"
INVALID = "Invalid"
RESTING = "Resting"
STATES = (HOLDS, VIOLATED, COOLING, AT_LIMIT, NO_ROOM, NO_DATA, INVALID, RESTING)


@dataclass(frozen=True)
class Memory:
    """What is remembered between two looks. Times are seconds since 1970."""

    state: str = ""
    since: float = 0.0
    reason: str = ""
    violations: int = 0
    #: Of each total the value up to which its growth has been judged, by its name and then by its labels.
    base: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    #: When a level that does not hold was counted last.
    counted: float = 0.0
    #: When the cool-down ends.
    until: float = 0.0
    #: Since when nothing has been violated; 0: it is.
    calm: float = 0.0
    #: Number of workers beyond which the cluster had no room, and until when that is believed.
    room: int = 0
    room_until: float = 0.0
    #: Most tasks that there were, of any state, and since when there are as many.
    tasks: float = 0.0
    tasks_grew: float = 0.0
    #: Whether there was an answer once.
    begun: bool = False
    #: A change that is decided and perhaps not made yet: from how many workers to how many; both 0: none.
    source: int = 0
    target: int = 0

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> Memory:
        """From the status of a QoSAgreement; what another version has written there is left out."""
        names = {each.name for each in fields(cls)}
        record = {name: value for name, value in status.get("record", {}).items() if name in names}
        base: dict[str, dict[str, float]] = {}
        for name, labels, value in record.pop("base", ()):
            base.setdefault(name, {})[labels] = value
        return cls(**record, base=base)

    def status(self, workers: int) -> dict[str, Any]:
        """What people look at, and all of it as `record`: a list in it is replaced where a mapping would be merged."""
        base = [[name, labels, value] for name, each in self.base.items() for labels, value in each.items()]
        return {
            "state": self.state,
            "reason": self.reason,
            "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds"),
            "workers": workers,
            "violations": self.violations,
            "record": {**asdict(self), "base": base},
        }

    def now(self, state: str, reason: str, at: float) -> Memory:
        """With another state; one that stays keeps its time and, for as long, its sentence."""
        if state == self.state:
            return self
        return self.anew(state, reason, at)

    def anew(self, state: str, reason: str, at: float) -> Memory:
        """With a state that begins now, though it be the same."""
        return replace(self, state=state, reason=reason, since=at)


@dataclass(frozen=True)
class Workers:
    """A StatefulSet."""

    replicas: int
    #: When it was made, in seconds since 1970.
    created: float
    version: str
    #: What the run began with, in Kubernetes' quantities, by requests or limits and then by resource.
    size: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, item: Any) -> Workers:
        """From a StatefulSet of lightkube's, in whose types every field may be away."""
        size: Mapping[str, Mapping[str, str]] = {}
        for container in item.spec.template.spec.containers:
            if container.name == CONTAINER and container.resources:
                size = {"requests": container.resources.requests or {}, "limits": container.resources.limits or {}}
        return cls(
            replicas=1 if item.spec.replicas is None else item.spec.replicas,
            created=item.metadata.creationTimestamp.timestamp(),
            version=item.metadata.resourceVersion,
            size=size,
        )


@dataclass(frozen=True)
class Agreement:
    namespace: str
    name: str
    uid: str
    version: str
    template: str
    #: Whose records are read.
    application: str
    #: Name of the StatefulSet.
    target: str
    min: int
    max: int
    #: As far as a worker may grow, in Kubernetes' quantities, by resource.
    limits: Mapping[str, str]
    memory: Memory
    #: None: there is no such StatefulSet.
    workers: Workers | None

    @property
    def replicas(self) -> int:
        return self.workers.replicas if self.workers else 0

    @classmethod
    def read(cls, item: Any, workers: Mapping[tuple[str, str], Workers]) -> Agreement:
        """From a QoSAgreement of lightkube's, and all StatefulSets by namespace and name."""
        metadata, spec = item.metadata, item["spec"]
        return cls(
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            version=metadata.resourceVersion,
            template=spec["template"],
            application=spec["application"],
            target=spec["target"],
            min=spec["min"],
            max=spec["max"],
            limits={name: str(amount) for name, amount in spec.get("limits", {}).items()},
            memory=Memory.read(item.get("status") or {}),
            workers=workers.get((metadata.namespace, spec["target"])),
        )
