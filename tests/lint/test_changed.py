"""Every file is known to tests/run --changed, and all that it names is there."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

from changed import EVERYTHING, ONLY_LINTED, TOUCHES, touched

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = {path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")}


def tracked() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_every_file_is_known() -> None:
    patterns = [*(row[0] for row in TOUCHES), *ONLY_LINTED]
    assert [file for file in tracked() if not any(fnmatchcase(file, pattern) for pattern in patterns)] == []


def test_every_row_is_of_files_tests_and_scenarios_that_there_are() -> None:
    files = tracked()
    assert [row[0] for row in TOUCHES if not any(fnmatchcase(file, row[0]) for file in files)] == []
    names = {name for row in TOUCHES for name in row[1].split()} - {EVERYTHING}
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert {name for row in TOUCHES for name in row[2].split()} - {EVERYTHING} == SCENARIOS
    assert {f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if any(path.glob("**/test_*.py"))} - {
        *names,
        "tests/live",
    } == set()


def test_rows_are_added_up() -> None:
    assert touched(["bench/run"]) == {"unit": ["tests/bench"]}
    assert touched(["apps/matmul/matmul.py", "bench/run"])["unit"] == ["tests/bench", "tests/pycompss/test_apps.py"]
    assert touched(["plugins/modules/volume.py"])["cluster"] == ["check", "monitoring", "release", "upgrade"]
    assert touched(["requirements.txt", "bench/run"]) == {"unit": [], "cluster": []}
    assert touched(["README.md"]) == {}
