"""The page of figures says what its rounds say."""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import benchmarks  # noqa: E402
import report  # noqa: E402
from report import Figure, Report, Round, Row  # noqa: E402

TITLES = {"site": "Sites", "noop": "Nothing to do"}
KEPT: dict[str, list[dict[str, Any]]] = json.loads((ROOT / "docs" / "benchmarks.json").read_text())


def a_round(*values: float, **fields: Any) -> Round:
    """Rounds with one figure of each value, which is to be 10 s at most."""
    figures = [Figure(f"figure {number}", value, "s", 10, "true") for number, value in enumerate(values)]
    defaults = {
        "at": "2026-01-01 00:00",
        "load": 0.5,
        "cores": 2,
        "commit": "abc",
        "changed": False,
        "machine": "a machine",
    }
    return Round(**{**defaults, "figures": figures, **fields})


def row(*figures: Figure, **fields: Any) -> Row:
    return Row([(a_round(**fields), figure) for figure in figures])


def test_page_is_the_one_that_the_rounds_give() -> None:
    titles = {name: each.title for name, each in benchmarks.ALL.items()}
    assert report.PAGE.read_text() == str(Report(titles))


def cells() -> dict[tuple[str, str], tuple[str, str]]:
    """Median and verdict of the page, by title of the section and figure."""
    medians = {}
    for section in re.split(r"^## ", report.PAGE.read_text(), flags=re.M)[1:]:
        title = section.splitlines()[0]
        for line in section.splitlines():
            figure, _, median, verdict, *_ = [each.strip() for each in re.split(r"(?<!\\)\|", line)[1:]] + [""] * 4
            if median.startswith("**") or verdict == "measure again":
                medians[title, figure] = median.strip("*"), verdict
    return medians


def test_every_verdict_follows_from_its_rounds() -> None:
    """The verdicts are computed a second time, by other means than the page is written with."""
    page, seen = cells(), set()
    for name, rounds in KEPT.items():
        last = [each for each in rounds if each["series"] == rounds[-1]["series"]]
        for figure in (figure for each in last for figure in each["figures"]):
            kind = {key: value for key, value in figure.items() if key not in ("measured", "note")}
            values = [
                one["measured"]
                for each in last
                for one in each["figures"]
                if {key: value for key, value in one.items() if key not in ("measured", "note")} == kind
                and one["measured"] <= one.get("possible", float("inf"))
            ]
            goal, least = figure.get("goal"), figure.get("better") == "more"
            key = benchmarks.ALL[name].title, figure["figure"]
            if not values:
                assert page[key] == ("", "measure again"), key
            else:
                median = statistics.median(values)
                met = goal is not None and (median >= goal if least else median <= goal)
                assert page[key][1] == ("" if goal is None else "met" if met else "missed"), key
                assert float(re.match(r"[\d.,]+", page[key][0])[0].replace(",", "")) == pytest.approx(median, rel=0.05)
            seen.add(key)
    assert seen == set(page)


def test_verdict_is_that_of_the_median() -> None:
    late, early = Figure("time", 12, goal=10), Figure("time", 4, goal=10)
    assert row(early, late, late).verdict == "missed"
    assert row(late, early, early).verdict == "met"
    assert row(Figure("gain", 12, goal=10, better="more")).verdict == "met"
    assert row(Figure("time", 12)).verdict == ""


def test_an_impossible_round_counts_for_nothing() -> None:
    """A speed-up of 3.45 by 3 workers made 2.92 a verdict of `met` once."""
    slow, impossible = (Figure("speed-up", each, "x", 2.93, better="more", possible=3) for each in (2.92, 3.45))
    assert row(slow, impossible).median == 2.92
    assert row(slow, impossible).verdict == "missed"
    assert "2.92, (3.45)" in str(row(slow, impossible))
    assert row(impossible).median is None
    assert row(impossible).verdict == "measure again"


def test_rounds_of_another_kind_are_another_row() -> None:
    other = a_round(3, figures=[Figure("figure 0", 3, "s", 20, "true")])
    assert [each.median for each in report.rows([a_round(1), other, a_round(2)])] == [1.5, 3]


@pytest.mark.parametrize(
    ("fields", "caveat"),
    [
        ({"load": 2.1}, "load 2.1 on 2 cores"),
        ({"load": None}, "load not recorded"),
        ({"changed": True}, "changed tree"),
        ({"transcribed": "a page"}, "taken from an earlier page"),
    ],
)
def test_what_speaks_against_a_figure_stands_beside_it(fields: dict[str, Any], caveat: str) -> None:
    assert caveat in str(row(Figure("time", 1), **fields))
    assert caveat not in str(row(Figure("time", 1), load=2.0))


def test_every_round_is_kept_and_the_last_series_is_shown(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    Report(TITLES, page).add("site", a_round(8, series=1))
    Report(TITLES, page).add("noop", a_round(9))
    Report(TITLES, page).add("site", a_round(5, series=2, at="2026-01-02 00:00"))
    kept = Report(TITLES, page)
    assert kept.rounds["site"] == [a_round(8, series=1), a_round(5, series=2, at="2026-01-02 00:00")]
    assert page.read_text() == str(kept)
    assert "**5 s**" in page.read_text()
    assert "**8 s**" not in page.read_text()
    assert page.read_text().index("## Sites") < page.read_text().index("## Nothing to do")


def test_rounds_are_appended_to_the_last_series(tmp_path: Path) -> None:
    page = Report(TITLES, tmp_path / "page.md")
    assert page.next_series("site", append=False) == 1
    page.add("site", a_round(8, machine=report.machine()))
    assert page.next_series("site", append=True) == 1
    assert page.next_series("site", append=False) == 2
    page.add("site", a_round(20, machine=report.machine()))
    page.add("site", a_round(30, machine=report.machine()))
    assert [each.verdict for each in report.rows(page.series("site"))] == ["missed"]


@pytest.mark.parametrize(
    ("rounds", "refusal"),
    [
        ([], "no rounds of site"),
        ([a_round(1)], "another machine"),
        ([dataclasses.replace(a_round(1), transcribed="a page")], "no program"),
    ],
)
def test_what_cannot_be_appended_to_is_refused(tmp_path: Path, rounds: list[Round], refusal: str) -> None:
    page = Report(TITLES, tmp_path / "page.md")
    for each in rounds:
        page.add("site", each)
    with pytest.raises(SystemExit, match=f"{refusal}.*without --append"):
        page.next_series("site", append=True)


def test_without_the_virtual_environment_run_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    program = tmp_path / "bench" / "run"
    program.write_bytes((ROOT / "bench" / "run").read_bytes())
    program.chmod(0o755)
    ended = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "./bootstrap --dev" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_run_finds_the_virtual_environment_by_itself(tmp_path: Path) -> None:
    ended = subprocess.run(
        [ROOT / "bench" / "run", "--append", "--output", tmp_path / "page.md", "noop"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr.startswith("bench: error: ")
    assert "no rounds of noop" in ended.stderr
