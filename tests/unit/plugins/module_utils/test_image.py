"""What decides whether an image is built again."""

from __future__ import annotations

import io
import json
import urllib.error
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.image import ImageError, Recipe, built_from
from ansible_collections.continuum.edge.plugins.module_utils.oci import OciError, Registry


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print(1)\n")
    (tmp_path / "beside.txt").write_text("not copied\n")
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY app /app\n")
    return Recipe(tmp_path / "Containerfile", tmp_path, ("app",), (("VERSION", "1"),))


def test_key_stays_when_nothing_that_is_copied_changes(recipe: Recipe) -> None:
    before = recipe.key()
    (recipe.context / "beside.txt").write_text("changed\n")
    assert recipe.key() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda context: (context / "app" / "main.py").write_text("print(2)\n"),
        lambda context: (context / "app" / "main.py").chmod(0o755),
        lambda context: (context / "app" / "main.py").rename(context / "app" / "other.py"),
        lambda context: (context / "app" / "new.py").write_text(""),
        lambda context: (context / "Containerfile").write_text("FROM scratch\n"),
    ],
)
def test_key_changes_with_what_goes_in(recipe: Recipe, change: Callable[[Path], object]) -> None:
    before = recipe.key()
    change(recipe.context)
    assert recipe.key() != before


def test_key_changes_with_the_arguments(recipe: Recipe) -> None:
    other = Recipe(recipe.containerfile, recipe.context, recipe.include, (("VERSION", "2"),))
    assert other.key() != recipe.key()


def test_missing_file_is_named(recipe: Recipe) -> None:
    with pytest.raises(ImageError, match=r"nowhere is not there, and .*Containerfile copies it"):
        Recipe(recipe.containerfile, recipe.context, ("nowhere",)).key()


def test_registry_that_does_not_answer_is_named() -> None:
    with pytest.raises(OciError, match=r"Registry 127\.0\.0\.1:1 does not answer"):
        built_from(Registry("127.0.0.1:1", insecure=True), "a", "b")


class Kept(Registry):
    """A registry that answers out of memory."""

    def __init__(self, documents: dict[str, Any]) -> None:
        super().__init__("registry.example")
        self.documents = documents

    def open(self, _method: str, path: str, *_: Any) -> Any:
        if path not in self.documents:
            raise urllib.error.HTTPError(path, 404, "Not Found", Message(), None)
        return io.BytesIO(json.dumps(self.documents[path]).encode())


@pytest.mark.parametrize("lost", [None, "app/manifests/1", "app/manifests/part", "app/blobs/settings"])
def test_an_image_that_lost_a_part_is_not_there(lost: str | None) -> None:
    documents = {
        "app/manifests/1": {"manifests": [{"digest": "part"}]},
        "app/manifests/part": {"config": {"digest": "settings"}},
        "app/blobs/settings": {"config": {"Labels": {"edge.continuum.content": "hash"}}},
    }
    documents.pop(lost or "", None)
    assert built_from(Kept(documents), "app", "1") == (None if lost else "hash")
