"""The pictures of docs/pictures: every part of the page has its own, and they are small. dashboards/pictures.py takes them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import ROOT

PICTURES = ROOT / "docs" / "pictures"
BOARDS = json.loads((ROOT / "images/monitoring-api/monitoring_api/boards.json").read_text(encoding="utf-8"))
PARTS = [*(board["key"] for board in BOARDS), "alerts", "metrics", "application"]
SHOWN = re.compile(r'<img src="([^"]+)" alt="[^"]+"')


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_its_pictures(part: str) -> None:
    shown = SHOWN.findall((PICTURES / "README.md").read_text(encoding="utf-8"))
    for width in (1280, 390):
        name = f"{width}-{part}.png"
        assert name in shown, "run dashboards/pictures.py"
        picture = (PICTURES / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert int.from_bytes(picture[16:20]) == width


def test_they_are_small_and_each_is_shown() -> None:
    files = {path.name: path.stat().st_size for path in PICTURES.glob("*.png")}
    assert sum(files.values()) < 1_500_000
    assert set(files) == set(SHOWN.findall((PICTURES / "README.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", ["README.md", "docs/monitoring-api.md"])
def test_pages_show_pictures_that_are_there(page: str) -> None:
    path = ROOT / page
    shown = SHOWN.findall(path.read_text(encoding="utf-8"))
    assert len(shown) >= 2
    assert all((path.parent / Path(name)).is_file() for name in shown)
