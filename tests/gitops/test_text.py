"""What is text in the inventory is text in the folder, for readers of either version of YAML and for Helm."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import yaml
from tools import program

from .conftest import ROOT, Json, render

# What Go's reader of YAML, or another, takes for a number, a truth or nothing.
LABELS = {
    **{"rack": "08", "commit": "25921e05", "cell": "0815", "tag": "1e3", "release": "1.20", "octal": "0o7"},
    **{"country": "no", "axis": "y", "line": "off", "shift": "12:30", "since": "2026-01-31", "rest": "null"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site that has such text wherever an inventory takes text."""
    site = tmp_path_factory.mktemp("text")
    variables = {
        "ansible_connection": "local",
        "continuum_cluster": "0815",
        "prometheus_external_labels": LABELS,
        "prometheus_node_selector": LABELS,
        "metrics_server_flavour": "existing",
        "grafana_flavour": "dashboards",
        "grafana_dashboards_enabled": False,
    }
    inventory = {"continuum": {"hosts": {"garage": {}}, "vars": variables}}
    (site / "hosts.yml").write_text(json.dumps(inventory))
    render(os.path.relpath(site / "hosts.yml", ROOT / "inventories"), site / "fleet")
    return site / "fleet" / "0815"


def release(folder: Path, read: Any) -> Json:
    """The HelmRelease of Prometheus as a reader takes it."""
    helm_release: Json = read((folder / "flux" / "prometheus.yaml").read_text().split("\n---\n")[-1])
    assert helm_release["kind"] == "HelmRelease"
    return helm_release["spec"]["values"]


@pytest.mark.parametrize("read", [yaml.safe_load, ruamel.yaml.YAML(typ="safe", pure=True).load], ids=["1.1", "1.2"])
def test_a_reader_gets_the_text_of_the_inventory(read: Any, folder: Path) -> None:
    values = release(folder, read)
    assert values["prometheus"]["externalLabels"] == LABELS
    assert values["prometheus"]["nodeSelector"] == LABELS
    assert values["cluster"] == "0815"


def test_helm_gets_the_text_of_the_inventory(folder: Path, tmp_path: Path) -> None:
    application = (folder / "argocd" / "prometheus.yaml").read_text().split("\n---\n")[-1]
    # The block as it stands, so that Helm's own reader takes the text and none of ours.
    head, _, rest = application.partition("valuesObject:\n")
    deeper = " " * (len(head) - head.rfind("\n"))
    block = itertools.takewhile(lambda line: line.startswith(deeper), rest.splitlines(keepends=True))
    (tmp_path / "values.yaml").write_text(textwrap.dedent("".join(block)))
    done = subprocess.run(
        [program("helm"), "template", "prometheus", folder / "charts/edge-monitoring", "-f", tmp_path / "values.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    objects = [obj for obj in yaml.safe_load_all(done.stdout) if obj]
    [server] = [obj for obj in objects if obj["kind"] == "StatefulSet"]
    assert server["spec"]["template"]["spec"]["nodeSelector"] == LABELS
    texts = [obj["data"]["prometheus.yml"] for obj in objects if "prometheus.yml" in obj.get("data", {})]
    labels = [yaml.safe_load(text)["global"]["external_labels"] for text in texts]
    # The Pod that checks a configuration before it is replaced has it, too.
    assert labels == [{"cluster": "0815", **LABELS}] * len(texts) != []
