from __future__ import annotations

import pytest

from ansible_collections.continuum.edge.plugins.callback.progress import duration, summary


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (72, "1 min 12 s"), (3600, "1 h 0 min"), (3725, "1 h 2 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_summary_is_aligned_and_keeps_the_last_word() -> None:
    rows = [
        {"component": "Prometheus", "status": "starting", "where": "http://x", "note": ""},
        {"component": "Grafana", "status": "left out", "where": None, "note": "no image"},
        {"component": "Prometheus", "status": "running", "where": "http://x"},
    ]
    assert summary([("box", row) for row in rows]) == [
        "COMPONENT   STATUS    WHERE     NOTE",
        "Prometheus  running   http://x",
        "Grafana     left out            no image",
    ]


def test_summary_names_the_hosts_where_there_are_several() -> None:
    row = {"component": "Prometheus", "status": "running", "where": "http://<node>:31000"}
    assert summary([("garage", row), ("harbour", row | {"status": "left out"}), ("garage", row)]) == [
        "HOST     COMPONENT   STATUS    WHERE                NOTE",
        "garage   Prometheus  running   http://<node>:31000",
        "harbour  Prometheus  left out  http://<node>:31000",
    ]


def test_no_rows_no_table() -> None:
    assert summary([]) == []
