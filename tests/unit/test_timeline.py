"""The timeline as a picture, from a small trace of each form that the engines write."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "roles" / "compss" / "files" / "timeline.py"
SVG = "{http://www.w3.org/2000/svg}"
# Two workers, the second of two units. COMPSs writes several events to a record, among others' and states.
TRACE = """\
#Paraver (21/11/2026 at 16:00):4000000000_ns:3(1,1,2):1:3(1:1,1:2,2:3)
1:1:1:1:1:0:4000000000:1
2:2:1:2:1:1000000000:8000000:1:8000002:1
2:2:1:2:1:1500000000:8000000:0:8000002:0
2:3:1:3:1:1000000000:7000000:5
2:3:1:3:1:1000000000:8000000:2:8000002:2
2:4:1:3:2:1200000000:8000000:1:8000002:3
2:4:1:3:2:1700000000:8000000:0:8000002:0
2:3:1:3:1:3000000000:8000000:0:8000002:0
"""
NAMES = """\
EVENT_TYPE
0    7000000    Other
VALUES
5 nothing


EVENT_TYPE
0    8000000    Task
VALUES
0    End
1 app.py.first
2 app.py.a<b


EVENT_TYPE
0    8000002    Task IDs
"""
ROWS = """\
LEVEL NODE SIZE 3
MASTER

LEVEL THREAD SIZE 4
THREAD 1.1.1 (MASTER)
THREAD 1.2.1 (w-0)
THREAD 1.3.1 (w-1)
THREAD 1.3.2 (w-1)
"""


def draw(folder: Path, trace: str = TRACE, *, beside: bool = True) -> subprocess.CompletedProcess[str]:
    (folder / "app.prv").write_text(trace)
    if beside:
        (folder / "app.pcf").write_text(NAMES)
        (folder / "app.row").write_text(ROWS)
    command = [sys.executable, str(SCRIPT), str(folder / "app.prv"), str(folder / "app.svg")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def picture(folder: Path) -> ElementTree.Element:
    return ElementTree.parse(folder / "app.svg").getroot()  # noqa: S314 - it is our own


def test_one_bar_for_each_task(tmp_path: Path) -> None:
    assert draw(tmp_path).returncode == 0
    root = picture(tmp_path)
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert sorted(map(str, titles)) == ["a<b: 2000.0 ms", "first: 500.0 ms", "first: 500.0 ms"]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[0] == "3 tasks in 2.000 s"
    assert texts[1:4] == ["w-0 [1]", "w-1 [1]", "w-1 [2]"]
    assert texts[4:] == ["first", "a<b"]
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    # Half a second is a quarter of two.
    short, long = sorted({float(bar.get("width", 0)) for bar in bars})
    assert abs(long - 4 * short) < 0.1


def test_names_are_not_needed(tmp_path: Path) -> None:
    assert draw(tmp_path, beside=False).returncode == 0
    assert {title.text for title in picture(tmp_path).iter(f"{SVG}title")} == {"1: 500.0 ms", "2: 2000.0 ms"}


def test_a_run_without_tasks_is_an_empty_picture(tmp_path: Path) -> None:
    assert draw(tmp_path, TRACE.splitlines()[0] + "\n").returncode == 0
    assert next(text.text for text in picture(tmp_path).iter(f"{SVG}text")).startswith("0 tasks")


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    done = draw(tmp_path, "hello\n")
    assert done.returncode == 1
    assert "not a Paraver trace: it starts with 'hello'" in done.stderr
    assert not (tmp_path / "app.svg").exists()


# The smallest trace of COMPSs 3.3: two tasks of 500 ms on two workers. A node is an appl.
COMPSS = """\
#Paraver (25/11/2026 at 01:52):1000000000_ns:3(1,1,1):1:3(1:1,1:2,1:3)
2:1:2:1:1:0:8000000:1
2:2:3:1:1:100000000:8000000:1
2:1:2:1:1:500000000:8000000:0
2:2:3:1:1:600000000:8000000:0
"""


def bars_of(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """From and to of the bars, by the row that they lie on."""
    bars: dict[str, list[tuple[float, float]]] = {}
    for rect in picture(folder).iter(f"{SVG}rect"):
        if rect.find(f"{SVG}title") is not None:
            left = float(rect.get("x", 0))
            bars.setdefault(rect.get("y", ""), []).append((left, left + float(rect.get("width", 0))))
    return bars


def test_a_row_for_each_worker_of_compss(tmp_path: Path) -> None:
    assert draw(tmp_path, COMPSS, beside=False).returncode == 0
    assert [len(bars) for bars in bars_of(tmp_path).values()] == [1, 1]
    texts = [text.text for text in picture(tmp_path).iter(f"{SVG}text")]
    assert texts[:3] == ["2 tasks in 0.600 s", "worker 1 [1]", "worker 2 [1]"]


def test_executors_of_one_worker_of_compss(tmp_path: Path) -> None:
    """Tasks lie at (cpu, appl, task, thread); the .row file names executors, idle ones too."""
    records = [
        f"2:1:{appl}:2:{thread}:{moment}:8000000:{value}"
        for appl, thread in ((2, 1), (2, 2), (3, 1))
        for moment, value in ((thread, 1), (thread + 10, 0))
    ]
    (tmp_path / "app.row").write_text(
        "LEVEL THREAD SIZE 5\nMAIN APP (1.1.1)\nEXECUTOR (2.2.1)\nEXECUTOR (2.2.2)\nEXECUTOR (3.2.1)\nEXECUTOR (4.2.1)\n"
    )
    assert draw(tmp_path, "\n".join([COMPSS.splitlines()[0], *records]), beside=False).returncode == 0
    for bars in bars_of(tmp_path).values():
        assert len(bars) == 1
    texts = [text.text for text in picture(tmp_path).iter(f"{SVG}text")]
    assert texts[1:5] == ["worker 1 [1]", "worker 1 [2]", "worker 2 [1]", "worker 3 [1]"]
