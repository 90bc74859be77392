"""What is decided, by numbers: an agreement is followed look by look, as the controller does."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orchestrator.agreement import Agreement, Memory, Workers
from orchestrator.decision import Decision, Observation, decide
from orchestrator.template import Template

from .test_template import REFERENCE

MISSED = "compss_application:deadlines_missed:sum"
P95 = "compss_task:duration_seconds:p95"
BUSY = "compss_application:computing_units_used:ratio"


def template(**change: Any) -> Template:
    return Template.model_validate({**REFERENCE, **change})


def level(constraint: str, **change: Any) -> Template:
    return template(guarantees=[{"name": "level", "constraint": constraint}], **change)


@dataclass
class Run:
    """An application with its agreement; time goes on by hand."""

    template: Template | str
    workers: int = 4
    min: int = 4
    max: int = 8
    age: float = 0.0
    now: float = 1_000_000.0
    memory: Memory = field(default_factory=Memory)
    events: list[tuple[str, str]] = field(default_factory=list)
    made: list[int] = field(default_factory=list)

    def look(
        self, values: dict[str, Any] | None = None, *, after: float = 3.0, lost: bool = False, **seen: Any
    ) -> Decision:
        """A look some seconds later; `lost`: the controller dies between its decision and what follows from it."""
        self.now += after
        self.age += after
        series = (
            None
            if values is None
            else {name: value if isinstance(value, dict) else {(): float(value)} for name, value in values.items()}
        )
        totals = frozenset({MISSED} & set(series or ()))
        workers = Workers(self.workers, self.now - self.age, "1", {})
        agreement = Agreement(
            *("team", "app-1-worker", "uid", "1", "DeadlinesMissed_1", "app", "app-1-worker"),
            *(self.min, self.max, {}, self.memory, workers),
        )
        decision = decide(agreement, self.template, Observation(series, totals=totals, **seen), self.now)
        # What the API server keeps is what comes back.
        self.memory = Memory.read(json.loads(json.dumps(decision.memory.status(self.workers))))
        assert self.memory == decision.memory
        if not lost:
            if decision.replicas is not None:
                self.workers = decision.replicas
                self.made.append(decision.replicas)
            if decision.event:
                self.events.append(decision.event)
        return decision

    def missed(self, number: float, **how: Any) -> Decision:
        return self.look({MISSED: number}, **how)

    @property
    def state(self) -> str:
        return self.memory.state


def test_one_miss_brings_four_workers_to_six_and_no_further() -> None:
    run = Run(template())
    run.missed(0)
    assert (run.state, run.workers) == ("Holds", 4)
    run.missed(1)
    assert (run.state, run.workers) == ("CoolingDown", 6)
    assert run.events == [
        ("QoSScaled", f"DeadlinesMissed_1: deadlines_missed < 1 does not hold: {MISSED} has grown by 1; 4 -> 6 workers")
    ]
    for _ in range(100):
        run.missed(1)
    assert (run.state, run.workers) == ("Holds", 6), "the same miss counts once, though the counter never falls"


def test_a_miss_during_the_cool_down_is_not_counted_and_one_after_it_is() -> None:
    run = Run(template())
    run.missed(0)
    run.missed(1)
    run.missed(9, after=30)
    run.missed(9, after=31)
    assert (run.state, run.workers) == ("Holds", 6)
    run.missed(10)
    assert run.workers == 8
    assert run.made == [6, 8], "9 are bounded by max"


def test_at_its_limit_it_says_so_once_in_a_cool_down() -> None:
    run = Run(template(), workers=8)
    run.missed(0)
    for number in range(1, 40):
        run.missed(number)  # 117 s
    assert run.state == "AtLimit"
    assert [reason for reason, _ in run.events] == ["QoSAtLimit", "QoSAtLimit"]
    assert "8 workers are as many as max allows" in run.events[0][1]
    assert not run.made


@pytest.mark.parametrize(
    ("have", "factor", "want"), [(4, 1.5, 6), (1, 1.5, 2), (100, 1.1, 110), (3, 1.1, 4), (7, 2, 14)]
)
def test_the_factor_is_rounded_up_and_not_by_a_float(have: int, factor: float, want: int) -> None:
    run = Run(template(scaleFactor=factor), workers=have, max=1000)
    run.missed(0)
    run.missed(1)
    assert run.workers == want


def test_as_many_violations_as_are_allowed_pass() -> None:
    run = Run(template(maxAllowed=2))
    run.missed(0)
    run.missed(1)
    assert (run.state, run.memory.violations) == ("Violated", 1)
    run.missed(1)
    assert (run.state, run.memory.violations) == ("Holds", 1), "nothing new"
    run.missed(5)
    assert run.memory.violations == 2, "a look sees how many there are, and counts one violation"
    run.missed(6)
    assert (run.workers, run.memory.violations) == (6, 0)


def test_a_level_is_a_violation_once_in_a_period() -> None:
    run = Run(level(f"{BUSY} < 0.9", maxAllowed=2))
    looks = 0
    while not run.made:
        run.look({BUSY: 1.0})
        looks += 1
    assert looks == 21, "at the first look, and after 30 and after 60 s"


def test_no_data_is_a_state_and_no_action() -> None:
    run = Run(template())
    run.look(None, **{"reason": "the Monitoring API does not answer"})
    assert (run.state, run.memory.reason) == ("NoData", "the Monitoring API does not answer")
    run.look({MISSED: {}})
    assert run.state == "NoData"
    run.missed(0)
    run.missed(1)
    run.look(None, after=120)
    assert (run.state, run.workers) == ("NoData", 6)
    run.missed(1)
    assert (run.state, run.made) == ("Holds", [6])


def test_what_the_run_before_has_left_is_nobodys_miss() -> None:
    run = Run(template())
    run.missed(7)
    assert run.state == "Holds", "a young run cannot have missed them before the first look"
    run.missed(0)
    run.missed(1)
    assert run.made == [6]


def test_a_controller_that_comes_late_counts_what_is_there() -> None:
    run = Run(template(), age=600)
    run.missed(7)
    assert run.made == [6]


def test_a_counter_that_begins_anew_counts_from_nothing() -> None:
    run = Run(template(coolDownSeconds=0))
    run.missed(0)
    run.missed(5)
    run.missed(2)
    assert run.made == [6, 8], "the master was started again, and has missed two since"


def test_a_controller_killed_between_decision_and_change_makes_it_once() -> None:
    run = Run(template())
    run.missed(0)
    run.missed(1, lost=True)
    assert (run.workers, run.made) == (4, [])
    run.missed(1)
    assert (run.workers, run.made) == (6, [6])
    run.missed(1)
    assert run.made == [6]
    assert (run.memory.source, run.memory.target) == (0, 0)


def test_a_change_that_somebody_else_has_overtaken_is_let_go() -> None:
    run = Run(template())
    run.missed(0)
    run.missed(1, lost=True)
    run.workers = 0  # the application has ended, and its workers were sent away
    run.missed(1)
    assert (run.state, run.made) == ("Resting", [])
    run.workers = 5
    run.missed(1, after=100)
    assert run.made == []


def test_an_application_that_has_ended_is_not_scaled() -> None:
    run = Run(template(), workers=0)
    run.missed(3)
    assert (run.state, run.made) == ("Resting", [])


def test_an_application_on_its_last_tasks_is_not_scaled() -> None:
    run = Run(template())
    run.missed(0, tasks={"pending": 50, "running": 4, "completed": 40})
    last = {"pending": 0, "running": 3, "completed": 91}
    run.missed(0, tasks=last, after=90)
    run.missed(1, tasks=last)
    assert (run.state, run.made) == ("Violated", [])
    assert "no task waits, and none has come for 93 s" in run.memory.reason


def test_an_application_whose_tasks_come_one_after_the_other_is_scaled() -> None:
    """A stream, seen between two frames, looks like one that ends; but its tasks grow in number."""
    run = Run(template())
    for frame in range(10):
        run.missed(0, tasks={"pending": 0, "running": 0, "completed": 4 * frame}, after=30)
    run.missed(1, tasks={"pending": 0, "running": 0, "completed": 36}, after=20)
    assert run.made == [6]


def test_a_budget_bounds_a_namespace() -> None:
    run = Run(template())
    run.missed(0, budget=5)
    run.missed(1, budget=5)
    assert run.made == [5]
    run.missed(1, after=61, budget=5)
    run.missed(2, budget=5)
    assert run.state == "AtLimit"
    assert "as many as the namespace's budget allows" in run.memory.reason


def test_after_a_calm_time_a_step_goes_back_but_not_below_min() -> None:
    run = Run(template(), workers=8)
    run.missed(0)
    run.missed(0, after=299)
    assert run.made == []
    run.missed(0, after=2)
    assert run.made == [5], "8 / 1.5 rounded down"
    assert run.events[-1][1] == "DeadlinesMissed_1: nothing violated for 300 s; 8 -> 5 workers"
    run.missed(0, after=61)
    run.missed(0, after=299)
    assert run.made == [5], "the calm time begins anew with the change"
    run.missed(0, after=302)
    assert run.made == [5, 4]
    run.missed(0, after=1000)
    assert run.made == [5, 4]


def test_without_a_calm_time_nothing_goes_back() -> None:
    run = Run(template(calmSeconds=0), workers=8)
    for _ in range(5):
        run.missed(0, after=10_000)
    assert run.made == []


def test_a_full_cluster_is_said_and_the_next_best_thing_done() -> None:
    run = Run(template(otherwise="scale_up"))
    run.missed(0)
    run.missed(1)
    assert run.workers == 6
    run.missed(1, unschedulable=2, after=30)
    assert run.state == "CoolingDown", "a node may still come"
    decision = run.missed(1, unschedulable=2, after=31, may_grow=True)
    assert (run.state, run.workers, decision.factor) == ("NoRoom", 4, 1.5)
    assert "no node has room for 2 of 6 workers; 6 -> 4 workers" in run.events[-1][1]
    run.missed(1, after=61)
    run.missed(2)
    assert (run.state, run.workers) == ("AtLimit", 4), "what had no room a minute ago is not tried at once"
    assert "as many as the cluster's room allows" in run.memory.reason
    run.missed(2, after=10 * 60)
    run.missed(3)
    assert run.workers == 6


def test_workers_that_the_application_began_with_are_not_taken_away() -> None:
    run = Run(template(), workers=4, min=4)
    run.missed(0, unschedulable=1)
    assert (run.state, run.made) == ("NoRoom", [])
    assert run.events[0][0] == "QoSNoRoom"


def test_flapping_load_changes_once_in_a_cool_down() -> None:
    run = Run(template(calmSeconds=60), max=9)
    run.missed(0)
    changes: list[float] = []
    missed = 0
    for number in range(1200):
        missed += number // 30 % 2  # 90 s without a miss, and 90 s of misses
        run.missed(missed)
        if len(run.made) > len(changes):
            changes.append(run.now)
    assert set(run.made) == {6, 9}, "it goes up and down"
    assert min(later - earlier for earlier, later in itertools.pairwise(changes)) >= 60


def test_a_constraint_holds_when_it_holds_for_each_series() -> None:
    run = Run(level(f"{P95} < 2"))
    run.look({P95: {(("task", "fast"),): 0.1, (("task", "slow"),): 2.5}})
    assert run.made == [6]
    assert f"for task=slow: {P95} is 2.5" in run.events[0][1]


def test_names_are_matched_by_their_labels_and_one_without_labels_by_all() -> None:
    rate, limit = "compss_task:executions:rate", "cluster:nodes:count"
    run = Run(level(f"{P95} * {rate} < {limit}"))
    run.look({P95: {(("task", "a"),): 2.0, (("task", "b"),): 9.0}, rate: {(("task", "a"),): 2.0}, limit: 3})
    assert "for task=a" in run.events[0][1], "b has no rate, and is not judged"


@pytest.mark.parametrize(
    ("action", "factor", "able", "reason"),
    [
        ("scale_up", 1.5, "may_grow", "QoSResized"),
        ("scale_down", 0.5, "may_shrink", "QoSResized"),
        ("scale_up", 1.5, "", "QoSAtLimit"),
        ("scale_down", 0.5, "", "QoSAtLimit"),
    ],
)
def test_workers_change_their_size_as_far_as_they_may(action: str, factor: float, able: str, reason: str) -> None:
    run = Run(level(f"{BUSY} < 0.9", action=action, scaleFactor=factor))
    decision = run.look({BUSY: 1.0}, **({able: True} if able else {}))
    assert decision.factor == (factor if able else 1.0)
    assert run.events[0][0] == reason
    assert run.look({BUSY: 1.0}, **({able: True} if able else {})).event is None


def test_what_grew_becomes_smaller_after_a_calm_time() -> None:
    run = Run(level(f"{BUSY} < 0.9", action="scale_up", scaleFactor=2))
    run.look({BUSY: 0.1}, may_shrink=True)
    assert run.look({BUSY: 0.1}, after=301, may_shrink=True).factor == 0.5


def test_notify_says_and_none_watches() -> None:
    run = Run(template(action="notify", scaleFactor=1))
    run.missed(0)
    run.missed(1)
    assert (run.state, run.made, [reason for reason, _ in run.events]) == ("Violated", [], ["QoSViolated"])
    run = Run(template(action="none", scaleFactor=1))
    run.missed(0)
    run.missed(1)
    assert (run.state, run.made, run.events) == ("Violated", [], [])


def test_scale_in_as_an_action_stops_at_min() -> None:
    run = Run(level(f"{BUSY} > 0.2", action="scale_in", scaleFactor=0.5), workers=6, min=2)
    run.look({BUSY: 0.1})
    run.look({BUSY: 0.1}, after=61)
    run.look({BUSY: 0.1}, after=61)
    assert run.made == [3, 2]
    assert run.state == "AtLimit"


def test_a_template_that_is_none_is_said() -> None:
    run = Run("there is no template X; there are DeadlinesMissed_1")
    run.missed(1)
    assert (run.state, run.memory.reason) == ("Invalid", "there is no template X; there are DeadlinesMissed_1")
    run.template = template()
    run.missed(1)
    assert run.state == "Holds"


def test_a_record_of_another_version_is_no_stumbling_block() -> None:
    assert Memory.read({"record": {"state": "Holds", "what_came_later": 1}}).state == "Holds"
    assert Memory.read({}) == Memory()


STEPS = st.lists(
    st.tuples(
        st.sampled_from([1.0, 3.0, 30.0, 61.0, 400.0]),
        st.one_of(st.none(), st.integers(0, 5)),
        st.booleans(),
        st.integers(0, 2),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 4), st.integers(0, 6))
def test_whatever_happens_the_bounds_and_the_cool_down_hold(
    steps: list[tuple[float, int | None, bool, int]], least: int, room: int
) -> None:
    run = Run(template(maxAllowed=1), workers=least, min=least, max=least + room)
    total, changed = 0, -1e9
    for after, new, lost, unschedulable in steps:
        total += new or 0
        before = len(run.made)
        target = run.memory.target
        run.look(None if new is None else {MISSED: total}, after=after, lost=lost, unschedulable=unschedulable)
        assert least <= run.workers <= least + room
        if len(run.made) > before and not target:
            assert run.now - changed >= 60
            changed = run.now
        elif run.memory.target and not target:
            changed = run.now  # decided, and lost


def test_the_memory_is_never_changed_in_place() -> None:
    memory = Memory(base={MISSED: {"": 1.0}})
    run = Run(template(), memory=memory)
    run.missed(5)
    assert memory == replace(memory) == Memory(base={MISSED: {"": 1.0}})
