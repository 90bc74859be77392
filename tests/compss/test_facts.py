"""What is known of COMPSs stands in one file, and what runs in its image runs on its Python."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import facts
from .conftest import ROOT

PYTHON = facts.read()["python"]["value"]
IN_THE_IMAGE = ("apps", "charts/compss/files", "images/pycompss-dask/src/compss_telemetry")


def test_the_page_says_what_the_stand_in_does() -> None:
    assert facts.main(["--check"]) == 0


def test_the_stand_in_reads_its_facts() -> None:
    """By name: a name that no file has, or that no part of the stand-in reads, would be a fact of nobody."""
    text = "".join(
        path.read_text()
        for path in (ROOT / "tests" / "compss" / "standin").rglob("*")
        if path.is_file() and path.suffix != ".json"
    )
    read = set(re.findall(r'FACTS\["(\w+)"\]', text))
    assert read <= set(facts.read())
    only_told = {"cost", "python", "applications_times", "environment", "executed_count", "worker_data"}
    assert set(facts.read()) - read <= only_told


@pytest.mark.parametrize("place", IN_THE_IMAGE)
def test_runs_on_the_python_of_the_image(place: str) -> None:
    command = [
        Path(sys.executable).parent / "vermin",
        "--quiet",
        "--no-tips",
        "--violations",
        f"-t={PYTHON}-",
        ROOT / place,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
