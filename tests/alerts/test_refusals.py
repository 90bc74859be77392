"""Receivers that cannot work are refused before anything is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import SECRETS, SITE

ROOT = Path(__file__).resolve().parents[2]
TEAM = {"name": "team", "webhook_configs": [{"url": "http://chat.example"}]}
# Variables of a site, and what is said of them.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "agent": (
        {
            "prometheus_alert_receivers": [TEAM],
            "prometheus_agent": True,
            "prometheus_remote_write": [{"url": "http://central"}],
        },
        "an agent evaluates no alerts",
    ),
    "names": ({"prometheus_alert_receivers": [TEAM, TEAM]}, "has the names team, team. Expected each to have a name"),
    "unnamed": ({"prometheus_alert_receivers": [TEAM, {"webhook_configs": []}]}, "has the names team, (none)"),
    "route": (
        {
            "prometheus_alert_receivers": [TEAM],
            "prometheus_alert_routes": [{"matchers": ["a=b"], "routes": [{"receiver": "taem"}]}],
        },
        "Routes name taem. Expected receivers of prometheus_alert_receivers, which are team",
    ),
    "watchdog": (
        {"prometheus_alert_receivers": [TEAM], "prometheus_alert_watchdog_receiver": "dead-man"},
        "Routes name dead-man.",
    ),
    "password": (
        {"prometheus_alert_receivers": [TEAM], "prometheus_alert_global": {"smtp_auth_password": "correct horse"}},
        "has smtp_auth_password. Expected the field with _file",
    ),
    "slack": (
        {
            "prometheus_alert_receivers": [
                {"name": "chat", "slack_configs": [{"api_url": "https://hooks.example/correct-horse"}]},
                {"name": "teams", "msteamsv2_configs": [{"webhook_url": "https://hooks.example/correct-horse"}]},
                {"name": "pager", "pagerduty_configs": [{"routing_key": "correct horse"}]},
            ]
        },
        "has webhook_url, routing_key, api_url. Expected the field with _file",
    ),
    "file": (
        {
            "prometheus_alert_receivers": [
                {"name": "chat", "slack_configs": [{"api_url_file": f"{SECRETS}/chta/url", "channel": "#edge"}]}
            ],
            "prometheus_alert_secrets": ["chat"],
        },
        f"Receivers read {SECRETS}/chta/url. Expected {SECRETS}/<secret>/<key>, with a secret of prometheus_alert_secrets (chat)",
    ),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the role says of each site. Starting Ansible costs more than the rest: all at once."""
    folder = tmp_path_factory.mktemp("sites")
    everybody = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    sites = {name: variables for name, (variables, _) in REFUSED.items()} | {"fine": SITE}
    (folder / "hosts.json").write_text(json.dumps({"all": {"vars": everybody, "hosts": sites}}))
    role = {"name": "continuum.edge.prometheus", "tasks_from": "preflight"}
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"name": "Ask", "ansible.builtin.include_role": role}]}
    (folder / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            str(folder / "play.yml"),
            "-i",
            str(folder / "hosts.json"),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("failed: [")]
    return {line.removeprefix("failed: [").split("]")[0]: line for line in lines} | {"": done.stdout}


@pytest.mark.parametrize("site", REFUSED)
def test_it_is_said_what_is_wrong(answers: dict[str, str], site: str) -> None:
    assert site in answers, answers[""]
    assert REFUSED[site][1] in answers[site]


def test_no_secret_is_printed_and_what_is_right_is_taken(answers: dict[str, str]) -> None:
    assert "correct" not in answers[""]
    assert "fine" not in answers
