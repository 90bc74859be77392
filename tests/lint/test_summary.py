"""The last lines of tests/run: durations, the slowest tests, and what was left out."""

from __future__ import annotations

from pathlib import Path

from summary import summary

CASES = '<testsuites><testsuite><testcase classname="{0}" name="short" time="0.2"/><testcase classname="{0}" name="long" time="12.5"/>{1}</testsuite></testsuites>'
SKIPPED = '<testcase classname="c" name="{}" time="0"><skipped message="no charts"/></testcase>'


def test_all_of_a_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "durations.tsv").write_text("lint\t80\ncluster: scenario edge\t301\n")
    (tmp_path / "left_out.tsv").write_text("scenario operator\tno folder\n")
    (tmp_path / "unit.xml").write_text(CASES.format("a", SKIPPED.format("one")))
    (tmp_path / "cluster.xml").write_text(CASES.format("b", SKIPPED.format("two")))
    text = summary(tmp_path)
    assert "301 s  cluster: scenario edge" in text
    assert text.index("12.5 s  a::long") < text.index("0.2 s  a::short")
    assert "Left out: 1 parts of this run, and 2 tests" in text
    assert "scenario operator: no folder" in text
    assert "2 tests: no charts" in text


def test_a_run_without_tests_has_a_summary(tmp_path: Path) -> None:
    assert "0 slowest of 0 tests" in summary(tmp_path)
