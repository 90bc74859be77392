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
    assert summary(rows) == [
        "COMPONENT   STATUS    WHERE     NOTE",
        "Prometheus  running   http://x",
        "Grafana     left out            no image",
    ]


def test_no_rows_no_table() -> None:
    assert summary([]) == []
