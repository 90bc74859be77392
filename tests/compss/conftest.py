"""What the tests of applications share: the monitoring API's package, rendering of the chart."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# The image's program is not installed here.
sys.path.insert(0, str(ROOT / "images" / "compss-monitoring"))

Objects = list[dict[str, Any]]
Template = Callable[..., subprocess.CompletedProcess[str]]


def program(name: str) -> str:
    own = ROOT / ".local" / "bin" / name
    found = os.environ.get(name.upper()) or (str(own) if own.exists() else shutil.which(name))
    if not found:
        pytest.fail(f"No {name}: expected .local/bin/{name} (make up), one on PATH, or its path in {name.upper()}")
    return found


@pytest.fixture(scope="session")
def template() -> Template:
    """Run `helm template` of the chart; nothing is said about its success."""
    helm = program("helm")

    def run(values: dict[str, Any], name: str = "app", namespace: str = "tests") -> subprocess.CompletedProcess[str]:
        command = [helm, "template", name, str(ROOT / "charts" / "compss"), "-n", namespace, "-f", "-"]
        return subprocess.run(command, input=yaml.safe_dump(values), capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def render(template: Template) -> Callable[..., Objects]:
    def run(values: dict[str, Any], **where: str) -> Objects:
        done = template(values, **where)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return run
