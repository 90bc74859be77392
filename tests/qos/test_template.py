"""Templates as data: the reference one is taken as it is, and what is wrong with another is said by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from orchestrator.template import Template, parse

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = {
    "type": "app-compss",
    "guaranteeName": "DeadlinesMissed_1",
    "maxAllowed": 0,
    "action": "scale_out",
    "scaleFactor": 1.5,
    "guarantees": [{"name": "deadlines_missed", "constraint": "deadlines_missed < 1"}],
}


def test_the_reference_template_is_one() -> None:
    good, bad = parse(json.dumps([REFERENCE]))
    assert not bad
    template = good["DeadlinesMissed_1"]
    assert (template.max_allowed, template.action, template.scale_factor) == (0, "scale_out", 1.5)
    assert template.names == ("compss_application:deadlines_missed:sum",)


@pytest.mark.parametrize("path", ["charts/orchestrator/values.yaml", "roles/orchestrator/defaults/main.yml"])
def test_chart_and_role_ship_it(path: str) -> None:
    values = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    assert values.get("templates", values.get("orchestrator_templates")) == [REFERENCE]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scaleFactor": 1}, "scaleFactor is 1; scale_out needs more than 1"),
        ({"scaleFactor": 0}, "scaleFactor: Input should be greater than 0"),
        ({"action": "scale_in"}, "scaleFactor is 1.5; scale_in needs less than 1"),
        ({"action": "scale"}, "action: Input should be 'scale_out'"),
        ({"maxAllowed": -1}, "maxAllowed: Input should be greater than or equal to 0"),
        ({"maxAllowed": "few"}, "maxAllowed: Input should be a valid integer"),
        ({"maxViolations": 3}, "maxViolations: Extra inputs are not permitted"),
        ({"guaranteeName": "a b"}, "guaranteeName: String should match pattern"),
        ({"guarantees": []}, "guarantees: "),
        ({"guarantees": [{"name": "a", "constraint": "exit()"}]}, "guarantees.0.constraint: 'exit()' is no condition"),
        ({"guarantees": None}, "guarantees: "),
    ],
)
def test_what_is_wrong_is_said_by_field(change: dict[str, Any], message: str) -> None:
    good, bad = parse(json.dumps([{**REFERENCE, **change}, {**REFERENCE, "guaranteeName": "Other"}]))
    assert list(good) == ["Other"], "one that is wrong takes no other along"
    [fault] = bad.values()
    assert message in fault


def test_two_of_one_name_are_none() -> None:
    good, bad = parse(json.dumps([REFERENCE, REFERENCE]))
    assert not good
    assert bad == {"DeadlinesMissed_1": "two templates have this name"}


def test_every_field_stands_in_the_charts_schema() -> None:
    definitions = yaml.safe_load((ROOT / "charts/orchestrator/definitions.yaml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((ROOT / "roles/orchestrator/meta/argument_specs.yml").read_text(encoding="utf-8"))
    fields = {field.alias for field in Template.model_fields.values()}
    assert set(definitions["template"]["properties"]) == fields
    assert set(specs["argument_specs"]["main"]["options"]["orchestrator_templates"]["options"]) == fields
