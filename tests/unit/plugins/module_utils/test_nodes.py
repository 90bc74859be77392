"""Labels and taints of nodes: what is given, what is taken away again, and what is left alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from ansible_collections.continuum.edge.plugins.module_utils.nodes import (
    ANNOTATION,
    Marks,
    NodesError,
    Object,
    apply,
    patch,
    present,
)

TAINT = "continuum.edge/device=jetson:NoSchedule"


def node(labels: dict[str, str] | None = None, taints: list[Object] | None = None) -> Object:
    return {
        "metadata": {"name": "a", "resourceVersion": "1", "labels": labels or {}, "annotations": {"other": "kept"}},
        "spec": {"taints": taints} if taints else {},
    }


def merged(target: Any, change: Any) -> Any:
    """RFC 7396, as the API server does it."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def after(before: Object, labels: dict[str, Any] | None = None, taints: list[str] | None = None) -> Object:
    return merged(before, patch(before, Marks.of(labels or {}, taints or [])))


def test_labels_and_taints_are_given_once() -> None:
    done = after(node({"kubernetes.io/arch": "arm64"}), {"zone": "garage"}, [TAINT])
    assert done["metadata"]["labels"] == {"kubernetes.io/arch": "arm64", "zone": "garage"}
    assert done["spec"]["taints"] == [{"key": "continuum.edge/device", "value": "jetson", "effect": "NoSchedule"}]
    assert patch(done, Marks.of({"zone": "garage"}, [TAINT])) == {}


def test_what_is_no_longer_wanted_goes() -> None:
    done = after(after(node(), {"zone": "garage", "class": "gateway"}, [TAINT]), {"zone": "garage"})
    assert done["metadata"]["labels"] == {"zone": "garage"}
    assert done["spec"]["taints"] == []
    assert ANNOTATION not in after(done)["metadata"]["annotations"]


def test_what_somebody_else_gave_stays() -> None:
    """What the node had of itself was never given: neither its wish nor the end of that wish takes it away."""
    pressure = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule", "timeAdded": "2026-11-21T00:00:00Z"}
    start = node({"zone": "garage"}, [pressure])
    wished = after(start, {"zone": "garage"}, [TAINT])
    assert pressure in wished["spec"]["taints"]
    left = after(wished)
    assert left["spec"]["taints"] == [pressure]
    assert left["metadata"]["labels"] == {"zone": "garage"}


def test_what_somebody_has_changed_since_is_theirs() -> None:
    given = after(node(), {"zone": "garage"})
    given["metadata"]["labels"]["zone"] = "attic"
    assert after(given)["metadata"]["labels"] == {"zone": "attic"}
    assert after(given, {"zone": "garage"})["metadata"]["labels"] == {"zone": "garage"}


def test_what_was_in_its_place_comes_back() -> None:
    given = after(node({"class": "server"}), {"class": "gateway"})
    assert given["metadata"]["labels"] == {"class": "gateway"}
    assert after(after(given, {"class": "jetson"}))["metadata"]["labels"] == {"class": "server"}


def test_a_taint_changes_its_value() -> None:
    done = after(after(node(), taints=["device=jetson:NoSchedule"]), taints=["device=coral:NoSchedule"])
    assert [each["value"] for each in done["spec"]["taints"]] == ["coral"]


def test_numbers_and_truths_become_text() -> None:
    """A virtual node's `jiriaf.alivetime: 3600` is a number in YAML, and a text in Kubernetes."""
    assert Marks.of({"jiriaf.alivetime": 3600, "gpu": True}, []).labels == {"jiriaf.alivetime": "3600", "gpu": "true"}


@pytest.mark.parametrize("text", ["device", "device=jetson", "device:Never", "=jetson:NoSchedule", ""])
def test_what_is_no_taint_is_refused(text: str) -> None:
    with pytest.raises(NodesError, match=r"is no taint. Expected key=value:effect"):
        Marks.of({}, [text])


KEYS = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(KEYS, st.sampled_from(["1", "2"]))
TAINTS = st.lists(
    st.builds("{}={}:{}".format, KEYS, st.sampled_from(["1", "2"]), st.sampled_from(["NoSchedule", "NoExecute"])),
    unique_by=lambda text: (text[0], text.split(":")[1]),
)


@examples(LABELS, TAINTS, st.lists(st.tuples(LABELS, TAINTS), min_size=1, max_size=4))
def test_any_wish_is_met_and_leaves_nothing_behind(
    own_labels: dict[str, str], own_taints: list[str], wishes: list[tuple[dict[str, str], list[str]]]
) -> None:
    own_marks = Marks.of(own_labels, own_taints)
    start = node(own_labels, [{"key": t.key, "effect": t.effect, "value": t.value} for t in own_marks.taints.values()])
    current = copy.deepcopy(start)
    for labels, taints in wishes:
        wish = Marks.of(labels, taints)
        current = merged(current, patch(current, wish))
        assert wish.labels.items() <= present(current).labels.items()
        assert wish.taints.items() <= present(current).taints.items()
        assert patch(current, wish) == {}
    assert present(after(current)) == own_marks


class Fake:
    """Keeps what would be sent."""

    def __init__(self, *objects: Object) -> None:
        self.objects = objects
        self.sent: list[tuple[str, Object, bool]] = []

    def nodes(self) -> list[Object]:
        return list(self.objects)

    def patch(self, name: str, body: Object, *, dry_run: bool) -> None:
        self.sent.append((name, body, dry_run))


def test_unknown_node_changes_nothing() -> None:
    cluster = Fake(node())
    with pytest.raises(NodesError, match=r"no node b\. It has a: correct node_name"):
        apply(cluster, {"a": Marks.of({"zone": "garage"}, []), "b": Marks()}, dry_run=False)  # type: ignore[arg-type]
    assert cluster.sent == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_check_mode_asks_the_api_server(dry_run: bool) -> None:
    cluster = Fake(node())
    changes = apply(cluster, {"a": Marks.of({"zone": "garage"}, [])}, dry_run=dry_run)  # type: ignore[arg-type]
    assert [sent[2] for sent in cluster.sent] == [dry_run]
    assert changes == [
        {"name": "a", "before": {"labels": {}, "taints": []}, "after": {"labels": {"zone": "garage"}, "taints": []}}
    ]
