"""A run that is killed anywhere while it makes what the cluster's processes stand on: the next one makes the rest."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
NAME = "torn"
VARIABLES = {
    "local_cluster_name": NAME,
    "local_cluster_node_subnet": "10.91.0.0/24",
    "local_cluster_pod_subnet": "10.235.0.0/16",
    "local_cluster_service_subnet": "10.115.0.0/16",
    "local_cluster_nodes": [{}],
    "local_cluster_published_ports": [],
}
PROGRAMS = ("ip", "iptables", "mkdir", "mount", "nsenter", "rm", "sysctl", "touch", "umount", "unshare")
# Kills everything of the script after that many calls of programs; the call itself still does what it does. Only calls
# that change something count.
SHIM = """#!/bin/sh
case "$*" in *" show "* | *" pids "* | *" -C "* | "-n "* | *findmnt*) exec {program} "$@" ;; esac
echo >> {calls}
{program} "$@"
status=$?
[ "$(wc -l < {calls})" != "$KILL_AFTER" ] || kill -KILL 0
exit $status
"""
# All that the script makes, without what differs from one time to the next: the kernel tells a carrier with delay, so
# of links only whether they are set up; findmnt lists by the mounts' ids, which the kernel gives anew.
STATE = f"""
ip -brief -4 address show up dev {NAME}0 | awk '{{print $1, $3}}'
ip -brief link show up master {NAME}0 | awk '{{print $1}}' | sed 's,@if[0-9]*,,'
ip route | grep {NAME}0 | sed 's, linkdown,,'
ip -netns {NAME}-1 -brief -4 address show up | awk '{{print $1, $3}}' | sed 's,@if[0-9]*,,'
ip -netns {NAME}-1 route | sed 's, linkdown,,'
nsenter --mount=$DIR/nodes/{NAME}-1/ns/mnt findmnt -rno SOURCE,TARGET,PROPAGATION | grep -F $DIR | sort
find /sys/fs/cgroup -type d -path '*/{NAME}*' | sort
iptables -S | grep {NAME}
iptables -t nat -S | grep {NAME}
"""


def captured(state: str, directory: Path, tmp_path: Path) -> str:
    """The script that the role runs for that state: the last one that it gives to a shell."""
    shell = tmp_path / f"shell-{state}"
    shell.mkdir()
    (shell / "bash").write_text(f'#!/bin/sh\ntee {shell}/script | {shutil.which("bash")} "$@"\n')
    (shell / "bash").chmod(0o755)
    variables = {**VARIABLES, "local_cluster_dir": str(directory), "local_cluster_state": state}
    play = ["ansible-playbook", "playbooks/local_cluster.yml", "-i", "inventories/local", "--check"]
    done = subprocess.run(
        [*play, "-e", json.dumps(variables)],
        cwd=PROJECT,
        env={**os.environ, "PATH": f"{shell}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (shell / "script").read_text()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / NAME
    for needed in ("bin", f"etc/{NAME}-1/cni"):
        (made / needed).mkdir(parents=True)
    (made / "bin" / "kube").touch()
    return made


@pytest.fixture
def up(directory: Path, tmp_path: Path) -> str:
    made, _, _ = captured("present", directory, tmp_path).partition("# What an earlier description had")
    assert "make_mounts" in made
    return made


@pytest.fixture
def down(directory: Path, tmp_path: Path) -> Iterator[str]:
    script = captured("stopped", directory, tmp_path)
    yield script
    run(script)


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", "-s"],
        input=script,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        start_new_session=True,
        timeout=60,
    )


def test_killed_after_any_call(directory: Path, up: str, down: str, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    shims = tmp_path / "shims"
    shims.mkdir()
    for program in PROGRAMS:
        (shims / program).write_text(SHIM.format(calls=calls, program=shutil.which(program)))
        (shims / program).chmod(0o755)
    path = f"{shims}:{os.environ['PATH']}"

    whole = run(up, PATH=path)
    assert whole.returncode == 0, whole.stderr
    number = len(calls.read_text())
    expected = run(STATE, DIR=str(directory)).stdout
    assert expected.count("\n") > 15, expected
    assert run(up).stdout == ""

    for last in range(1, number + 1):
        run(down)
        calls.write_text("")
        run(up, PATH=path, KILL_AFTER=str(last))
        again = run(up)
        assert again.returncode == 0, f"killed after call {last}: {again.stderr}"
        assert run(STATE, DIR=str(directory)).stdout == expected, f"killed after call {last}"


def test_nodes_of_a_longer_list_end_too(down: str) -> None:
    subprocess.run(["ip", "netns", "add", f"{NAME}-7"], check=True)
    subprocess.run(["ip", "netns", "add", f"{NAME}-7-7"], check=True)  # it belongs to another cluster
    try:
        assert f"network of {NAME}-7\n" in run(down).stdout
        assert run(f"ip netns list | grep -w ^{NAME}").stdout.split() == [f"{NAME}-7-7"]
    finally:
        subprocess.run(["ip", "netns", "del", f"{NAME}-7-7"], check=True)


def test_what_is_mounted_for_a_cluster_below_stays(directory: Path, down: str) -> None:
    other = directory / "other" / "volumes"
    other.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(other)], check=True)
    try:
        run(down)
        assert other.is_mount()
    finally:
        subprocess.run(["umount", str(other)], check=True)
