"""What is measured: each benchmark brings the cluster into its state, and returns figures."""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml
from cluster import ROOT, Cluster, Done, run, say
from report import Figure

MIB = 1024 * 1024
MAKE_UP = "make up"
SITE = "ansible-playbook playbooks/site.yml -i inventories/local"


def each_of(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def median_of(times: list[Done]) -> float:
    return statistics.median(done.seconds for done in times)


# Against bare Helm


def site(cluster: Cluster, options: argparse.Namespace) -> list[Figure]:
    """Both install the same releases from nothing, by turns, so that what else the machine does hits both alike."""
    cluster.up()
    releases = [
        (release["name"], release["namespace"], json.loads(cluster.helm("get", "metadata", *where).output)["chart"])
        for release in json.loads(cluster.helm("list", "--all-namespaces", "--output", "json").output)
        if not release["chart"].startswith("compss-")  # applications are no part of site.yml
        for where in [[release["name"], "--namespace", release["namespace"], "--output", "json"]]
    ]
    if foreign := [chart for *_, chart in releases if not (ROOT / "charts" / chart).is_dir()]:
        sys.exit(
            f"bench: error: no charts/{', charts/'.join(foreign)}: only our own charts can be installed side by side"
        )
    ours: list[Done] = []
    bare: list[list[Done]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, namespace, _ in releases:
            values = cluster.helm("get", "values", name, "--namespace", namespace, "--output", "json").output
            Path(folder, f"{name}.json").write_text(values)

        def uninstall() -> None:
            for name, namespace, _ in releases:
                cluster.helm("uninstall", name, "--namespace", namespace, "--wait", "--cascade", "foreground")

        for _ in range(options.rounds):
            uninstall()
            ours.append(cluster.play("site"))
            uninstall()
            bare.append(
                [
                    cluster.helm(
                        *["upgrade", "--install", name, str(ROOT / "charts" / chart), "--namespace", namespace],
                        *["--create-namespace", "--values", f"{folder}/{name}.json", "--wait", "--timeout", "5m"],
                    )
                    for name, namespace, chart in releases
                ]
            )
    ours_seconds = [done.seconds for done in ours]
    bare_seconds = [sum(done.seconds for done in each) for each in bare]
    # Round by round: the rounds differ more than the two of one round.
    ratios = [a / b for a, b in zip(ours_seconds, bare_seconds, strict=True)]
    return [
        Figure(
            "site.yml, as a multiple of bare Helm",
            statistics.median(ratios),
            "x",
            goal=1.25,
            command=SITE,
            note=f"{', '.join(name for name, *_ in releases)}; rounds {each_of(ratios)}",
        ),
        Figure("site.yml", statistics.median(ours_seconds), "s", command=SITE, note=f"rounds {each_of(ours_seconds)}"),
        Figure(
            "bare Helm",
            statistics.median(bare_seconds),
            "s",
            command="helm upgrade --install --wait, once for each release",
            note=f"rounds {each_of(bare_seconds)}",
        ),
    ]


# Several sites


SITES = 10
RELEASES = {"prometheus": "edge-monitoring", "grafana-dashboards": "grafana-dashboards"}


def sites(cluster: Cluster, options: argparse.Namespace) -> list[Figure]:
    """Each is a context of the one cluster, with namespaces and ports of its own; without metrics-server, whose API is
    there once. Bare Helm installs the same, to show what the machine allows."""
    cluster.up()
    cluster.play("remove", "-e", "remove_volumes=true", "--skip-tags", "helm,metrics_server")
    names = [f"site-{number}" for number in range(1, SITES + 1)]
    access = yaml.safe_load((cluster.directory / "kubeconfig").read_text())
    access["contexts"] = [{"name": name, "context": access["contexts"][0]["context"]} for name in names]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(SITES) as pool:
        Path(folder, "kubeconfig").write_text(json.dumps(access))
        hosts = {
            name: {
                "continuum_cluster": name,
                "continuum_kubeconfig": f"{folder}/kubeconfig",
                "continuum_context": name,
                "continuum_helm": f"{cluster.directory}/bin/helm",
                "prometheus_namespace": name,
                "grafana_namespace": name,
                "prometheus_node_port": 0,
                "prometheus_values": {"nodeExporter": {"port": 9200 + number}},
                # So rarely that it plays no part: each would scrape the pods of all ten, which no real site does.
                "prometheus_scrape_interval": "5m",
                "prometheus_rate_window": "20m",
            }
            for number, name in enumerate(names)
        }
        Path(folder, "hosts.yml").write_text(json.dumps({"continuum": {"hosts": hosts}}))

        def play(playbook: str, limit: list[str], *arguments: str) -> Done:
            there = ["-i", f"{folder}/hosts.yml", "--limit", ",".join(limit), "--skip-tags", "metrics_server,helm"]
            return cluster.play(playbook, *there, *arguments)

        def remove() -> None:
            play("remove", names, "-e", "remove_volumes=true")

        def keep_values(name: str) -> None:
            for release in RELEASES:
                values = cluster.helm("get", "values", release, "--namespace", name, "--output", "json").output
                Path(folder, f"{name}-{release}.json").write_text(values)

        def bare(name: str) -> None:
            for release, chart in RELEASES.items():
                cluster.helm(
                    *["upgrade", "--install", release, str(ROOT / "charts" / chart), "--namespace", name],
                    *["--create-namespace", "--values", f"{folder}/{name}-{release}.json", "--wait", "--timeout", "5m"],
                )

        first, second, ten, by_helm = [], [], [], []
        try:
            for _ in range(options.rounds):
                first.append(play("site", names[:1]).seconds)
                second.append(play("site", names[:2]).seconds)
                remove()
                ten.append(play("site", names))
                list(pool.map(keep_values, names))
                remove()
                started = time.monotonic()
                list(pool.map(bare, names))
                by_helm.append(time.monotonic() - started)
                remove()
        finally:
            remove()
            cluster.play("site")
    seconds = [done.seconds for done in ten]
    return [
        Figure(
            "second site beside an installed one, as a multiple of the first",
            statistics.median(b / a for a, b in zip(first, second, strict=True)),
            "x",
            goal=1.2,
            command=f"{SITE} --limit site-1,site-2",
            note=f"first {each_of(first)} s, with the second {each_of(second)} s",
        ),
        Figure(
            f"{SITES} sites at once, as a multiple of one",
            statistics.median(b / a for a, b in zip(first, seconds, strict=True)),
            "x",
            goal=3,
            command=f"{SITE} --limit {names[0]},...,{names[-1]}",
            note=f"{each_of(seconds)} s; {SITES} contexts of one cluster, whose pods share the processors; of these, "
            f"site.yml takes {statistics.median(done.cpu for done in ten) / SITES:.2g} s for a site",
        ),
        Figure(
            f"{SITES} sites at once by bare Helm, as a multiple of one by site.yml",
            statistics.median(b / a for a, b in zip(first, by_helm, strict=True)),
            "x",
            command=f"helm upgrade --install --wait, once for each release, {SITES} at a time",
            note=f"{each_of(by_helm)} s: what this machine needs for the pods alone",
        ),
    ]


# Out of a bundle


def bundle(cluster: Cluster, options: argparse.Namespace) -> list[Figure]:
    """Both from nothing, by turns. The images are in the cluster's registry either way, as a site's would be."""
    cluster.up()
    registry = f"{cluster.node_address.rpartition('.')[0]}.1:5001"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    online: list[Done] = []
    offline: list[Done] = []
    with tempfile.TemporaryDirectory() as folder:
        made = cluster.play(
            *["bundle", "-e", f"bundle_output={folder}/bundle", "-e", f"bundle_source_registry={registry}"],
            *["-e", "bundle_source_insecure=true", "-e", json.dumps({"bundle_architectures": [architecture]})],
        )
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        load = {"bundle": f"{folder}/bundle", "bundle_registry": registry, "bundle_registry_insecure": True}
        for _ in range(options.rounds):
            cluster.play("remove", "--skip-tags", "helm")
            online.append(cluster.play("site"))
            cluster.play("remove", "--skip-tags", "helm")
            offline.append(cluster.play("site", "-e", json.dumps(load)))
    ratios = [b.seconds / a.seconds for a, b in zip(online, offline, strict=True)]
    return [
        Figure(
            "site.yml out of a bundle, as a multiple of site.yml",
            statistics.median(ratios),
            "x",
            goal=1.1,
            command=f"{SITE} -e bundle=<folder>",
            note=f"rounds {each_of(ratios)}",
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


def noop(cluster: Cluster, options: argparse.Namespace) -> list[Figure]:
    cluster.up()
    times = [cluster.up() for _ in range(options.rounds)]
    changed = max(changed_in(done.output) for done in times)
    return [
        Figure(
            "make up, nothing to do",
            median_of(times),
            "s",
            goal=20,
            command=MAKE_UP,
            note=f"rounds {each_of(done.seconds for done in times)};"
            f" processor time {statistics.median(done.cpu for done in times):.1f} s",
        ),
        Figure("changed tasks of it", changed, "", goal=0, command=MAKE_UP),
    ]


def warm(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
    """From both states in which a cluster with all its binaries and images can be down."""
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
    """From a fresh clone, with every cache empty. System packages stay: to remove them is not ours."""
    # One of the same name and networks; the programs that it was made of are not used.
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


# The lean profile

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
    if absent := [component for component, found in memory.items() if not found]:
        sys.exit(f"bench: error: no pods of {', '.join(absent)}; found {', '.join(pods)}")
    # A record may have the label of the job that it is about; it comes from none.
    jobs = {
        each["metric"].get("job", "rules"): float(each["value"][1])
        for query in ('count by (job) ({__name__!="", __name__!~".+:.+"})', 'count({__name__=~".+:.+"})')
        for each in cluster.query(query)
    }
    groups = {"control plane": "control-plane", **{node: f"{node}/system.slice" for node in cluster.nodes()}}
    own = {what: cluster.working_set(group) / MIB for what, group in groups.items()}
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
            note=", ".join(f"{len(found)} {component} {sum(found):.1f}" for component, found in memory.items()),
        ),
        Figure(
            "working set of the cluster's own processes",
            sum(own.values()),
            "MiB",
            command=f"memory.stat of the cgroups {cluster.name}/control-plane and {cluster.name}/<node>/system.slice",
            note=", ".join(f"{what} {size:.0f}" for what, size in own.items()),
        ),
    ]


# Programs of their own


def program(name: str, on_cluster: bool = False) -> Callable[[Cluster, argparse.Namespace], list[Figure]]:
    """One that writes a JSON object a line with the fields of a figure, and finds the built programs by variable."""

    def measure(cluster: Cluster, _: argparse.Namespace) -> list[Figure]:
        path = ROOT / "bench" / name
        if not path.is_file():
            say(f"{path} is not there: left out")
            return []
        programs = cluster.directory / "bin"
        if on_cluster or not (programs / "prometheus").exists():
            cluster.up()
        if cluster.made and not on_cluster:
            # It needs the processors for itself.
            cluster.end("stopped")
        found = {each.upper(): str(programs / each) for each in ("prometheus", "promtool", "helm", "kubectl")}
        found["KUBECONFIG"] = str(cluster.directory / "kubeconfig")
        output = run([str(path)], env=cluster.env | found, errors=None).output
        return [Figure(**json.loads(line)) for line in output.splitlines() if line.strip()]

    return measure


@dataclass(frozen=True)
class Benchmark:
    title: str
    measure: Callable[[Cluster, argparse.Namespace], list[Figure]]
    on_request: bool = False


# In this order; each finds the cluster as the one before has left it.
ALL = {
    "site": Benchmark("site.yml against bare Helm", site),
    "sites": Benchmark("Several sites", sites),
    "bundle": Benchmark("site.yml out of a bundle", bundle),
    "noop": Benchmark("make up with nothing to do", noop),
    "warm": Benchmark("make up with everything built", warm),
    "lean": Benchmark("The lean profile on three idle nodes", lean),
    "rules": Benchmark("The catalogue and its rules", program("rules")),
    "dashboards": Benchmark("Dashboards", program("dashboards")),
    "compss": Benchmark("Applications, engine dask", program("compss", on_cluster=True)),
    "cold": Benchmark("make up with nothing cached (some 14 minutes)", cold, on_request=True),
}
