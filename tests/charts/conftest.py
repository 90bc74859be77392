"""What the tests of the charts share: the helm and promtool programs, and rendering."""

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import program

ROOT = Path(__file__).resolve().parents[2]
Objects = list[dict[str, Any]]
Render = Callable[..., Objects]


@pytest.fixture(scope="session")
def helm() -> str:
    return program("helm")


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="session")
def template(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `helm template` of a chart of this collection with some values; nothing is said about its success."""
    file = tmp_path_factory.mktemp("values") / "values.yaml"

    def run(
        chart: str, values: dict[str, Any], namespace: str = "monitoring", name: str = "test"
    ) -> subprocess.CompletedProcess[str]:
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        command = [helm, "template", name, str(ROOT / "charts" / chart), "-n", namespace, "-f", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def render(template: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    """Render a chart into its objects; hooks are among them."""

    def run(
        chart: str, values: dict[str, Any] | None = None, namespace: str = "monitoring", name: str = "test"
    ) -> Objects:
        done = template(chart, values or {}, namespace, name)
        assert done.returncode == 0, f"helm template {chart} failed: {done.stderr}"
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return run


@pytest.fixture
def application_template(
    template: Callable[..., subprocess.CompletedProcess[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    return partial(template, "compss")


@pytest.fixture
def application(render: Render) -> Render:
    return partial(render, "compss")
