"""The images of this collection on their way to the nodes: a containerd that has no registry gets them over SSH."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import ROOT, eventually, free_port

from ansible_collections.continuum.edge.plugins.module_utils import oci

from .test_kind import kind
from .test_refusals import extra, play

PROGRAMS = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") for name in ("containerd", "sshd")}
NAME = "ghcr.io/continuum-edge/tiny:1"


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    path.write_text(yaml.safe_dump({"continuum": {"hosts": {"garage-1": host}}}))
    return path


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "garage-1 has none of images_registry, images_loader and images_nodes"),
        ({"images_registry": "a:1", "images_nodes": ["garage-1"]}, "garage-1 has several of images_registry"),
        ({"images_nodes": ["garage-3"]}, "images_nodes names garage-3; the inventory has garage-1"),
        ({"images_registri": "a:1"}, "continuum.edge.images does not know images_registri"),
        ({"images_nodes": ["garage-1"], "images_architectures": ["s390x"]}, "value of images_architectures must be"),
    ],
)
def test_what_cannot_be_put_anywhere_is_refused_before_anything_is_built(
    hosts: Path, variables: dict[str, Any], words: str
) -> None:
    done = play("images.yml", hosts, *extra(**variables))
    assert done.returncode != 0
    assert words in done.stdout, done.stdout[-2000:]
    assert "build_image" not in done.stdout


@pytest.fixture
def layout(tmp_path: Path) -> oci.Layout:
    """An image of one small file."""
    layout = oci.Layout(tmp_path / "layout")
    subprocess.run(["tar", "-cf", tmp_path / "layer.tar", "-C", ROOT, "LICENSE"], check=True)
    layer = (tmp_path / "layer.tar").read_bytes()
    diff = layout.store(layer)
    config = oci.dump(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff]}}
    ).encode()
    manifest = oci.dump(
        {
            "schemaVersion": 2,
            "mediaType": oci.MANIFESTS[0],
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": layout.store(config),
                "size": len(config),
            },
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": diff, "size": len(layer)}],
        }
    ).encode()
    layout.write({NAME: {"mediaType": oci.MANIFESTS[0], "digest": layout.store(manifest), "size": len(manifest)}})
    return layout


@pytest.fixture
def containerd(tmp_path: Path) -> Iterator[list[str]]:
    """The command of ``ctr`` for a containerd of its own, which knows no registry."""
    if not PROGRAMS["containerd"] or os.getuid():
        pytest.skip("needs root and containerd; molecule/edge does the same on its sites")
    socket = tmp_path / "containerd.sock"
    configuration = tmp_path / "containerd.toml"
    configuration.write_text(f"""version = 2
root = "{tmp_path}/root"
state = "{tmp_path}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
""")
    with (
        (tmp_path / "containerd.log").open("w") as log,
        subprocess.Popen([PROGRAMS["containerd"], "--config", configuration], stderr=log) as server,
    ):
        try:
            yield ["ctr", "--address", str(socket)]
        finally:
            server.terminate()


@pytest.fixture
def over_ssh(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The variables of a host that is this machine, reached over SSH."""
    if not PROGRAMS["sshd"] or os.getuid():
        pytest.skip("needs root and an SSH server; molecule/edge does the same on its sites")
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    options = {
        "HostKey": tmp_path / "host_key",
        "ListenAddress": f"127.0.0.1:{port}",
        "AuthorizedKeysFile": tmp_path / "key.pub",
        "StrictModes": "no",
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
    }
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    with (
        (tmp_path / "sshd.log").open("w") as log,
        subprocess.Popen([PROGRAMS["sshd"], "-D", "-e", "-f", "/dev/null", *arguments], stderr=log) as server,
    ):
        try:
            yield {
                "ansible_host": "127.0.0.1",
                "ansible_port": port,
                "ansible_user": getpass.getuser(),
                "ansible_python_interpreter": sys.executable,
                "ansible_ssh_private_key_file": str(tmp_path / "key"),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={tmp_path}/known -o StrictHostKeyChecking=accept-new",
            }
        finally:
            server.terminate()


def test_containerd_imports_over_ssh(
    tmp_path: Path, layout: oci.Layout, containerd: list[str], over_ssh: dict[str, Any]
) -> None:
    book = tmp_path / "import.yml"
    variables = {"images_source": str(layout.folder), "images_host": "garage-1", "images_host_ctr": containerd}
    role = {"name": "continuum.edge.images", "tasks_from": "node"}
    book.write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "continuum",
                    "gather_facts": False,
                    "tasks": [{"ansible.builtin.include_role": role, "vars": variables}],
                }
            ]
        )
    )
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"continuum": {"hosts": {"garage-1": over_ssh}}}))
    images = [*containerd, "--namespace", "k8s.io", "images"]

    def listed() -> subprocess.CompletedProcess[str]:
        return subprocess.run([*images, "list"], capture_output=True, text=True, check=False)

    eventually(lambda: listed().returncode == 0, 30, "containerd answers")
    assert NAME not in listed().stdout
    checked, first, again = (play(str(book), hosts, *arguments) for arguments in (["--check"], [], []))
    assert ["changed=0" in done.stdout for done in (checked, first, again)] == [False, False, True], (
        checked.stdout + first.stdout + again.stdout
    )
    assert layout.images()[NAME]["digest"] in next(line for line in listed().stdout.splitlines() if NAME in line)
    # All of it is there, and its layers are unpacked.
    checked_image = subprocess.run([*images, "check"], capture_output=True, text=True, check=True).stdout
    assert "complete" in checked_image
    assert "true" in checked_image


@pytest.mark.slow
def test_kind_takes_the_command_of_its_inventory() -> None:
    """As far as it goes without containers: it looks for the cluster's nodes before it opens the archive."""
    variables = yaml.safe_load((ROOT / "inventories/kind/group_vars/all.yml").read_text())
    loader = [part.replace("{{ continuum_cluster }}", "edge") for part in variables["images_loader"]]
    nowhere = {"PATH": "", "KIND_EXPERIMENTAL_PROVIDER": "docker"}
    command = [str(kind()), *loader[1:], str(ROOT / "LICENSE")]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert 'exec: "docker": executable file not found' in done.stderr, done.stderr
