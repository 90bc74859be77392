from __future__ import annotations

import dataclasses
import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import helm as release
from ansible_collections.continuum.edge.plugins.module_utils.helm import Helm, HelmError, Release, Spec

SPEC = Spec(name="demo", namespace="place", chart="charts/demo", version="1.2.3")

CONFIG_MAP = """---
# Source: demo/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: demo
data:
  text: one
"""
SECRET = """---
apiVersion: v1
kind: Secret
metadata:
  name: demo
  namespace: place
stringData:
  password: hunter2
"""


def made(manifest: str = CONFIG_MAP, **other: Any) -> Release:
    facts: dict[str, Any] = {
        "status": "deployed",
        "revision": 1,
        "hooks": (),
        "config": {},
        "chart": "demo-1.2.3",
        "app_version": "1",
    }
    return Release(manifest=manifest, **{**facts, **other})


# Comparing two releases


def test_the_same_is_no_difference() -> None:
    assert not release.compare(made(), made())


def test_comments_and_order_are_no_difference() -> None:
    other = CONFIG_MAP.replace("# Source: demo/templates/a.yaml\n", "")
    assert not release.compare(made(CONFIG_MAP + SECRET), made(SECRET + other))


@pytest.mark.parametrize(
    "changed",
    [
        {"manifest": CONFIG_MAP.replace("one", "two")},
        {"manifest": CONFIG_MAP + SECRET},
        {"manifest": ""},
        {"hooks": (SECRET,)},
        {"config": {"a": 1}},
        {"chart": "demo-1.2.4"},
    ],
)
def test_every_part_counts(changed: dict[str, Any]) -> None:
    assert release.compare(made(), made(**changed))


def test_a_failed_release_is_done_again() -> None:
    assert release.compare(made(status="failed"), made())


def test_objects_that_someone_deleted_are_missing() -> None:
    live = {"v1/ConfigMap": [{"kind": "ConfigMap", "metadata": {"name": "demo"}}]}
    both = CONFIG_MAP + SECRET
    assert release.compare(made(both, resources=live), made(both)).missing == ["Secret place/demo"]
    live["v1/Secret"] = [{"kind": "Secret", "metadata": {"name": "demo"}}]
    assert not release.compare(made(both, resources=live), made(both))


@pytest.mark.parametrize(
    ("namesake", "missing"),
    [
        ({"metadata": {"name": "demo", "namespace": "place"}}, []),
        ({"metadata": {"name": "demo", "namespace": "elsewhere"}}, ["Secret place/demo"]),
        ({"metadata": {"name": "demo", "namespace": "place"}, "apiVersion": "other/v1"}, ["Secret place/demo"]),
        # A chart may name a namespace for what is the cluster's: the API leaves it out.
        ({"metadata": {"name": "demo"}}, []),
    ],
)
def test_a_namesake_elsewhere_does_not_stand_in_for_a_deleted_object(
    namesake: dict[str, Any], missing: list[str]
) -> None:
    live = {"v1/Secret": [{"apiVersion": "v1", "kind": "Secret"} | namesake]}
    assert release.compare(made(SECRET, resources=live), made(SECRET)).missing == missing


@pytest.mark.parametrize(("namespace", "missing"), [("place", []), ("elsewhere", ["ConfigMap demo"])])
def test_an_object_without_a_namespace_is_in_that_of_the_release(namespace: str, missing: list[str]) -> None:
    live = {
        "v1/ConfigMap": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "demo", "namespace": namespace}}
        ]
    }
    old = made(resources=live, namespace="place")
    assert release.compare(old, made()).missing == missing


def test_lists_are_their_items() -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": release.split(CONFIG_MAP + SECRET)})
    assert not release.compare(made(CONFIG_MAP + SECRET), made(listed))


def test_two_api_groups_may_share_a_kind() -> None:
    other = CONFIG_MAP.replace("apiVersion: v1", "apiVersion: other/v1")
    assert len(release.by_title(CONFIG_MAP + other)) == 2


def test_removal_leaves_what_the_chart_keeps() -> None:
    kept = SECRET.replace("metadata:\n", "metadata:\n  annotations: {helm.sh/resource-policy: keep}\n")
    assert [change.title for change in release.removal(made(CONFIG_MAP + kept)).objects] == ["ConfigMap demo"]


@pytest.mark.parametrize(
    ("chart", "name"),
    [
        ("demo-1.2.3", "demo"),
        ("edge-monitoring-0.1.0", "edge-monitoring"),
        ("k8s-2-demo-v1.0.0-rc.1+build5", "k8s-2-demo"),
    ],
)
def test_chart_name(chart: str, name: str) -> None:
    assert release.chart_name(chart) == name


def test_another_chart_is_refused() -> None:
    release.refuse_other_chart(SPEC, made(), made(chart="demo-2.0.0"))
    with pytest.raises(release.ReleaseError, match=r"is of chart demo-1\.2\.3\. Expected chart other"):
        release.refuse_other_chart(SPEC, made(), made(chart="other-1.2.3"))


# Showing a difference without its secrets


@pytest.mark.parametrize(
    "key", ["password", "adminPassword", "token", "apiKey", "client_secret", "secretKey", "credentials"]
)
def test_sensitive_keys(key: str) -> None:
    assert release.is_sensitive(key)


@pytest.mark.parametrize(
    "key",
    [
        "text",
        "existingSecret",
        "secretName",
        "passwordSecretName",
        "automountServiceAccountToken",
        "tokens_total",
        "keys",
    ],
)
def test_keys_that_only_refer_to_secrets(key: str) -> None:
    assert not release.is_sensitive(key)


def test_sensitive_strings_are_found_below_their_key() -> None:
    values = {"a": "plain", "auth": {"credentials": {"user": "bob", "list": ["deep"]}}, "password": "pw1", "token": ""}
    assert sorted(release.sensitive_strings(values)) == ["bob", "deep", "pw1"]


def test_no_diff_shows_a_secret() -> None:
    old = made(SECRET, config={"password": "hunter2", "size": 1})
    new = made(SECRET.replace("hunter2", "hunter3"), config={"password": "hunter3", "size": 1})
    shown = json.dumps(release.diffs(release.compare(old, new)))
    assert "hunter" not in shown
    assert "(hidden, before)" in shown
    assert "(hidden, after)" in shown
    assert "size: 1" in shown


def test_a_first_installation_hides_secrets_too() -> None:
    shown = json.dumps(release.diffs(release.compare(None, made(SECRET))))
    assert "hunter" not in shown
    assert "Secret place/demo (absent)" in shown


def test_text_is_shown_by_its_lines() -> None:
    assert release.dump({"b": "one\ntwo\n", "a": 1}) == "a: 1\nb: |\n  one\n  two\n"


# Explaining helm's errors


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("Error: Kubernetes cluster unreachable: Get \"https://x\": dial tcp: connect: connection refused", "API does not answer"),
        ("Error: query: secrets is forbidden: User \"x\" cannot list", "refuses this account"),
        ("Error: kubernetes cluster unreachable: context \"nope\" does not exist", "does not give access"),
        ("Error: values don't meet the specifications of the schema(s):\n- at '': additional properties 'x'", "schema"),
        ("Error: chart \"demo\" version \"9\" not found in https://r repository", "does not exist"),
        ("Error: looks like \"https://r\" is not a valid chart repository or cannot be reached: EOF", "cannot be downloaded"),
        ("Error: path \"charts/demo\" not found", "There is no chart at charts/demo"),
        ("Error: create: failed to create: namespaces \"place\" not found", "There is no namespace place"),
        ("Error: another operation (install/upgrade/rollback) is in progress", "Another helm"),
        ("Error: ConfigMap \"x\" exists and cannot be imported into the current release: invalid", "would take over"),
        ("Error: UPGRADE FAILED: something of its own", "helm failed: something of its own"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(stderr: str, expected: str) -> None:
    text = str(release.explain(HelmError(f"level=WARN msg=noise\n{stderr}"), SPEC, Helm()))
    assert expected in text
    assert "noise" not in text
    assert "\n" not in text


def test_a_missing_kubeconfig_is_named() -> None:
    with pytest.raises(release.ReleaseError, match="There is no kubeconfig /nowhere"):
        Helm(kubeconfig="/nowhere")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(release.ReleaseError, match=r"There is no program /nowhere/helm.*role continuum\.edge\.helm"):
        Helm("/nowhere/helm").call("version")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5m", 90), ("500ms", 0.5)])
def test_durations(text: str, seconds: float) -> None:
    assert release.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5m!", "5d"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(release.ReleaseError, match="Expected a duration"):
        release.seconds(text)


# Telling what is not ready


def pod(**status: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        "v1/Pod(related)": [
            {"kind": "PodList", "items": [{"kind": "Pod", "metadata": {"name": "p"}, "status": status}]}
        ]
    }


def test_a_ready_release_lacks_nothing() -> None:
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": 1},
    }
    container = {"name": "c", "ready": True, "state": {"running": {}}}
    assert release.unready({"v1/Deployment": [deployment], **pod(phase="Running", containerStatuses=[container])}) == []


@pytest.mark.parametrize(
    ("resources", "line"),
    [
        (
            {"v1/Deployment": [{"kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 2}}]},
            "Deployment d: 0 of 2 ready",
        ),
        (
            {"v1/DaemonSet": [{"kind": "DaemonSet", "metadata": {"name": "d"}, "status": {"desiredNumberScheduled": 3, "numberReady": 1}}]},
            "DaemonSet d: 1 of 3 ready",
        ),
        (
            {"v1/PersistentVolumeClaim": [{"kind": "PersistentVolumeClaim", "metadata": {"name": "v"}, "status": {"phase": "Pending"}}]},
            "PersistentVolumeClaim v: Pending, not Bound",
        ),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]),
            "Pod p: Unschedulable: 0/3 nodes",
        ),
        (
            pod(containerStatuses=[{"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no x"}}}]),
            "Pod p container c: ImagePullBackOff: no x",
        ),
        (
            pod(
                containerStatuses=[
                    {"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 2}}}
                ]
            ),
            "Pod p container c: CrashLoopBackOff: exit status 2",
        ),
        (
            pod(containerStatuses=[{"name": "c", "ready": False, "state": {"running": {}}}]),
            "Pod p container c: runs, but is not ready",
        ),
    ],
)  # fmt: skip
def test_what_a_release_lacks_is_named(resources: dict[str, list[dict[str, Any]]], line: str) -> None:
    assert release.unready(resources) == [line]


def test_long_lists_are_shortened() -> None:
    assert release.shorten(["a", "b", "c"], 2) == "a; b; and 1 more"


# Reading what is deployed


@pytest.mark.parametrize(
    ("version", "first", "calls"),
    [
        ("v3.22.0", {}, ["status", "version", "status --show-resources"]),
        ("v4.3.1", {"resources": {"v1/ConfigMap": [{}]}}, ["status"]),
    ],
)
def test_objects_are_asked_for_where_helm_does_not_give_them(
    version: str, first: dict[str, Any], calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def call(_: Helm, command: str, *arguments: str, **__: Any) -> str:
        asked.append(f"{command} --show-resources" if "--show-resources" in arguments else command)
        if command == "version":
            return version
        return json.dumps({"info": {"resources": {"v1/ConfigMap": [{}]}} if "--show-resources" in arguments else first})

    monkeypatch.setattr(Helm, "call", call)
    assert Helm().status(SPEC)["info"]["resources"]
    assert asked == calls


# Finding and downloading charts


def fake_helm(folder: Path) -> Helm:
    """A helm that counts its downloads and makes an archive."""
    program = folder / "helm"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {folder}/calls\n'
        'while [ "$1" != --destination ]; do shift; done\n'
        'echo archive > "$2/demo-1.2.3.tgz"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Helm(str(program))


def test_an_exact_version_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    helm = fake_helm(tmp_path)
    spec = Spec("demo", "place", chart="demo", repo="https://r", version="1.2.3")
    for run in ("first", "second"):
        scratch = tmp_path / run
        scratch.mkdir()
        assert Path(release.locate(helm, spec, scratch)).read_text() == "archive\n"
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


@pytest.mark.parametrize("version", [None, "1.2", "^1.2.0", ">=1"])
def test_other_versions_are_looked_up_each_time(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    helm = fake_helm(tmp_path)
    spec = Spec("demo", "place", chart="oci://r/demo", version=version)
    for run in ("first", "second"):
        scratch = tmp_path / run
        scratch.mkdir()
        release.locate(helm, spec, scratch)
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert release.locate(Helm(), Spec("demo", "place", chart=str(tmp_path)), tmp_path) == str(tmp_path)
    with pytest.raises(release.ReleaseError, match="There is no chart at"):
        release.locate(Helm(), Spec("demo", "place", chart=str(tmp_path / "gone")), tmp_path)


def test_a_second_run_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    happened: list[str] = []

    def second() -> None:
        def tell(text: str) -> None:
            happened.append(text)
            told.set()

        with release.exclusive(Helm(), SPEC, tell):
            happened.append("second")

    told = threading.Event()
    other = threading.Thread(target=second)
    with release.exclusive(Helm(), SPEC, happened.append):
        other.start()
        assert told.wait(10)
        with release.exclusive(Helm(), dataclasses.replace(SPEC, name="another"), happened.append):
            happened.append("another")
        happened.append("first")
    other.join(10)
    assert happened == ["another run is changing demo: waiting for its end", "another", "first", "second"]


def test_no_place_for_the_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with (
        pytest.raises(release.ReleaseError, match=r"Cannot write .*: Not a directory\. .*XDG_CACHE_HOME"),
        release.exclusive(Helm(), SPEC, print),
    ):
        pass


def test_manifests_are_read_as_kubernetes_reads_them() -> None:
    text = "kind: List\nitems:\n- {kind: A, enum: ['!=', =, =~], since: 2026-01-31}\n"
    assert release.split(text) == [{"kind": "A", "enum": ["!=", "=", "=~"], "since": "2026-01-31"}]
