"""From a target that does not answer to the mail of it: Prometheus, Alertmanager, a mail server and a web server, on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import yaml
from tools import eventually, program

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Catalogue, Selection

from .people import Alertmanager, Mailbox, Server, Web, ended

DOWN = {"cluster": "garage", "severity": "critical"}


def test_alertmanager_s_own_tool_takes_what_is_rendered(write: Callable[[str, str], Path]) -> None:
    file = write("127.0.0.1:25", "127.0.0.1:80")
    done = subprocess.run([program("amtool"), "check-config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 receivers" in done.stdout


@pytest.fixture
def prometheus(alertmanager: Alertmanager, web: Web, tmp_path: Path) -> Iterator[Server]:
    """A Prometheus with the catalogue's alert TargetMissing, which holds for a second in the place of five minutes."""
    folder = tmp_path / "prometheus"
    folder.mkdir()
    [group] = Catalogue().groups(Selection(names=["TargetMissing"]))
    [rule] = group["rules"]
    rules = {"groups": [{"name": "catalogue", "rules": [rule | {"for": "1s"}]}]}
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    configuration = {
        "global": {
            "scrape_interval": "1s",
            "evaluation_interval": "1s",
            "external_labels": {"cluster": "garage"},
        },
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}]}]},
        "scrape_configs": [{"job_name": "camera", "static_configs": [{"targets": [web.address]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--rules.alert.resend-delay=1s"]
    with ended(Server("prometheus", folder, arguments)) as server:
        yield server


@pytest.mark.usefixtures("prometheus")
def test_one_message_when_it_fires_and_one_when_it_is_over_though_alertmanager_is_killed(
    alertmanager: Alertmanager, mailbox: Mailbox, web: Web
) -> None:
    web.well = False
    eventually(lambda: mailbox.mails and web.told("/operators"), what="the mail and the post that it fires")
    assert mailbox.subjects == ["[FIRING:1] garage"]
    assert web.told("/operators") == [("firing", ["TargetMissing"])]

    alertmanager.written("nflog")
    alertmanager.kill()
    alertmanager.start()
    eventually(alertmanager.alerts, what="Prometheus to tell the new Alertmanager")
    # Turns of the group, in which it would be sent again.
    alertmanager.written("nflog")
    assert len(mailbox.mails) == len(web.told("/operators")) == 1

    web.well = True
    eventually(lambda: len(mailbox.mails) > 1 and len(web.told("/operators")) > 1, what="that it is over")
    alertmanager.written("nflog")
    assert mailbox.subjects == ["[FIRING:1] garage", "[RESOLVED] garage"]
    assert web.told("/operators") == [("firing", ["TargetMissing"]), ("resolved", ["TargetMissing"])]


def test_nothing_is_lost_while_nobody_takes_mail(alertmanager: Alertmanager, mailbox: Mailbox, web: Web) -> None:
    mailbox.refuse = True
    alertmanager.fire({"alertname": "VolumeFull", "cluster": "garage", "severity": "warning"})
    eventually(lambda: mailbox.refused > 1, what="that it tries again")
    assert mailbox.mails == []
    mailbox.refuse = False
    eventually(lambda: mailbox.mails, what="the mail")
    assert web.told("/operators") == [("firing", ["VolumeFull"])]


def test_a_node_that_is_down_silences_what_runs_on_it(alertmanager: Alertmanager, web: Web) -> None:
    alertmanager.fire(
        {**DOWN, "alertname": "NodeDown", "node": "n1"},
        {**DOWN, "alertname": "TargetMissing", "node": "n1"},
        {**DOWN, "alertname": "PodNotReady", "node": "n1", "pod": "web-1"},
        {**DOWN, "alertname": "PodNotReady", "node": "n2", "pod": "web-2"},
        {**DOWN, "alertname": "RuleFailing"},
    )
    eventually(lambda: web.told("/on-call"), what="the message")
    assert web.told("/on-call") == [("firing", ["NodeDown", "PodNotReady", "RuleFailing"])]


def test_a_lost_uplink_is_one_message(alertmanager: Alertmanager, web: Web) -> None:
    names = ("TargetMissing", "NodeDown", "ApplicationIncomplete")
    alertmanager.fire(
        {**DOWN, "alertname": "SiteSilent"}, *({**DOWN, "alertname": name, "node": "n1"} for name in names)
    )
    eventually(lambda: web.told("/on-call"), what="the message")
    alertmanager.written("nflog")
    assert web.told("/on-call") == [("firing", ["SiteSilent"])]


def test_routes_by_site_and_severity(alertmanager: Alertmanager, mailbox: Mailbox, web: Web) -> None:
    alertmanager.fire(
        {"alertname": "A", "cluster": "harbour", "severity": "critical"},
        {"alertname": "B", "cluster": "garage", "severity": "critical"},
        {"alertname": "C", "cluster": "garage", "severity": "warning"},
    )
    paths = ("/harbour", "/on-call", "/operators")
    eventually(lambda: all(web.told(path) for path in paths) and mailbox.mails, what="three messages and a mail")
    assert [web.told(path) for path in paths] == [[("firing", [name])] for name in "ABC"]
    assert mailbox.subjects == ["[FIRING:1] garage"]


def test_a_dead_man_s_switch_is_told_again_and_again(alertmanager: Alertmanager, mailbox: Mailbox, web: Web) -> None:
    alertmanager.fire({"alertname": "Watchdog", "cluster": "garage", "severity": "none"})
    eventually(lambda: len(web.told("/dead-man")) > 3, what="the watchdog's fourth sign of life")
    assert set(web.posts) == {"/dead-man"}
    assert mailbox.mails == []


def test_silences_are_kept(alertmanager: Alertmanager) -> None:
    silence = {
        "matchers": [{"name": "alertname", "value": "DiskFullSoon", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "operator",
        "comment": "a new disk is on its way",
    }
    assert requests.post(f"{alertmanager.url}/api/v2/silences", json=silence, timeout=10).ok
    alertmanager.written("silences")
    alertmanager.kill()
    alertmanager.start()
    alertmanager.fire({"alertname": "DiskFullSoon", "cluster": "garage", "severity": "warning"})
    eventually(
        lambda: [alert["status"]["state"] for alert in alertmanager.alerts()] == ["suppressed"], what="the silence"
    )
