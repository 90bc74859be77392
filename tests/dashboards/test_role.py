"""What roles/grafana hands to its charts, for each documented variable, and what the charts make of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import program

from .conftest import FILES, ROOT, load

Json = dict[str, Any]
HERE = Path(__file__).resolve().parent / "role"
SPECS = yaml.safe_load((ROOT / "roles/grafana/meta/argument_specs.yml").read_text())["argument_specs"]["main"][
    "options"
]

TOLERATION = {"key": "edge", "operator": "Exists"}
LOKI = {"name": "Loki", "uid": "loki", "type": "loki", "secureJsonData": {"token": "$__file{/etc/secrets/token}"}}
# Variable, a value that is not the default, where it goes ("chart" or "dashboards", then keys), and what must be there.
ROWS: list[tuple[str, Any, str, Any]] = [
    ("grafana_release", "board", "chart/fullnameOverride", "board"),
    ("grafana_image_registry", "registry.example:5000", "chart/global/imageRegistry", "registry.example:5000"),
    ("grafana_image", {"repository": "mine/grafana", "tag": "13.2.0"}, "chart/image/repository", "mine/grafana"),
    ("grafana_plugins", ["grafana-clock-panel 2.1.8"], "chart/plugins", ["grafana-clock-panel 2.1.8"]),
    ("grafana_node_port", 31999, "chart/service/nodePort", 31999),
    ("grafana_external_url", "https://g.example/", "chart/grafana.ini/server/root_url", "https://g.example/"),
    ("grafana_ingress", {"hosts": ["g.example"]}, "chart/ingress", {"hosts": ["g.example"], "enabled": True}),
    ("grafana_admin_secret", "known", "chart/admin/existingSecret", "known"),
    ("grafana_admin_user_key", "name", "chart/admin/userKey", "name"),
    ("grafana_admin_password_key", "word", "chart/admin/passwordKey", "word"),
    ("grafana_storage_enabled", True, "chart/persistence/enabled", True),
    ("grafana_storage_size", "3Gi", "chart/persistence/size", "3Gi"),
    ("grafana_storage_class", "fast", "chart/persistence/storageClassName", "fast"),
    ("grafana_storage_keep", False, "chart/persistence/annotations", None),
    ("grafana_ini", {"users": {"default_theme": "light"}}, "chart/grafana.ini/users/default_theme", "light"),
    ("grafana_resources", {"limits": {"memory": "1Gi"}}, "chart/resources", {"limits": {"memory": "1Gi"}}),
    ("grafana_node_selector", {"disk": "ssd"}, "chart/nodeSelector", {"disk": "ssd"}),
    ("grafana_tolerations", [TOLERATION], "chart/tolerations", [TOLERATION]),
    ("grafana_values", {"podLabels": {"a": "b"}}, "chart/podLabels/a", "b"),
    ("grafana_prometheus_url", "http://p:9090", "dashboards/datasources/content/datasources/0/url", "http://p:9090"),
    ("grafana_datasource_uid", "here", "dashboards/datasources/content/datasources/0/uid", "here"),
    ("grafana_datasource_name", "Here", "dashboards/datasources/content/datasources/0/name", "Here"),
    ("grafana_datasource_default", False, "dashboards/datasources/content/datasources/0/isDefault", False),
    (
        "grafana_datasource_interval",
        "10s",
        "dashboards/datasources/content/datasources/0/jsonData/timeInterval",
        "10s",
    ),
    ("grafana_datasources_extra", [LOKI], "dashboards/datasources/content/datasources/1", LOKI),
    ("grafana_dashboards_dir", str(HERE / "site"), "dashboards/dashboards/items/garage-gate-1/folder", "Garage"),
    ("grafana_dashboards_folder", "Own", "dashboards/dashboards/items/own-door/folder", "Own"),
    ("grafana_dashboard_label", "board", "dashboards/dashboards/label", "board"),
    ("grafana_dashboard_label_value", "yes", "dashboards/dashboards/labelValue", "yes"),
    ("grafana_datasource_label", "source", "dashboards/datasources/label", "source"),
    ("grafana_datasource_label_value", "yes", "dashboards/datasources/labelValue", "yes"),
    ("grafana_folder_annotation", "folder", "dashboards/dashboards/folderAnnotation", "folder"),
]
RESULTS = "https://results.example/${namespace}/${application}/"
PAGE = "https://page.example"
# These are not handed to a chart: what is installed and where, and what a test of its own looks at.
ELSEWHERE = {
    "grafana_state",
    "grafana_flavour",
    "grafana_namespace",
    "grafana_timeout",
    "grafana_chart",
    "grafana_chart_repo",
    "grafana_chart_version",
    "grafana_api_url",
    "grafana_admin_user",
    "grafana_dashboards_enabled",
    "grafana_community_dashboards",
    "grafana_community_url",
    "grafana_community_folder",
    "grafana_community_cache",
    "grafana_results_url",
    "grafana_page_url",
}
COMMUNITY = {"title": "Far", "uid": "far", "panels": [{"targets": [{"legendFormat": "{{pod}}"}]}]}


def ansible(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / ".venv/bin/ansible-playbook", *arguments]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def community() -> Iterator[str]:
    """A stand-in for grafana.com with one dashboard, which counts nothing and forgets nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            exists = self.path == "/api/dashboards/315/revisions/3/download"
            self.send_response(200 if exists else 404)
            self.end_headers()
            self.wfile.write(json.dumps(COMMUNITY).encode() if exists else b'{"message": "not found"}')

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/dashboards"
    server.shutdown()


@pytest.fixture(scope="module")
def sites(community: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """The values of every site, by one run of Ansible: a site is a host."""
    work = tmp_path_factory.mktemp("values")
    near = {"grafana_community_url": community, "grafana_community_cache": str(work / "cache")}
    variables = {
        "defaults": {},
        "everything": {variable: value for variable, value, _, _ in ROWS},
        "inside": {"grafana_node_port": 0, "grafana_dashboards_enabled": False, "grafana_storage_enabled": True},
        "community": {
            **near,
            "grafana_community_dashboards": [{"id": 315, "revision": 3}],
            "grafana_community_folder": "Far away",
            "grafana_results_url": RESULTS,
            "grafana_page_url": PAGE,
        },
    }
    shared = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "output": str(work),
    }
    inventory = work / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"vars": shared, "hosts": variables}}))
    done = ansible(HERE / "values.yml", "-i", inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: load(work / f"{name}.json") for name in variables}


def at(values: Any, path: str) -> Any:
    for key in path.split("/"):
        values = values[int(key)] if isinstance(values, list) else (values or {}).get(key)
    return values


def reach(values: Any, path: str) -> Any:
    try:
        return at(values, path)
    except (IndexError, KeyError, AttributeError):
        return None


@pytest.mark.parametrize(("variable", "value", "path", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_variable_reaches_its_chart(
    sites: dict[str, Json], variable: str, value: Any, path: str, expected: Any
) -> None:
    assert value != SPECS[variable].get("default")
    assert reach(sites["everything"], path) == expected
    # "no annotations" is only telling where the volume has some otherwise.
    other = "inside" if variable == "grafana_storage_keep" else "defaults"
    assert reach(sites[other], path) != expected


def test_every_variable_is_checked() -> None:
    assert {row[0] for row in ROWS} | ELSEWHERE == set(SPECS)


def test_defaults_are_those_of_the_documentation(sites: dict[str, Json]) -> None:
    chart = sites["defaults"]["chart"]
    assert chart["service"] == {"type": "NodePort", "nodePort": 31001}
    assert chart["admin"]["existingSecret"] == "grafana-admin"
    assert chart["ingress"] == {"enabled": False}
    assert chart["persistence"]["enabled"] is False
    assert sites["inside"]["chart"]["service"] == {"type": "ClusterIP"}
    assert sites["inside"]["chart"]["deploymentStrategy"] == {"type": "Recreate"}


def test_our_dashboards_are_handed_over_unchanged(sites: dict[str, Json]) -> None:
    items = sites["defaults"]["dashboards"]["dashboards"]["items"].values()
    contents = {(item["folder"], item["file"]): item["content"] for item in items}
    assert contents == {(path.parent.name, path.name): path.read_text() for path in FILES}
    assert sites["inside"]["dashboards"]["dashboards"]["items"] == {}


def test_shared_dashboards_get_our_data_source(sites: dict[str, Json]) -> None:
    gate = json.loads(at(sites["everything"], "dashboards/dashboards/items/garage-gate-1/content"))
    assert gate["panels"][0]["datasource"] == {"uid": "here"}
    assert gate["panels"][0]["targets"] == [{"expr": 'up{room="attic"}', "legendFormat": "{{instance}}"}]


def test_community_dashboards_come_by_number_and_revision(sites: dict[str, Json]) -> None:
    item = at(sites["community"], "dashboards/dashboards/items/far-away-315-3")
    assert item["folder"] == "Far away"
    assert json.loads(item["content"]) == COMMUNITY


@pytest.mark.parametrize(("name", "url"), [("results", RESULTS), ("page", PAGE)])
def test_links_of_an_application(sites: dict[str, Json], name: str, url: str) -> None:
    path = "dashboards/dashboards/items/compss-compss-application/content"
    for site, expected in (("community", url), ("defaults", f"/#grafana_{name}_url-is-not-set")):
        variables = json.loads(at(sites[site], path))["templating"]["list"]
        assert next(v["query"] for v in variables if v["name"] == name) == expected


def test_provisioning_mounts_what_the_dashboards_chart_makes(sites: dict[str, Json], tmp_path: Path) -> None:
    """Every ConfigMap that the pod mounts is made by the other release, and every one made is mounted."""
    for site, values in sites.items():
        volumes = {volume["name"]: volume for volume in values["chart"]["extraContainerVolumes"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in values["chart"]["extraVolumeMounts"]}
        assert set(volumes) == set(mounts), site
        release = values["chart"]["fullnameOverride"] + "-dashboards"
        made = {
            o["metadata"]["name"]: o for o in template("grafana-dashboards", release, values["dashboards"], tmp_path)
        }
        wanted = {volumes["datasources"]["configMap"]["name"]}
        for name, volume in volumes.items():
            for source in volume.get("projected", {}).get("sources", []):
                wanted.add(source["configMap"]["name"])
                folder = made[source["configMap"]["name"]]["metadata"]["annotations"]
                assert list(folder.values()) == [Path(mounts[name]).name], site
        assert wanted == set(made), site
        provisioning = yaml.safe_load(made[f"{release}-datasources"]["data"]["datasources.yaml"])
        assert provisioning == values["dashboards"]["datasources"]["content"]
        home = reach(values, "chart/grafana.ini/dashboards/default_home_dashboard_path")
        if home:
            file = made[f"{release}-platform-cluster"]["data"]
            assert Path(home).name in file
            assert str(Path(home).parent) in mounts.values()


def template(chart: str | Path, release: str, values: Json, work: Path) -> list[Json]:
    file = work / "values.json"
    file.write_text(json.dumps(values))
    path = ROOT / "charts" / chart
    command = [program("helm"), "template", release, str(path), "-n", "monitoring", "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.fixture(scope="module")
def upstream() -> Path:
    folder = os.environ.get("CONTINUUM_CHARTS")
    if not folder:
        pytest.skip("CONTINUUM_CHARTS names no folder with charts: rendering with the upstream chart is left out")
    version = SPECS["grafana_chart_version"]["default"]
    for candidate in (Path(folder) / f"grafana-{version}.tgz", Path(folder) / "grafana"):
        if candidate.exists():
            return candidate
    return pytest.fail(f"no grafana-{version}.tgz and no folder grafana in CONTINUUM_CHARTS={folder}")


@pytest.mark.parametrize("site", ["defaults", "everything", "inside", "community"])
def test_upstream_chart_takes_the_values(upstream: Path, sites: dict[str, Json], site: str, tmp_path: Path) -> None:
    values = sites[site]["chart"]
    objects = template(upstream, "test", values, tmp_path)

    def of_kind(kind: str) -> list[Json]:
        return [o for o in objects if o["kind"] == kind]

    pod = of_kind("Deployment")[0]["spec"]["template"]["spec"]
    mounted = {mount["mountPath"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert {mount["mountPath"] for mount in values["extraVolumeMounts"]} <= mounted
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} <= volumes
    assert not of_kind("Secret"), "the password is in a Secret of the role, and the chart makes none"
    assert not of_kind("ClusterRole")
    service = of_kind("Service")[0]["spec"]
    assert service["type"] == values["service"]["type"]
    assert service["ports"][0].get("nodePort") == values["service"].get("nodePort")
    environment = {e["name"]: e.get("valueFrom", {}) for e in pod["containers"][0]["env"]}
    key = environment["GF_SECURITY_ADMIN_PASSWORD"]["secretKeyRef"]
    assert key == {"name": values["admin"]["existingSecret"], "key": values["admin"]["passwordKey"]}
    config = next(o["data"] for o in of_kind("ConfigMap") if "grafana.ini" in o["data"])
    providers = yaml.safe_load(config["dashboardproviders.yaml"])["providers"]
    assert providers[0]["options"]["path"] == "/etc/grafana/dashboards"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt": ({"grafana_flavor": "chart"}, "does not know grafana_flavor"),
    "secret": (
        {"grafana_datasources_extra": [{"secureJsonData": {"token": "abc"}}]},
        "secret in plain text in secureJsonData.token",
    ),
    "flavour": ({"grafana_flavour": "lean"}, "value of grafana_flavour must be one of: chart, dashboards"),
    "revision": (
        {"grafana_community_dashboards": [{"id": 315, "revision": 9}], "grafana_community_url": "{community}"},
        "Dashboard 315 in revision 9 cannot be had",
    ),
    "twice": ({"grafana_dashboards_dir": "{twice}"}, "have one uid"),
    "broken": ({"grafana_dashboards_dir": "{broken}"}, "is no dashboard"),
}


def test_wrong_input_is_refused_by_name(community: str, tmp_path: Path, subtests: Any) -> None:
    """One run for all: a site is a host."""
    for folder, files in {"twice": ("a", "b"), "broken": ("c",)}.items():
        (tmp_path / folder).mkdir()
        for file in files:
            text = "<html>" if folder == "broken" else json.dumps({"title": file, "uid": "same"})
            (tmp_path / folder / f"{file}.json").write_text(text)
    places = {"{community}": community, "{twice}": str(tmp_path / "twice"), "{broken}": str(tmp_path / "broken")}
    hosts = {
        name: {
            variable: places.get(value, value) if isinstance(value, str) else value for variable, value in given.items()
        }
        for name, (given, _) in WRONG.items()
    }
    shared = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "grafana_community_cache": str(tmp_path / "cache"),
        # Nobody answers at this address: a role that gets as far as this has refused nothing.
        "continuum_kubeconfig": str(tmp_path / "nobody"),
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"continuum": {"vars": shared, "hosts": hosts}}))
    done = ansible("playbooks/site.yml", "-i", inventory, "--tags", "grafana", "--check")
    for name, (_, text) in WRONG.items():
        with subtests.test(name):
            failures = [part for part in re.split(r"\n(?:fatal|failed): ", done.stdout) if part.startswith(f"[{name}]")]
            assert failures, done.stdout[-3000:]
            assert text in " ".join(failures[0].split())
