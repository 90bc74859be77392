# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""From a node that vanishes to the mail of it, on the embedded cluster: Alertmanager loses no message and sends none twice.

Needs KUBECONFIG and root, and the release that site.yml installs, which gets an Alertmanager for the time of
the test. Takes a quarter of an hour: the alert's own two minutes, and Alertmanager's five between two messages of a group.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tools import eventually, program

from ansible_collections.continuum.edge.tests.alerts.people import PASSWORD, Mailbox, Web
from ansible_collections.continuum.edge.tests.charts.test_flavours import render_values
from ansible_collections.continuum.edge.tests.compss.test_cluster import Embedded

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
RELEASE, NAMESPACE, SECRET = "prometheus", "monitoring", "test-mail"
POD = f"{RELEASE}-alertmanager-0"
# The node's own alert has a route of its own: whatever else fires on the cluster makes no message of it another one.
SITE: dict[str, Any] = {
    "prometheus_alert_secrets": [SECRET],
    "prometheus_alert_global": {
        "smtp_smarthost": "MAIL",
        "smtp_from": "edge@example.org",
        "smtp_auth_username": "edge",
        "smtp_auth_password_file": f"/etc/alertmanager/secrets/{SECRET}/password",
        "smtp_tls_config": {"ca_file": f"/etc/alertmanager/secrets/{SECRET}/ca.crt"},
    },
    "prometheus_alert_receivers": [
        {"name": "everything", "webhook_configs": [{"url": "http://WEB/everything"}]},
        {
            "name": "operators",
            "email_configs": [{"to": "operators@example.org", "send_resolved": True}],
            "webhook_configs": [{"url": "http://WEB/operators"}],
        },
        {"name": "dead-man", "webhook_configs": [{"url": "http://WEB/dead-man", "send_resolved": False}]},
    ],
    "prometheus_alert_routes": [{"matchers": ['alertname="NodeDown"'], "receiver": "operators"}],
    "prometheus_alert_watchdog_receiver": "dead-man",
    "prometheus_alert_watchdog_interval": "30s",
}


def call(name: str, *arguments: str, text: str | None = None) -> str:
    done = subprocess.run(
        [program(name), "-n", NAMESPACE, *arguments], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def get(*what: str) -> Any:
    return json.loads(call("kubectl", "get", *what, "-o", "json"))


def ask(component: str, path: str) -> str:
    """An answer of a component of the release, by way of the API server; nothing while its pod is not ready."""
    address = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-{component}:http/proxy/{path}"
    done = subprocess.run(
        [program("kubectl"), "get", "--raw", address], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout


def snapshots() -> float:
    lines = ask("alertmanager", "metrics").splitlines()
    return next(
        (float(line.split()[1]) for line in lines if line.startswith("alertmanager_nflog_maintenance_total ")), 0
    )


def turn(snapshot: int) -> None:
    """Wait for so many snapshots of what has been sent: one each ten seconds."""
    before = snapshots()
    eventually(lambda: snapshots() >= before + snapshot, what=f"{snapshot} snapshots of what has been sent")


def kill() -> None:
    """End the pod without a chance to write anything down, and wait for the next one."""
    before = get("pod", POD)["metadata"]["uid"]
    call("kubectl", "delete", "pod", POD, "--grace-period=0", "--force")
    eventually(lambda: before not in call("kubectl", "get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"))
    eventually(lambda: ask("alertmanager", "-/ready"), what="the next Alertmanager")


def told(node: str) -> Any:
    """The alert of the node as Alertmanager has it."""
    alerts = json.loads(ask("alertmanager", "api/v2/alerts") or "[]")
    return next((a for a in alerts if (a["labels"]["alertname"], a["labels"].get("node")) == ("NodeDown", node)), None)


def firing(node: str) -> bool:
    alerts = json.loads(ask("server", "api/v1/alerts") or '{"data": {"alerts": []}}')["data"]["alerts"]
    return any(
        (alert["labels"]["alertname"], alert["labels"].get("node"), alert["state"]) == ("NodeDown", node, "firing")
        for alert in alerts
    )


@pytest.fixture
def embedded() -> Embedded:
    return Embedded()


@pytest.fixture
def certificate(embedded: Embedded, tmp_path: Path) -> Path:
    """A certificate that the mail server has signed for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(embedded.gateway))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "mail.pem").write_bytes(private + signed.public_bytes(Encoding.PEM))
    file = tmp_path / "ca.crt"
    file.write_bytes(signed.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
def mailbox(embedded: Embedded, certificate: Path) -> Iterator[Mailbox]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.with_name("mail.pem"))
    opened = Mailbox(embedded.gateway, context)
    yield opened
    opened.close()


@pytest.fixture
def web(embedded: Embedded) -> Iterator[Web]:
    opened = Web(embedded.gateway)
    yield opened
    opened.close()


@pytest.fixture
def node(mailbox: Mailbox, web: Web, certificate: Path, tmp_path: Path) -> Iterator[str]:
    """The release with an Alertmanager, and a node that can go: what tells of it runs on another one."""
    values = yaml.safe_load((render_values(tmp_path, {"site": SITE}) / "site/prometheus-lean.yml").read_text())
    told = yaml.safe_dump(values["alertmanager"]["config"]).replace("MAIL", mailbox.address).replace("WEB", web.address)
    home = get("pod", f"{RELEASE}-server-0")["spec"]["nodeName"]
    stay = {"nodeSelector": {"kubernetes.io/hostname": home}}
    persistence = {"persistence": {"keep": False}}
    site = {
        "alertmanager": {"enabled": True, "config": yaml.safe_load(told), "secrets": [SECRET], **stay, **persistence},
        "kubeStateMetrics": stay,
    }
    revision = json.loads(call("helm", "history", RELEASE, "--max=1", "-o", "json"))[0]["revision"]
    held = [f"--from-literal=password={PASSWORD}", f"--from-file={certificate}"]
    call("kubectl", "create", "secret", "generic", SECRET, *held)
    try:
        chart = str(ROOT / "charts/edge-monitoring")
        call("helm", "upgrade", RELEASE, chart, "--reuse-values", "--wait", "-f", "-", text=json.dumps(site))
        yield next(item["metadata"]["name"] for item in get("nodes")["items"] if item["metadata"]["name"] != home)
    finally:
        call("helm", "rollback", RELEASE, str(revision), "--wait")
        call("kubectl", "delete", "secret", SECRET)


def test_a_node_that_vanishes_is_one_message_and_its_return_another(
    embedded: Embedded, node: str, mailbox: Mailbox, web: Web
) -> None:
    # The kubelet brings the new configuration within a minute or two.
    eventually(lambda: web.told("/dead-man"), 300, "the dead man's switch")
    with embedded.without_network(node):
        eventually(lambda: firing(node), 420, f"the alert NodeDown of {node} after its two minutes")
        began = time.monotonic()
        # It has told Alertmanager, which still waits for what else may belong to the message.
        eventually(lambda: told(node), what="Alertmanager to be told")
        assert mailbox.mails == []
        kill()
        eventually(lambda: mailbox.mails and web.told("/operators"), 120, "the mail and the post of it")
        print(f"told {time.monotonic() - began:.0f} s after the alert fired, with Alertmanager killed once")
        turn(2)
        kill()
        eventually(lambda: told(node), what="the next Alertmanager to be told")
        # Longer than it waits before it sends what a new group has.
        turn(5)
        assert len(mailbox.mails) == len(web.told("/operators")) == 1
    began = time.monotonic()
    eventually(lambda: len(mailbox.mails) > 1 and len(web.told("/operators")) > 1, 600, "that it is over")
    print(f"told {time.monotonic() - began:.0f} s after the node came back that it is over")
    turn(2)
    site = web.posts["/operators"][0]["groupLabels"]["cluster"]
    assert mailbox.subjects == [f"[FIRING:1] {site}", f"[RESOLVED] {site}"]
    assert web.told("/operators") == [("firing", ["NodeDown"]), ("resolved", ["NodeDown"])]
