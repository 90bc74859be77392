"""What is rendered from a release, and what is refused."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.continuum.edge.plugins.module_utils import gitops, tree

SETTINGS = gitops.Settings(cluster="garage", path="fleet/garage", repo_url="https://git.example/fleet.git")
PUBLISHED = gitops.Entry(
    name="metrics-server",
    namespace="kube-system",
    chart="metrics-server",
    repo="https://kubernetes-sigs.github.io/metrics-server",
    version="3.13.1",
    values={"args": ["--a"]},
    timeout="3m",
)
RULES = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prometheus-rules"}, "data": {"a.yml": "x\ny\n"}}
SERVER = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "prometheus-server"}}


def nothing(_: gitops.Entry) -> list[dict[str, Any]]:
    raise AssertionError("nothing is kept as a manifest")


def documents(content: bytes) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(content))


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "edge-monitoring" / "templates").mkdir(parents=True)
    (tmp_path / "edge-monitoring" / "Chart.yaml").write_text("name: edge-monitoring\nversion: 0.1.0\n")
    (tmp_path / "edge-monitoring" / "templates" / "all.yaml").write_text("{}\n")
    return tmp_path / "edge-monitoring"


@pytest.fixture
def local_entry(chart: Path) -> gitops.Entry:
    return gitops.Entry(
        name="prometheus",
        namespace="monitoring",
        chart=str(chart),
        values={"cluster": "garage", "prometheus": {"rules": {"a.yml": {}}, "retention": "1d"}},
        timeout="5m",
        apart_objects=("ConfigMap prometheus-rules",),
        apart_values={"prometheus": {"rules": {}, "existingRules": "prometheus-rules"}},
    )


def test_a_published_chart_comes_from_its_repository() -> None:
    files = gitops.render([PUBLISHED], SETTINGS, nothing)
    assert sorted(files) == ["README.md", "argocd/metrics-server.yaml", "flux/metrics-server.yaml", "flux/sources.yaml"]
    [application] = documents(files["argocd/metrics-server.yaml"])
    assert application["spec"]["source"] == {
        "repoURL": PUBLISHED.repo,
        "chart": "metrics-server",
        "targetRevision": "3.13.1",
        "helm": {"releaseName": "metrics-server", "valuesObject": {"args": ["--a"]}},
    }
    assert "ServerSideApply=true" in application["spec"]["syncPolicy"]["syncOptions"]
    [source] = documents(files["flux/sources.yaml"])
    [release] = documents(files["flux/metrics-server.yaml"])
    assert source["spec"]["url"] == PUBLISHED.repo
    assert release["spec"]["chart"]["spec"] == {
        "chart": "metrics-server",
        "version": "3.13.1",
        "sourceRef": {"kind": "HelmRepository", "name": source["metadata"]["name"]},
    }
    assert release["spec"]["values"] == PUBLISHED.values
    assert release["spec"]["storageNamespace"] == release["spec"]["targetNamespace"] == "kube-system"


def test_a_chart_of_an_oci_registry_is_named_in_the_way_of_each() -> None:
    entry = replace(PUBLISHED, chart="oci://registry.example/charts/metrics-server", repo="")
    files = gitops.render([entry], SETTINGS, nothing)
    [application] = documents(files["argocd/metrics-server.yaml"])
    assert application["spec"]["source"]["repoURL"] == "registry.example/charts"
    assert application["spec"]["source"]["chart"] == "metrics-server"
    [source] = documents(files["flux/sources.yaml"])
    assert (source["spec"]["url"], source["spec"]["type"]) == ("oci://registry.example/charts", "oci")


def test_an_own_chart_goes_along_and_what_is_apart_is_a_manifest(local_entry: gitops.Entry) -> None:
    files = gitops.render([local_entry], SETTINGS, lambda _: [SERVER, RULES])
    assert files["charts/edge-monitoring/templates/all.yaml"] == b"{}\n"
    assert documents(files["manifests/prometheus/configmap-prometheus-rules.yaml"]) == [RULES]
    kustomization, release = documents(files["flux/prometheus.yaml"])
    assert kustomization["spec"]["path"] == "./fleet/garage/manifests/prometheus"
    assert release["spec"]["chart"]["spec"]["chart"] == "./fleet/garage/charts/edge-monitoring"
    values = {
        "cluster": "garage",
        "prometheus": {"rules": {}, "existingRules": "prometheus-rules", "retention": "1d"},
    }
    assert release["spec"]["values"] == values
    manifests, application = documents(files["argocd/prometheus.yaml"])
    assert application["spec"]["source"]["helm"]["valuesObject"] == values
    assert application["spec"]["source"]["path"] == "fleet/garage/charts/edge-monitoring"
    waves = [each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"] for each in (manifests, application)]
    assert waves == ["0", "1"]


def test_an_archive_goes_along_unpacked(local_entry: gitops.Entry, chart: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "chart.tgz", "w:gz") as archive:
        archive.add(chart, "edge-monitoring")
    packed = gitops.render([replace(local_entry, chart=str(tmp_path / "chart.tgz"))], SETTINGS, lambda _: [RULES])
    assert packed == gitops.render([local_entry], SETTINGS, lambda _: [RULES])


def test_what_is_plain_has_no_release(local_entry: gitops.Entry) -> None:
    entry = replace(local_entry, plain=True, apart_objects=())
    files = gitops.render([entry], SETTINGS, lambda _: [SERVER, RULES])
    assert [each["kind"] for each in documents(files["flux/prometheus.yaml"])] == ["Kustomization"]
    assert [each["spec"]["source"].get("helm") for each in documents(files["argocd/prometheus.yaml"])] == [None]
    assert not any(path.startswith("charts/") for path in files)


def test_definitions_come_first(local_entry: gitops.Entry) -> None:
    definitions = replace(PUBLISHED, name="prometheus-crds", namespace="monitoring")
    files = gitops.render([definitions, replace(local_entry, after=("prometheus-crds",))], SETTINGS, lambda _: [RULES])
    first, manifests, last = (
        int(each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for name in ("prometheus-crds", "prometheus")
        for each in documents(files[f"argocd/{name}.yaml"])
    )
    assert first < manifests < last
    assert documents(files["flux/prometheus.yaml"])[1]["spec"]["dependsOn"] == [{"name": "prometheus-crds"}]


def test_namespaces_are_made_but_never_pruned(local_entry: gitops.Entry) -> None:
    [namespace] = documents(
        gitops.render([local_entry, PUBLISHED], SETTINGS, lambda _: [RULES])["flux/namespaces.yaml"]
    )
    assert namespace["metadata"]["name"] == "monitoring"
    assert namespace["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"


def test_secrets_that_have_to_be_there_are_named() -> None:
    files = gitops.render([replace(PUBLISHED, secrets=("central",))], SETTINGS, nothing)
    assert "`kube-system/central`" in files["README.md"].decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": {"a": [{"adminPassword": "x"}]}}, r"a\[0\]\.adminPassword.*Expected a reference"),
        ({"version": ""}, "without a version"),
        ({"chart": "/nowhere", "repo": ""}, "no chart at /nowhere"),
    ],
)
def test_what_has_no_place_in_a_repository_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(gitops.GitOpsError, match=words):
        gitops.render([replace(PUBLISHED, **change)], SETTINGS, nothing)


def test_references_are_no_secrets() -> None:
    values = {
        "token": "$__file{/etc/secrets/token}",
        "password_file": "/etc/p",
        "existingSecret": "known",
        "password": "",
    }
    assert list(gitops.secrets_in(values)) == []


def test_argocd_needs_to_know_the_repository() -> None:
    with pytest.raises(gitops.GitOpsError, match="gitops_repo_url"):
        gitops.render([PUBLISHED], replace(SETTINGS, repo_url=""), nothing)
    assert gitops.render([PUBLISHED], replace(SETTINGS, repo_url="", tools=("flux",)), nothing)


def test_secret_objects_are_refused(local_entry: gitops.Entry) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    with pytest.raises(gitops.GitOpsError, match="Secret"):
        gitops.render([replace(local_entry, plain=True, apart_objects=())], SETTINGS, lambda _: [secret])


def test_an_object_that_is_not_there_cannot_be_kept_apart(local_entry: gitops.Entry) -> None:
    with pytest.raises(gitops.GitOpsError, match="makes no ConfigMap prometheus-rules"):
        gitops.render([local_entry], SETTINGS, lambda _: [SERVER])


def test_a_folder_holds_its_files_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    files = {"a/b.yaml": b"1\n", "c.yaml": b"2\n"}
    changes = tree.compare(folder, files)
    assert not folder.exists()
    tree.apply(folder, changes)
    assert tree.compare(folder, files) == []
    (folder / "a" / "old.yaml").write_text("3\n")
    tree.apply(folder, tree.compare(folder, {"c.yaml": b"4\n"}))
    assert sorted(path.name for path in folder.rglob("*")) == ["c.yaml"]
    assert (folder / "c.yaml").read_bytes() == b"4\n"
    tree.apply(folder, tree.compare(folder, {}))
    assert not folder.exists()
    assert tmp_path.exists()


def test_an_application_ends_by_itself(local_entry: gitops.Entry) -> None:
    """Nobody waits for it, tests it, rolls it back or brings workers back that it has sent away."""
    entry = replace(local_entry, name="matmul", apart_objects=(), values={"app": {"source": {"files": {}}}}, ends=True)
    files = gitops.render([entry], SETTINGS, nothing)
    (release,) = documents(files["flux/matmul.yaml"])
    for step in ("install", "upgrade"):
        assert release["spec"][step]["disableWait"]
        assert release["spec"][step]["disableWaitForJobs"]
        assert release["spec"][step]["remediation"].get("strategy") is None
    assert "test" not in release["spec"]
    assert release["spec"]["driftDetection"]["mode"] == "disabled"
    (application,) = documents(files["argocd/matmul.yaml"])
    assert application["spec"]["ignoreDifferences"] == [gitops.WORKERS]
    assert "RespectIgnoreDifferences=true" in application["spec"]["syncPolicy"]["syncOptions"]


def test_a_folder_that_somebody_has_to_hand_over_is_refused(local_entry: gitops.Entry) -> None:
    entry = replace(local_entry, values={"app": {"source": {"archive": "0" * 64}}}, ends=True)
    with pytest.raises(gitops.GitOpsError, match="nobody hands it over here"):
        gitops.render([entry], SETTINGS, nothing)
