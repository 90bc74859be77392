"""What a plan tells of a result, and what it keeps to itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.callback.pipeline import changes, markdown, outcome


def told(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["change"], each["object"]) for each in changes("task", result)]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            {
                "diff": [
                    {
                        "before_header": "Job a/b (absent)",
                        "after_header": "Job a/b",
                        "before": "",
                        "after": "kind: Job\n",
                    }
                ]
            },
            [("added", "Job a/b")],
        ),
        (
            {"diff": [{"before_header": "Job a/b", "after_header": "Job a/b (absent)", "before": "x\n", "after": ""}]},
            [("removed", "Job a/b")],
        ),
        ({"diff": {"before_header": "/f", "after_header": "/f", "before": "1\n", "after": "2\n"}}, [("changed", "/f")]),
        (
            {"objects": {"added": ["Job a/b"], "changed": [], "removed": ["Pod a/c"]}},
            [("added", "Job a/b"), ("removed", "Pod a/c")],
        ),
        ({"result": {"kind": "Namespace", "metadata": {"name": "n"}}}, [("changed", "Namespace n")]),
        ({"dest": "/some/file"}, [("changed", "/some/file")]),
        ({}, [("changed", "task")]),
    ],
)
def test_objects_and_what_becomes_of_them(result: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert told(result) == expected


def test_no_secret_is_in_it() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "c2VjcmV0"}}
    planned = list(changes("task", {"diff": {"before": {}, "after": secret}, "result": secret}))
    assert [(each["change"], each["object"]) for each in planned] == [("added", "Secret s")]
    assert "c2VjcmV0" not in str(planned)
    (hidden,) = changes("task", {"_ansible_no_log": True, "diff": {"before": "", "after": "password"}})
    assert hidden == {"change": "changed", "object": "hidden", "task": "task", "diff": ""}


def test_a_text_for_a_merge_request() -> None:
    entry = {"change": "changed", "object": "Job a/b", "task": "role : t | u", "diff": "-```\n+x"}
    text = markdown({"sites": {"garage": [entry], "harbour": [], "quay": []}, "failed": ["harbour"]})
    assert "| changed | `Job a/b` | role : t / u |" in text
    assert "\n````diff\n-```\n+x\n````\n" in text
    assert "## harbour\n\nThe run failed before any change." in text
    assert "## quay\n\nNothing changes." in text
    assert "**Incomplete**: the run failed at harbour." in text


@pytest.mark.parametrize(("site", "status"), [("a", "ok"), ("b", "failed"), ("c", "unreachable"), ("d", "not reached")])
def test_what_became_of_a_site(site: str, status: str) -> None:
    stats = SimpleNamespace(processed={"a": 1, "b": 1, "c": 1}, failures={"b": 1}, dark={"c": 1}, changed={"a": 3})
    assert outcome(site, stats, [], "")["status"] == status
