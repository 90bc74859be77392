"""Receivers as an operator writes them, rendered by the role, and those who are behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.continuum.edge.tests.charts.test_flavours import render_values

from .people import PASSWORD, Alertmanager, Mailbox, Web, ended

SECRETS = "/etc/alertmanager/secrets"
SITE: dict[str, Any] = {
    "continuum_cluster": "garage",
    "prometheus_alert_secrets": ["mail"],
    "prometheus_alert_global": {
        "smtp_smarthost": "MAIL",
        "smtp_from": "edge@example.org",
        "smtp_auth_username": "edge",
        "smtp_auth_password_file": f"{SECRETS}/mail/password",
        "smtp_require_tls": False,
    },
    "prometheus_alert_receivers": [
        {
            "name": "operators",
            "email_configs": [{"to": "operators@example.org", "send_resolved": True}],
            "webhook_configs": [{"url": "http://WEB/operators"}],
        },
        {"name": "on-call", "webhook_configs": [{"url": "http://WEB/on-call"}]},
        {"name": "harbour", "webhook_configs": [{"url": "http://WEB/harbour"}]},
        {"name": "dead-man", "webhook_configs": [{"url": "http://WEB/dead-man", "send_resolved": False}]},
    ],
    "prometheus_alert_routes": [
        {"matchers": ['cluster="harbour"'], "receiver": "harbour"},
        {"matchers": ['severity="critical"'], "receiver": "on-call"},
    ],
    "prometheus_alert_watchdog_receiver": "dead-man",
    "prometheus_alert_watchdog_interval": "1s",
}


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Alertmanager's configuration out of the variables of a site."""
    folder = render_values(tmp_path_factory.mktemp("site"), {"garage": SITE})
    values: dict[str, Any] = yaml.safe_load((folder / "garage/prometheus-lean.yml").read_text(encoding="utf-8"))
    configuration: dict[str, Any] = values["alertmanager"]["config"]
    return configuration


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    opened = Mailbox()
    yield opened
    opened.close()


@pytest.fixture
def web() -> Iterator[Web]:
    opened = Web()
    yield opened
    opened.close()


@pytest.fixture
def write(rendered: dict[str, Any], tmp_path: Path) -> Callable[[str, str], Path]:
    """Write the configuration for a mail server and a web server. A group waits a second, in the place of 30 and of 300."""

    def configuration(mail: str, web: str) -> Path:
        route = rendered["route"] | {"group_wait": "1s", "group_interval": "1s"}
        text = yaml.safe_dump(rendered | {"route": route}).replace("MAIL", mail).replace("WEB", web)
        (tmp_path / "password").write_text(PASSWORD)
        file = tmp_path / "alertmanager.yml"
        file.write_text(re.sub(f"{SECRETS}/mail", str(tmp_path), text))
        return file

    return configuration


@pytest.fixture
def alertmanager(
    write: Callable[[str, str], Path], mailbox: Mailbox, web: Web, tmp_path: Path
) -> Iterator[Alertmanager]:
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    server = Alertmanager(folder, write(mailbox.address, web.address))
    with ended(server):
        yield server
