"""Whether a cluster can get an image, and where it was looked for."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import oci
from ansible_collections.continuum.edge.plugins.module_utils.image_search import TOLD, Node, search

# Nobody listens there.
NAME = "127.0.0.1:1/continuum-edge/pycompss-dask:0.1.0"
DIGEST = "sha256:" + "0" * 64


class Mirror(oci.Registry):
    """A registry whose answers are given."""

    def __init__(self, *paths: str) -> None:
        super().__init__("mirror.example:5000")
        self.paths = paths

    def has(self, path: str) -> str | None:
        return DIGEST if path in self.paths else None


def node(*names: str, images: int = 1) -> Node:
    told: list[dict[str, Any]] = [{"names": list(names)}, *({"names": None} for _ in range(images - 1))]
    return Node.of({"metadata": {"name": "edge-1"}, "status": {"images": told}})


@pytest.mark.parametrize("told", [(NAME,), (f"127.0.0.1:1/continuum-edge/pycompss-dask@{DIGEST}", NAME)])
def test_a_node_has_it(told: tuple[str, ...]) -> None:
    result = search(NAME, [node(), node(*told)], [])
    assert result.places == ("edge-1",)
    assert not result.missing


def test_a_short_name_is_the_full_one() -> None:
    assert search("redis:7.0.15", [node("docker.io/library/redis:7.0.15")], []).places == ("edge-1",)


def test_a_mirror_has_it_under_its_full_name() -> None:
    mirror = Mirror("127.0.0.1:1/continuum-edge/pycompss-dask/manifests/0.1.0")
    assert search(NAME, [node()], [mirror]).places == ("mirror.example:5000",)


def test_nobody_has_it() -> None:
    result = search(NAME, [node("quay.io/other:1")], [Mirror()])
    assert result.missing
    assert result.looked[:2] == ("the nodes edge-1", "registry mirror.example:5000 (not there)")
    assert "127.0.0.1:1 does not answer" in result.looked[2]


@pytest.mark.parametrize(("images", "secrets"), [(TOLD, False), (1, True)], ids=["more than is told", "a login"])
def test_it_may_be_there_all_the_same(images: int, secrets: bool) -> None:
    result = search(NAME, [node(images=images)], [], secrets=secrets)
    assert not result.places
    assert not result.missing
