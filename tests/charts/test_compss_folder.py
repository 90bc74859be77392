"""How the folder of an application reaches the pods: as files of a ConfigMap, or as an archive that the master hands on."""

import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tools import eventually, free_port

from ansible_collections.continuum.edge.plugins.module_utils import application_folder

from .conftest import Render
from .test_charts import Template
from .test_compss import configuration, one

DIGEST = "ab" * 32
ARCHIVE = {"engine": "dask", "app": {"source": {"archive": DIGEST}}}


def test_files_keep_paths_and_modes(application: Render) -> None:
    source = {
        "files": {"matmul.py": "pass", "lib/deep/größe der Kräne.csv": "a;b", "bin/tool": "#!/bin/sh"},
        "binaryFiles": {"data/x.bin": "/wD+"},
        "executables": ["bin/tool"],
    }
    objects = application({"engine": "dask", "app": {"source": source}})
    kept = one(objects, "ConfigMap", "-app")
    for kind in ("Job", "StatefulSet"):
        spec = next(o for o in objects if o["kind"] == kind)["spec"]["template"]["spec"]
        (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "app"]
        items = {item["path"]: item for item in volume["configMap"]["items"]}
        assert {path: kept["data"][items[path]["key"]] for path in source["files"]} == source["files"]
        assert kept["binaryData"][items["data/x.bin"]["key"]] == "/wD+"
        assert [path for path, item in items.items() if item.get("mode") == 0o755] == ["bin/tool"]
        assert all(re.fullmatch("[-._a-zA-Z0-9]{1,253}", item["key"]) for item in items.values())


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "a//b", "."])
def test_paths_out_of_the_folder_are_refused(application_template: Template, path: str) -> None:
    done = application_template({"engine": "dask", "app": {"source": {"files": {path: ""}}}})
    assert done.returncode != 0
    assert f"invalid propertyName '{path}'" in done.stderr


@pytest.mark.parametrize("engine", ["dask", "compss"])
def test_an_archive_is_unpacked_before_the_application_starts(application: Render, engine: str) -> None:
    objects = application({**ARCHIVE, "engine": engine})
    for kind, mode in {"Job": "serve", "StatefulSet": "get"}.items():
        spec = next(o for o in objects if o["kind"] == kind)["spec"]["template"]["spec"]
        (first,) = [c for c in spec["initContainers"] if c["name"] == "application"]
        assert first["command"][2:] == [mode, DIGEST, "/app", "test"]
        assert first.get("restartPolicy") == ("Always" if mode == "serve" else None)
        assert ("startupProbe" in first) == (mode == "serve")
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for mount in first["volumeMounts"]} <= volumes
        assert "app" in {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    assert 8081 in [port["port"] for port in one(objects, "Service", "test")["spec"]["ports"]]
    rule = one(objects, "NetworkPolicy", "-master")["spec"]["ingress"][0]
    assert 8081 in [port["port"] for port in rule["ports"]]


def test_an_archive_needs_the_claim_that_keeps_it(application_template: Template) -> None:
    done = application_template({**ARCHIVE, "results": {"enabled": False}})
    assert done.returncode != 0
    assert "expected the claim of the results" in done.stderr


@contextmanager
def running(script: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", script, *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def tree(root: Path) -> dict[str, Any]:
    """Names, modes, contents and where links lead."""
    return {
        str(path.relative_to(root)): (
            stat.S_IMODE(path.lstat().st_mode) if path.is_file() and not path.is_symlink() else None,
            path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None,
        )
        for path in root.rglob("*")
    }


def test_master_and_workers_see_the_same_tree(application: Render, tmp_path: Path) -> None:
    """The program of the pods itself, with a folder of this machine in the place of the claim."""
    source = tmp_path / "source"
    for number in range(30):
        path = source / f"package{number % 5}" / "deep" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"NUMBER = {number}\n")
    (source / "data ü.bin").write_bytes(bytes(range(256)) * 80_000)
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    (source / "link").symlink_to("tool")
    (source / "empty").mkdir()
    kept, port = tmp_path / "claim" / ".application", str(free_port())
    script = configuration(application(ARCHIVE))["application.py"]
    script = script.replace("/results/.application", str(kept)).replace("8081", port)
    compile(script, "application.py", "exec")
    kept.mkdir(parents=True)
    (kept / "old.tgz").write_bytes(b"of another run")
    places = {name: tmp_path / name for name in ("master", "one", "two")}
    for place in places.values():
        place.mkdir()
    with (
        running(script, "serve", DIGEST, str(places["master"]), "x") as master,
        running(script, "get", DIGEST, str(places["one"]), "127.0.0.1") as one_worker,
    ):
        # It is handed over while they wait for it.
        threading.Timer(
            1, lambda: application_folder.pack(application_folder.read(source), kept / f"{DIGEST}.tgz")
        ).start()
        assert one_worker.wait(timeout=60) == 0
        with running(script, "get", DIGEST, str(places["two"]), "127.0.0.1") as another:
            assert another.wait(timeout=60) == 0
        assert master.poll() is None
    for place in places.values():
        assert tree(place) == tree(source)
    eventually(lambda: not (kept / "old.tgz").exists())
