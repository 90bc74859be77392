"""kind itself reads the configuration that the role gives it; making the cluster needs Docker and the image of its nodes."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
VERSION = "v0.33.0"
GO = shutil.which("go") or "/usr/local/go/bin/go"
Create = Callable[[str], subprocess.CompletedProcess[str]]


def configuration(**variables: Any) -> str:
    defaults = yaml.safe_load((ROOT / "roles" / "kind" / "defaults" / "main.yml").read_text(encoding="utf-8"))
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)  # noqa: S701 # no HTML
    environment.filters["to_json"] = json.dumps
    template = environment.from_string((ROOT / "roles" / "kind" / "templates" / "cluster.yml.j2").read_text())
    return template.render(defaults | {"kind_name": "test"} | variables)


def kind() -> Path:
    """Built once for each version: linking it takes longer than all that is asked of it."""
    program = ROOT / ".cache" / "kind" / VERSION / "kind"
    if not program.exists():
        made = program.with_name("new")
        environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": "-mod=mod"}
        subprocess.run([GO, "install", f"sigs.k8s.io/kind@{VERSION}"], env=environment, check=True)
        (made / "kind").replace(program)
    return program


@pytest.fixture(scope="module")
def create(tmp_path_factory: pytest.TempPathFactory) -> Create:
    """Run `kind create cluster` where there is no Docker: it reads the configuration first."""
    folder = tmp_path_factory.mktemp("kind")
    program = kind()

    def run(text: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), "create", "cluster", "--config=-", f"--kubeconfig={folder}/kubeconfig"]
        nowhere = {"PATH": str(folder), "HOME": str(folder), "KIND_EXPERIMENTAL_PROVIDER": "docker"}
        return subprocess.run(command, input=text, env=nowhere, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, {"kind_image": "kindest/node:v1.35.0", "kind_ports": [], "kind_nodes": 1}])
def test_kind_reads_its_configuration(create: Create, variables: dict[str, Any]) -> None:
    done = create(configuration(**variables))
    assert done.returncode != 0
    assert 'exec: "docker": executable file not found' in done.stderr


@pytest.mark.slow
def test_kind_refuses_a_wrong_one(create: Create) -> None:
    done = create(configuration().replace("containerPort", "containerPrt"))
    assert "containerPrt" in done.stderr
    assert "unable to decode config" in done.stderr


def test_first_node_answers_on_the_ports() -> None:
    nodes = yaml.safe_load(configuration())["nodes"]
    assert [node["role"] for node in nodes] == ["control-plane", "worker", "worker"]
    assert [each["hostPort"] for each in nodes[0]["extraPortMappings"]] == [31000, 31001, 31002]
