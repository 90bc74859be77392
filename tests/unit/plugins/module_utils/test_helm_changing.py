"""What helm is told to change, and what a person is told of it. The program is not run: its answers are given."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import helm
from ansible_collections.continuum.edge.plugins.module_utils.helm import (
    Helm,
    HelmError,
    Release,
    ReleaseError,
    Spec,
    changing,
)

SPEC = Spec(name="demo", namespace="place", chart="charts/demo", timeout="90s")
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: demo%s}\n"


def release(status: str = "deployed", revision: int = 3, **other: Any) -> Release:
    return Release(status, revision, "", (), {}, "demo-1.2.3", "1", **other)


class Answers(Helm):
    """Keeps the commands, and gives the answer of each: by its first word, an error where it is one."""

    def __init__(self, major: int = 4, **answers: Any) -> None:
        super().__init__()
        self.major = major  # type: ignore[misc]
        self.answers = answers
        self.calls: list[list[str]] = []

    def call(self, *arguments: str, **_: Any) -> str:
        self.calls.append(list(arguments))
        answer = self.answers.get(arguments[0], "")
        if isinstance(answer, HelmError):
            raise answer
        return answer if isinstance(answer, str) else json.dumps(answer)

    @property
    def words(self) -> list[str]:
        return [call[0] for call in self.calls]


# Recovering from an interrupted run


def history(*states: str) -> list[dict[str, Any]]:
    return [{"revision": number, "status": state} for number, state in enumerate(states, 1)]


def test_an_interrupted_upgrade_is_set_back_to_the_last_good_revision() -> None:
    program = Answers(history=history("superseded", "deployed", "failed", "pending-upgrade"))
    message = helm.recover(program, SPEC, release("pending-upgrade", 4))
    assert message == "Release demo was left pending-upgrade by an interrupted run; it was set back to revision 2."
    assert program.calls[1] == ["rollback", "demo", "2", "--namespace", "place", "--timeout", "90s"]


@pytest.mark.parametrize(
    ("status", "states"),
    [
        ("pending-install", ["pending-install"]),
        ("pending-upgrade", ["failed", "pending-upgrade"]),
        ("uninstalling", ["superseded", "uninstalling"]),
    ],
)
def test_what_never_ran_or_was_on_its_way_out_is_removed(status: str, states: list[str]) -> None:
    program = Answers(history=history(*states))
    message = helm.recover(program, SPEC, release(status))
    assert message == f"Release demo was left {status} by an interrupted run; what there was of it was removed."
    assert program.words == ["history", "uninstall"]


def test_a_recovery_that_is_refused_says_why() -> None:
    program = Answers(history=history("deployed", "pending-upgrade"), rollback=HelmError("Error: x is forbidden"))
    with pytest.raises(ReleaseError, match="refuses this account: x is forbidden"):
        helm.recover(program, SPEC, release("pending-upgrade"))


# Upgrading a release

UPGRADED = "a notice\n" + json.dumps({"version": 4, "info": {"status": "deployed"}, "manifest": OBJECT % ""})


@pytest.mark.parametrize(("major", "flag"), [(3, "--atomic"), (4, "--rollback-on-failure")])
@pytest.mark.parametrize("rollback", [True, False])
def test_an_upgrade_waits_and_rolls_back_where_it_may(major: int, flag: str, rollback: bool) -> None:
    program = Answers(major, upgrade=UPGRADED)
    spec = dataclasses.replace(SPEC, rollback_on_failure=rollback)
    new = helm.upgrade(program, spec, "charts/demo", "values.json", release(), print)
    assert (new.revision, new.namespace) == (4, "place")
    [call] = program.calls
    assert call[:6] == ["upgrade", "--install", "demo", "charts/demo", "--namespace", "place"]
    assert {"--wait", "--create-namespace"} <= set(call)
    assert (flag in call) == rollback


def test_an_upgrade_that_fails_is_a_message() -> None:
    program = Answers(upgrade=HelmError("Error: UPGRADE FAILED: context deadline exceeded"))
    with pytest.raises(ReleaseError, match=r"did not become ready .*rolled back to what ran before \(revision 3\)"):
        helm.upgrade(program, SPEC, "charts/demo", "values.json", release(), print)


LACKS = ["Deployment demo: 0 of 1 ready", "Pod demo-1 container c: ImagePullBackOff: no such image"]
NOT_READY = "Error: UPGRADE FAILED: resource not ready"


@pytest.mark.parametrize(
    ("error", "old", "lacks", "parts"),
    [
        (NOT_READY, 3, LACKS, ["did not become ready (42 s, timeout 90s).", "It was rolled back to what ran before (revision 3).", f"Not ready: {LACKS[0]}; {LACKS[1]}.", "Helm said: resource not ready"]),
        (NOT_READY, None, [], ["It was removed again.", "Helm said: resource not ready"]),
        ("Error: an error occurred while rolling back the release: context deadline exceeded", 3, [], ["Rolling it back failed as well"]),
        # What was not ready is told whatever helm says of it.
        ("Error: UPGRADE FAILED: something of its own", 3, LACKS, ["did not become ready", f"Not ready: {LACKS[0]}"]),
        ("Error: UPGRADE FAILED: something of its own", 3, [], ["helm failed: something of its own"]),
        ("Error: UPGRADE FAILED: x is forbidden", 3, [], ["refuses this account"]),
    ],
)  # fmt: skip
def test_a_failure_says_what_was_not_ready_and_what_runs_now(
    error: str, old: int | None, lacks: list[str], parts: list[str]
) -> None:
    before = release(revision=old) if old else None
    text = str(changing._failure(HelmError(error), Helm(), SPEC, before, lacks, 42.4))
    for part in parts:
        assert part in text
    assert "\n" not in text
    assert ("Not ready" in text) == bool(lacks)


def test_a_failure_without_a_roll_back_says_that_it_was_left() -> None:
    spec = dataclasses.replace(SPEC, rollback_on_failure=False)
    text = str(changing._failure(HelmError("timed out waiting"), Helm(), spec, release(), [], 1))
    assert "It was left as it is (rollback_on_failure is false)." in text
    assert "rolled back" not in text


# Rolling a release back


def test_an_earlier_revision_is_read_and_deployed_again() -> None:
    program = Answers(status={"version": 2, "info": {"status": "superseded", "resources": {"x": []}}})
    assert helm.at(program, SPEC, 2).revision == 2
    assert program.calls[0][-2:] == ["--revision", "2"]
    helm.roll_back(program, SPEC, 2)
    assert program.calls[1] == ["rollback", "demo", "2", "--namespace", "place", "--wait", "--timeout", "90s"]


def test_a_revision_that_is_not_there_is_named() -> None:
    program = Answers(status=HelmError("Error: release: not found"))
    with pytest.raises(ReleaseError, match=r"has no revision 9: release: not found\. `helm history demo"):
        helm.at(program, SPEC, 9)


def test_a_roll_back_that_is_refused_says_why() -> None:
    with pytest.raises(ReleaseError, match="Another helm is changing release demo"):
        helm.roll_back(
            Answers(rollback=HelmError("Error: another operation (install/upgrade/rollback) is in progress")), SPEC, 2
        )


# Removing a release


@pytest.mark.parametrize(("major", "wait"), [(3, "--wait"), (4, "--wait=legacy")])
def test_a_removal_waits_for_what_its_objects_own(major: int, wait: str) -> None:
    program = Answers(major)
    helm.uninstall(program, SPEC)
    assert program.calls == [
        [
            *("uninstall", "demo", "--namespace", "place", "--ignore-not-found"),
            *("--cascade", "foreground", wait, "--timeout", "90s"),
        ]
    ]


def test_a_removal_that_does_not_end_names_the_finalizers() -> None:
    error = HelmError("Error: uninstallation completed with 1 error(s): context deadline exceeded")
    with pytest.raises(ReleaseError, match=r"not all of its objects are gone after 90s: .*finalizers"):
        helm.uninstall(Answers(uninstall=error), SPEC)


def test_a_removal_takes_away_objects_but_neither_hooks_nor_what_is_kept() -> None:
    kept = OBJECT % "-kept" + "  annotations: {helm.sh/resource-policy: keep}\n"
    kept = kept.replace("metadata: {name: demo-kept}", "metadata:\n  name: demo-kept")
    old = dataclasses.replace(release(), manifest=f"{OBJECT % ''}---\n{kept}", hooks=(OBJECT % "-hook",))
    difference = helm.removal(old)
    assert [(change.title, change.after) for change in difference.objects] == [("ConfigMap demo", None)]
    assert difference == dataclasses.replace(helm.compare(None, None), objects=difference.objects)
