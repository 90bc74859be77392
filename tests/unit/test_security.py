"""docs/security.md says of the embedded cluster's settings what its templates say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "roles" / "local_cluster"
# The numbers of kube-bench's cis-1.12 that settings of a program answer.
CHECKS = [
    *(f"1.2.{number}" for number in range(1, 31)),
    *(f"1.3.{number}" for number in range(1, 8)),
    *(f"1.4.{number}" for number in range(1, 3)),
    *(f"2.{number}" for number in range(1, 8)),
    *(f"3.2.{number}" for number in range(1, 3)),
    *(f"4.2.{number}" for number in range(1, 15)),
    "4.3.1",
]
ROW = re.compile(
    r"^\| (?P<check>[\d.]+) \| (?P<program>\S+) \| (?P<settings>.+?) \| (?P<here>.+?) \|(?: (?P<reason>.+?))? \|$", re.M
)
TABLE = [row.groupdict() for row in ROW.finditer((ROOT / "docs" / "security.md").read_text())]


def rendered(template: str) -> Any:
    """A template of the role with its default variables and one node, as YAML."""
    environment = jinja2.Environment(  # noqa: S701 # it makes YAML
        loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined
    )
    environment.filters["to_json"] = json.dumps
    variables = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    node = {"name": "edge-1", "address": "10.77.0.11", "labels": {}, "taints": [], "reserved": {}}
    derived = {
        "_local_cluster_gateway": "10.77.0.1",
        "_local_cluster_dns_address": "10.96.0.10",
        "_local_cluster_cgroup": "/edge",
        "_local_cluster_members": [node],
        "_local_cluster_machine": {"unenforceable": []},
    }
    text = environment.get_template(template).render(variables, **derived, node=node, ansible_managed="")
    return yaml.safe_load(text)


def flat(value: Any, path: str = "") -> Iterator[str]:
    """A configuration as ``path.of.key=value``."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}={json.dumps(inner) if not isinstance(inner, str) else inner}"


@pytest.fixture(scope="module")
def settings() -> dict[str, list[str]]:
    """Of each program its flags and what is in its configuration."""
    commands: dict[str, list[str]] = {
        name.removeprefix("edge-1-"): service["command"] for name, service in rendered("services.yml.j2").items()
    }
    commands["kubelet"] = [*commands["kubelet"], *flat(rendered("kubelet.yaml.j2"))]
    commands["kube-proxy"] = [*commands["kube-proxy"], *flat(rendered("kube-proxy.yaml.j2"))]
    return commands


def test_every_check_is_in_the_table_once() -> None:
    assert [row["check"] for row in TABLE] == CHECKS


@pytest.mark.parametrize("row", TABLE, ids=[row["check"] for row in TABLE])
def test_the_table_says_what_is_set(row: dict[str, str], settings: dict[str, list[str]]) -> None:
    assert row["here"] in ("set", "not set")
    named = re.findall(r"`([^`]+)`", row["settings"])
    assert named
    for setting in named:
        has = any(each == setting or each.startswith(f"{setting}=") for each in settings[row["program"]])
        assert has == (row["here"] == "set"), setting
