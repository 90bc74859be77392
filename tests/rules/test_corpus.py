# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Every record on every platform of corpus/: one node that does the same, as the exporters of each platform show it.

A file of a platform has `about`; `series` by scrape job, without the labels job, cluster and node; `without`, the jobs
of common.yml that it has not; `twice`, the jobs whose targets have two addresses; `right`, where its figures are others
than common.yml's, as [series, sum]; and `absent`, the records (or a pattern of them) that it cannot have, and why.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import METRICS, Catalogue, Selection, rules_file
from ansible_collections.continuum.edge.tests.rules import promtool

CORPUS = Path(__file__).parent / "corpus"
COMMON = yaml.safe_load((CORPUS / "common.yml").read_text(encoding="utf-8"))
PLATFORMS = sorted(path.stem for path in CORPUS.glob("*.yml") if path.stem != "common")
RECORDS = [metric.name for metric in METRICS]
# Jobs whose targets are nodes, and so carry their name.
OF_NODES = ("cadvisor", "kubelet", "probes", "node-exporter")
ADDRESSES = ("10.0.0.1:1", "[fd00::1]:1")


def series_of(platform: dict[str, Any]) -> list[dict[str, str]]:
    """All series as a scrape of the platform stores them."""
    made = []
    for jobs in (COMMON["series"], platform["series"]):
        for job, series in jobs.items():
            if job in platform.get("without", ()):
                continue
            target = f'job="{job}", cluster="edge"' + (', node="n1"' if job in OF_NODES else "")
            instances = [f', instance="{a}"' for a in ADDRESSES] if job in platform.get("twice", ()) else [""]
            for key, values in series.items():
                name, _, labels = key.partition("{")
                rest = f", {labels}" if labels else "}"
                made += [{"series": f"{name}{{{target}{instance}{rest}", "values": values} for instance in instances]
    return made


def reason(platform: dict[str, Any], record: str) -> str:
    return next((why for what, why in platform.get("absent", {}).items() if fnmatchcase(record, what)), "")


@pytest.fixture(scope="module")
def rules() -> str:
    return rules_file(Catalogue().groups(Selection()))


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_record(tmp_path: Path, rules: str, name: str) -> None:
    platform = yaml.safe_load((CORPUS / f"{name}.yml").read_text(encoding="utf-8"))
    right = {**COMMON["right"], **platform.get("right", {})}
    expectations = []
    for record in RECORDS:
        missing = bool(reason(platform, record))
        assert missing or record in right, f"{record} has neither a figure nor a reason why it is absent"
        for what, figure in zip(("count", "sum"), right.get(record, ()), strict=False) if not missing else ():
            samples = [{"labels": "{}", "value": round(figure, 6)}]
            expectations.append({"expr": f"round({what}({record}), 1e-6)", "eval_time": "9m", "exp_samples": samples})
        if missing:
            expectations.append({"expr": record, "eval_time": "9m", "exp_samples": []})
    test = {"name": name, "interval": "30s", "input_series": series_of(platform), "promql_expr_test": expectations}
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "30s", "fuzzy_compare": True, "tests": [test]}
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    result = promtool.run("test", "rules", "test.yml", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_reason_is_of_a_record(name: str) -> None:
    platform = yaml.safe_load((CORPUS / f"{name}.yml").read_text(encoding="utf-8"))
    assert platform["about"]
    assert set(platform.get("right", {})) <= set(RECORDS)
    for what, why in platform.get("absent", {}).items():
        assert why, what
        assert any(fnmatchcase(record, what) for record in RECORDS), f"{what} is no record"


def test_the_common_figures_are_of_records() -> None:
    assert set(COMMON["right"]) <= set(RECORDS)
