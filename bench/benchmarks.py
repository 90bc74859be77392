"""What is measured: each benchmark brings the cluster into its state, and returns the figures of one round."""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cluster import ROOT, Cluster, Done, run, say
from report import Figure

MIB = 1024 * 1024
MAKE_UP = "make up"
SITE = "ansible-playbook playbooks/site.yml -i inventories/local"


# site.yml against bare Helm


@dataclass(frozen=True)
class Release:
    """One that site.yml has made, to be made again by bare Helm with the values that it has."""

    name: str
    namespace: str
    chart: str

    @property
    def values(self) -> str:
        return f"{self.namespace}-{self.name}.json"

    def keep_values(self, cluster: Cluster, folder: str) -> None:
        where = ["--namespace", self.namespace, "--output", "json"]
        Path(folder, self.values).write_text(cluster.helm("get", "values", self.name, *where).output)

    def install(self, cluster: Cluster, folder: str) -> Done:
        return cluster.helm(
            *["upgrade", "--install", self.name, str(ROOT / "charts" / self.chart), "--namespace", self.namespace],
            *["--create-namespace", "--values", f"{folder}/{self.values}", "--wait", "--timeout", "5m"],
        )

    def uninstall(self, cluster: Cluster) -> None:
        cluster.helm("uninstall", self.name, "--namespace", self.namespace, "--wait", "--cascade", "foreground")


def installed(cluster: Cluster) -> list[Release]:
    """The releases of site.yml, in the order of their names; applications are no part of it."""
    releases = []
    for each in json.loads(cluster.helm("list", "--all-namespaces", "--output", "json").output):
        name, namespace = each["name"], each["namespace"]
        metadata = cluster.helm("get", "metadata", name, "--namespace", namespace, "--output", "json").output
        if not each["chart"].startswith("compss-"):
            releases.append(Release(name, namespace, json.loads(metadata)["chart"]))
    if foreign := [each.chart for each in releases if not (ROOT / "charts" / each.chart).is_dir()]:
        sys.exit(
            f"bench: error: no charts/{', charts/'.join(foreign)}: only our own charts can be installed side by side"
        )
    return releases


def site(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    """Both install the same releases from nothing, one after the other: rounds differ more than the two of a round."""
    cluster.up()
    releases = installed(cluster)
    with tempfile.TemporaryDirectory() as folder:
        for release in releases:
            release.keep_values(cluster, folder)
            release.uninstall(cluster)
        ours = cluster.play("site").seconds
        for release in releases:
            release.uninstall(cluster)
        bare = sum(release.install(cluster, folder).seconds for release in releases)
    names = ", ".join(release.name for release in releases)
    return [
        Figure("site.yml, as a multiple of bare Helm", ours / bare, "x", goal=1.25, command=SITE, note=names),
        Figure("site.yml", ours, "s", command=SITE),
        Figure("bare Helm", bare, "s", command="helm upgrade --install --wait, once for each release"),
    ]


# Several sites


SITES = 10
CHARTS = {"prometheus": "edge-monitoring", "grafana-dashboards": "grafana-dashboards"}


def host(cluster: Cluster, name: str, number: int, kubeconfig: str) -> dict[str, Any]:
    """A site's variables: a context of the one cluster, with namespaces and ports of the site's own."""
    return {
        "continuum_cluster": name,
        "continuum_kubeconfig": kubeconfig,
        "continuum_context": name,
        "continuum_helm": f"{cluster.directory}/bin/helm",
        "prometheus_namespace": name,
        "grafana_namespace": name,
        "prometheus_node_port": 0,
        "prometheus_values": {"nodeExporter": {"port": 9200 + number}},
        # Scrapes are so rare that they play no part: each site scrapes the pods of all ten, which no real one does.
        "prometheus_scrape_interval": "5m",
        "prometheus_rate_window": "20m",
    }


def inventory_of(cluster: Cluster, names: list[str], folder: Path) -> Path:
    """The inventory of sites that are contexts of the one cluster."""
    access = yaml.safe_load((cluster.directory / "kubeconfig").read_text())
    access["contexts"] = [{"name": name, "context": access["contexts"][0]["context"]} for name in names]
    kubeconfig, inventory = folder / "kubeconfig", folder / "hosts.yml"
    kubeconfig.write_text(json.dumps(access))
    hosts = {name: host(cluster, name, number, str(kubeconfig)) for number, name in enumerate(names)}
    inventory.write_text(json.dumps({"continuum": {"hosts": hosts}}))
    return inventory


def sites(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    """Without metrics-server, whose API a cluster has once. Bare Helm installs the same, to show what the machine
    allows."""
    cluster.up()
    cluster.play("remove", "-e", "remove_volumes=true", "--skip-tags", "helm,metrics_server")
    names = [f"site-{number}" for number in range(1, SITES + 1)]
    releases = [Release(name, site, chart) for site in names for name, chart in CHARTS.items()]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(SITES) as pool:
        inventory = inventory_of(cluster, names, Path(folder))

        def play(playbook: str, limit: list[str], *arguments: str) -> Done:
            options = ["-i", str(inventory), "--limit", ",".join(limit), "--skip-tags", "metrics_server,helm"]
            return cluster.play(playbook, *options, *arguments)

        def remove() -> None:
            play("remove", names, "-e", "remove_volumes=true")

        def by_helm(site: str) -> None:
            for release in releases:
                if release.namespace == site:
                    release.install(cluster, folder)

        try:
            one = play("site", names[:1]).seconds
            two = play("site", names[:2]).seconds
            remove()
            ten = play("site", names)
            for release in releases:
                release.keep_values(cluster, folder)
            remove()
            started = time.monotonic()
            list(pool.map(by_helm, names))
            bare = time.monotonic() - started
        finally:
            remove()
            cluster.play("site")
    second = "second site beside an installed one, as a multiple of the first"
    return [
        Figure(second, two / one, "x", 1.2, f"{SITE} --limit site-1,site-2", note=f"{one:.3g} s, then {two:.3g} s"),
        Figure(
            f"{SITES} sites at once, as a multiple of one",
            ten.seconds / one,
            "x",
            goal=3,
            command=f"{SITE} --limit {names[0]},...,{names[-1]}",
            note=f"{SITES} contexts of one cluster, whose pods share the processors: {ten.seconds:.3g} s, of which"
            f" site.yml takes {ten.cpu / SITES:.2g} s of a processor for a site",
        ),
        Figure(
            f"{SITES} sites at once by bare Helm, as a multiple of one by site.yml",
            bare / one,
            "x",
            command=f"helm upgrade --install --wait, once for each release, {SITES} at a time",
            note=f"{bare:.3g} s: what this machine needs for the pods alone",
        ),
    ]


# site.yml out of a bundle


def bundle(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    """Both installations start from nothing. Images are in the cluster's registry either way, as a site's would be."""
    cluster.up()
    registry = f"{cluster.node_address.rpartition('.')[0]}.1:5001"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    with tempfile.TemporaryDirectory() as folder:
        made = cluster.play(
            *["bundle", "-e", f"bundle_output={folder}/bundle", "-e", f"bundle_source_registry={registry}"],
            *["-e", "bundle_source_insecure=true", "-e", json.dumps({"bundle_architectures": [architecture]})],
        )
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        load = {"bundle": f"{folder}/bundle", "bundle_registry": registry, "bundle_registry_insecure": True}
        cluster.play("remove", "--skip-tags", "helm")
        online = cluster.play("site").seconds
        cluster.play("remove", "--skip-tags", "helm")
        offline = cluster.play("site", "-e", json.dumps(load)).seconds
    return [
        Figure(
            "site.yml out of a bundle, as a multiple of site.yml",
            offline / online,
            "x",
            goal=1.1,
            command=f"{SITE} -e bundle=<folder>",
        ),
        Figure(
            "bundle.yml",
            made.seconds,
            "s",
            command="ansible-playbook playbooks/bundle.yml -i inventories/local -e bundle_output=<folder>",
            note=f"{size / MIB:.0f} MiB, {architecture}",
        ),
    ]


# make up


def changed_in(output: str) -> int:
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def noop(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    cluster.up()
    up = cluster.up()
    return [
        Figure(
            "make up, nothing to do", up.seconds, "s", goal=20, command=MAKE_UP, note=f"processor time {up.cpu:.1f} s"
        ),
        Figure("changed tasks of it", changed_in(up.output), "", goal=0, command=MAKE_UP),
    ]


def warm(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    """`make up` from both states in which a cluster with all its binaries and images can be down."""
    cluster.up()
    figures = []
    for state, what in {"stopped": "after a restart of the machine", "absent": "after make down"}.items():
        cluster.end(state)
        started = time.monotonic()
        up = cluster.up()
        cluster.wait_for_targets()
        seconds = time.monotonic() - started
        figures.append(
            Figure(
                f"make up {what}, until every target is up",
                seconds,
                "s",
                goal=90,
                command=MAKE_UP,
                note=f"make up itself {up.seconds:.1f} s, processor time {up.cpu:.1f} s",
            )
        )
    return figures


def cold(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    """`make up` from a fresh clone, with every cache empty. System packages stay: nobody wants them removed."""
    # A cluster of the same name and networks goes first; the programs that it was made of are not used.
    if (cluster.directory / "kubeconfig").exists():
        cluster.end("absent")
    folder = ROOT / ".local" / "bench-cold"
    shutil.rmtree(folder, ignore_errors=True)
    caches = folder / "caches"
    environment = {
        "XDG_CACHE_HOME": f"{caches}",
        "GOPATH": f"{caches}/go",
        "GOMODCACHE": f"{caches}/go/pkg/mod",
        "GOCACHE": f"{caches}/go-build",
        "PIP_CACHE_DIR": f"{caches}/pip",
        "ANSIBLE_HOME": f"{caches}/ansible",
    }
    try:
        run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder / "checkout")])
        with Cluster(folder / "checkout", environment) as fresh:
            started = time.monotonic()
            up = fresh.up()
            fresh.wait_for_targets()
            seconds = time.monotonic() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        Figure(
            "make up, nothing cached, until every target is up",
            seconds / 60,
            "min",
            goal=15,
            command="git clone, make up",
            note=f"make up itself {up.seconds / 60:.1f} min, processor time {up.cpu / 60:.1f} min;"
            " Go's, pip's and Ansible's caches empty",
        )
    ]


# What the lean profile takes

MONITORING = {
    "Prometheus": "monitoring/prometheus-server-",
    "kube-state-metrics": "monitoring/prometheus-kube-state-metrics-",
    "node-exporter": "monitoring/prometheus-node-exporter-",
    "Pushgateway": "monitoring/prometheus-pushgateway-",
    "metrics-server": "kube-system/metrics-server-",
}


def lean(cluster: Cluster, options: argparse.Namespace) -> list[Figure]:
    cluster.up()
    cluster.reinstall()
    cluster.wait_for_targets()
    say(f"leaving the cluster idle for {options.idle:.0f} s")
    time.sleep(options.idle)

    pods = cluster.pods()
    memory = {
        component: [bytes_ / MIB for name, bytes_ in pods.items() if name.startswith(prefix)]
        for component, prefix in MONITORING.items()
    }
    if absent := [component for component, sizes in memory.items() if not sizes]:
        sys.exit(f"bench: error: no pods of {', '.join(absent)}; found {', '.join(pods)}")
    # A record may have the label of the job that it is about; it comes from none.
    jobs = {
        each["metric"].get("job", "rules"): float(each["value"][1])
        for query in ('count by (job) ({__name__!="", __name__!~".+:.+"})', 'count({__name__=~".+:.+"})')
        for each in cluster.query(query)
    }
    groups = {"control plane": "control-plane", **{node: f"{node}/system.slice" for node in cluster.nodes()}}
    processes = {what: cluster.working_set(group) / MIB for what, group in groups.items()}
    api = "kubectl get --raw /api/v1/nodes/<node>/proxy/stats/summary"
    count = 'count({__name__!=""})'
    return [
        Figure(
            "active series",
            float(cluster.query(count)[0]["value"][1]),
            "",
            goal=3000,
            command=count,
            note=", ".join(f"{job} {number:.0f}" for job, number in sorted(jobs.items(), key=lambda item: -item[1])),
        ),
        Figure(
            "series in Prometheus' head",
            cluster.metric("prometheus_tsdb_head_series"),
            "",
            goal=3000,
            command="prometheus_tsdb_head_series",
        ),
        Figure("working set of Prometheus", sum(memory["Prometheus"]), "MiB", goal=90, command=api),
        Figure(
            "working set of the whole monitoring",
            sum(map(sum, memory.values())),
            "MiB",
            goal=220,
            command=api,
            note=", ".join(f"{len(sizes)} {component} {sum(sizes):.1f}" for component, sizes in memory.items()),
        ),
        Figure(
            "working set of the cluster's own processes",
            sum(processes.values()),
            "MiB",
            command=f"memory.stat of the cgroups {cluster.name}/control-plane and {cluster.name}/<node>/system.slice",
            note=", ".join(f"{what} {size:.0f}" for what, size in processes.items()),
        ),
    ]


# Benchmarks that are programs of their own


def program(name: str, *, needs: str = "programs") -> Callable[[Cluster, argparse.Namespace], list[Figure]]:
    """One that writes a JSON object a line with the fields of a figure, and finds the built programs by variable.

    It needs nothing, the built ``programs`` and the processors for itself, or the ``cluster``.
    """

    def measure(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
        programs = cluster.directory / "bin"
        if needs == "cluster" or (needs == "programs" and not (programs / "prometheus").exists()):
            cluster.up()
        if cluster.made and needs != "cluster":
            cluster.end("stopped")
        paths = {each.upper(): str(programs / each) for each in ("prometheus", "promtool", "helm", "kubectl")}
        paths["KUBECONFIG"] = str(cluster.directory / "kubeconfig")
        output = run([sys.executable, str(ROOT / "bench" / f"{name}.py")], env=cluster.env | paths, errors=None).output
        lines = [json.loads(line) for line in output.splitlines() if line.strip()]
        return [Figure(**{"command": f"bench/run {name}", **line}) for line in lines]

    return measure


@dataclass(frozen=True)
class Benchmark:
    title: str
    measure: Callable[[Cluster, argparse.Namespace], list[Figure]]
    #: How often, unless the user says otherwise.
    rounds: int = 3
    on_request: bool = False


# In this order; each finds the cluster as the one before has left it.
ALL = {
    "site": Benchmark("site.yml against bare Helm", site),
    "sites": Benchmark("Several sites", sites),
    "bundle": Benchmark("site.yml out of a bundle", bundle),
    "noop": Benchmark("make up with nothing to do", noop),
    "warm": Benchmark("make up with everything built", warm, rounds=1),
    "lean": Benchmark("The lean profile on three idle nodes", lean, rounds=1),
    "rules": Benchmark("The catalogue and its rules", program("rules"), rounds=1),
    "dashboards": Benchmark("Dashboards", program("dashboards"), rounds=1),
    "api": Benchmark("The Monitoring API beside a direct query", program("api"), rounds=2),
    "engine": Benchmark("The engine dask against bare Dask", program("engine", needs="nothing")),
    "compss": Benchmark("Applications, engine dask", program("compss", needs="cluster")),
    "cold": Benchmark("make up with nothing cached (some 14 minutes)", cold, rounds=1, on_request=True),
}
