"""The programs of charts/compss/files on this machine: real ssh servers for workers, and a stand-in for COMPSs.

The configuration is what Helm renders; only names, ports and paths become this machine's.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import eventually, free_port, program

from .conftest import ROOT

HERE = Path(__file__).parent
CHART = ROOT / "charts" / "compss"
WORKERS = 2
TASKS = """
import os, signal, sys, time
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task

@task(returns=int)
def double(number):
    time.sleep({seconds})
    return 2 * number

if __name__ == "__main__":
    assert compss_wait_on([double(number) for number in range({number})]) == [2 * number for number in range({number})]
    {end}
"""


def tasks(end: str = "", number: int = 4, seconds: float = 0) -> str:
    """A script of so many tasks, each of so many seconds, and how it ends."""
    return TASKS.format(end=end, number=number, seconds=seconds)


LONG = tasks(number=400, seconds=0.1)


class Machine:
    """What the pods of a release have, in folders and processes of this machine."""

    def __init__(self, folder: Path, values: dict[str, Any]) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in ("2222", "43001", "43002")}
        self.servers: dict[int, subprocess.Popen[bytes]] = {}
        for name in ("config", "control", "keys", "results", "work", "app"):
            (folder / name).mkdir()
        # The image, for the master and for each worker.
        for place in ("opt", *(f"opt{number}" for number in range(WORKERS))):
            shutil.copytree(HERE / "standin", folder / place)
        for name in ("ssh-privatekey", "ssh_host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "keys" / name], check=True)
        shutil.copy(folder / "keys" / "ssh-privatekey.pub", folder / "keys" / "authorized_keys")
        self.render(values)
        binaries = folder / "bin"
        binaries.mkdir()
        (binaries / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config/ssh.conf "$@"\n')
        (folder / "java" / "bin").mkdir(parents=True)
        shutil.copy(HERE / "standin" / "java", folder / "java" / "bin" / "java")
        for path in binaries.iterdir():
            path.chmod(0o755)

    def render(self, values: dict[str, Any]) -> None:
        """The ConfigMap's files and the containers, as Helm renders them, on this machine."""
        command = [program("helm"), "template", "app", str(CHART), "-f", "-"]
        done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=True)
        objects = [each for each in yaml.safe_load_all(self.here(done.stdout)) if each]
        files = next(each["data"] for each in objects if each["kind"] == "ConfigMap" and "master.py" in each["data"])
        for name, text in files.items():
            (self.folder / "config" / name).write_text(text)
        project = ElementTree.fromstring(files["project.xml"].encode())  # noqa: S314
        for number, node in enumerate(project.iter("ComputeNode")):
            node.find("InstallDir").text = f"{self.folder}/opt{number}/COMPSs/"  # type: ignore[union-attr]
            node.find("WorkingDir").text = f"{self.folder}/work{number}/"  # type: ignore[union-attr]
        ElementTree.ElementTree(project).write(self.folder / "config" / "project.xml")
        (self.folder / "config" / "ssh.conf").write_text(files["master_ssh.conf"])
        job = next(each for each in objects if each["kind"] == "Job" and "hook" not in str(each["metadata"]))
        (self.master,) = job["spec"]["template"]["spec"]["containers"]
        self.worker = next(each for each in objects if each["kind"] == "StatefulSet")["spec"]["template"]["spec"]
        self.name = next(each["metadata"]["name"] for each in objects if each["kind"] == "StatefulSet")

    def here(self, text: str) -> str:
        text = re.sub(
            r"[-a-z]+-[0-9a-f]{6}-worker-([0-9])[.][-a-z]+-workers", lambda m: f"127.0.0.{int(m[1]) + 1}", text
        )
        places = {
            "/opt/COMPSs": f"{self.folder}/opt/COMPSs",
            "/tmp/compss": f"{self.folder}/work",
            "/etc/compss-ssh": f"{self.folder}/keys",
            "/etc/compss": f"{self.folder}/config",
            "/run/compss": f"{self.folder}/control",
            "--log_dir=/results": f"--log_dir={self.folder}/results",
            "/app/": f"{self.folder}/app/",
            "User compss": "User root",
            "<User>compss<": "<User>root<",
            "PermitRootLogin no": "PermitRootLogin yes",
        }
        for old, new in {**places, **self.ports}.items():
            text = text.replace(old, str(new))
        return text

    def environment(self, container: dict[str, Any], **more: str) -> dict[str, str]:
        """What a container of the image has, and what the chart adds."""
        image = {
            "PATH": f"{self.folder}/bin:{self.folder}/opt/COMPSs/Runtime/scripts/user:{Path(sys.executable).parent}:/usr/bin:/bin",
            "JAVA_HOME": f"{self.folder}/java",
            "RESULTS": f"{self.folder}/results",
            "CONTROL": f"{self.folder}/control",
            "KEYS": f"{self.folder}/keys",
        }
        return {**image, **{each["name"]: each["value"] for each in container["env"] if "value" in each}, **more}

    def start_worker(self, number: int) -> None:
        """Its ssh server, on an address of its own."""
        control = self.folder / f"control{number}"
        control.mkdir(exist_ok=True)
        config = self.folder / f"config{number}"
        shutil.copytree(self.folder / "config", config, dirs_exist_ok=True)
        text = (config / "sshd_config").read_text().replace("/control/", f"/control{number}/")
        (config / "sshd_config").write_text(f"ListenAddress 127.0.0.{number + 1}\n{text}")
        (container,) = self.worker["containers"]
        environment = self.environment(container, CONTROL=str(control), COMPSS_WORKER_NAME=f"worker-{number}")
        command = [sys.executable, str(config / "worker.py"), *container["args"]]
        with (self.folder / f"worker{number}.log").open("wb") as log:
            self.servers[number] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def run(self, script: str, *, cwd: str | None = None, **environment: str) -> subprocess.Popen[bytes]:
        """The master's container, started."""
        (self.folder / "app" / "matmul.py").write_text(script)
        for path in (self.folder / "control").iterdir():
            path.unlink()
        everything = self.environment(self.master, COMPSS_RUN="abc123", **environment)
        command = [sys.executable, *self.master["command"][1:], *self.master["args"]]
        where = cwd or self.folder / "work"
        with (self.folder / "master.log").open("wb") as log:
            return subprocess.Popen(command, cwd=where, env=everything, stdout=log, stderr=log)

    def outcome(self, master: subprocess.Popen[bytes], seconds: float = 60) -> tuple[int, str]:
        """How it ended, and its log."""
        try:
            master.wait(seconds)
        except subprocess.TimeoutExpired:
            master.kill()
            pytest.fail(f"the master has not ended within {seconds} s: {self.log}")
        return master.returncode, self.log

    @property
    def log(self) -> str:
        return (self.folder / "master.log").read_text()

    @property
    def last(self) -> dict[str, Any]:
        record = json.loads((self.folder / "results" / "last_run.json").read_text())
        assert json.loads((self.folder / "control" / "ended").read_text()) == record
        return dict(record)

    def processes(self, program: str = "NIOWorker") -> list[int]:
        """Those that run a program of this machine's stand-ins."""
        pids = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            # A process that has just ended can no longer be read.
            with contextlib.suppress(OSError):
                text = path.read_bytes().decode(errors="replace")
                if f"{self.folder}/opt" in text and program in text:
                    pids.append(int(path.parent.name))
        return pids

    def end(self, program: str = "NIOWorker") -> None:
        for pid in self.processes(program):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        for server in self.servers.values():
            server.kill()
            server.wait()
        self.end()


@pytest.fixture
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    if not Path("/usr/sbin/sshd").exists() or os.geteuid() != 0:
        pytest.skip("needs root and an ssh server for workers: apt-get install openssh-server")
    Path("/run/sshd").mkdir(exist_ok=True)
    values: dict[str, Any] = getattr(request, "param", {})
    machine = Machine(tmp_path, values)
    try:
        for number in range(WORKERS):
            machine.start_worker(number)
        yield machine
    finally:
        machine.remove()


def options(*names: str) -> dict[str, Any]:
    return {"compss": {"master": {"options": list(names), "workerTimeout": 20}}}


QUICK = {"compss": {"master": {"workerTimeout": 3}}}
GIVEN_UP = "raise RuntimeError('what went wrong')"
ENDS = [("", 0), ("sys.exit(1)", 1), ("sys.exit(2)", 2), ("sys.exit(3)", 3), (GIVEN_UP, 1)]
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("machine", [{}, options("-d", "-g", "-t")], indirect=True, ids=["default options", "-d -g -t"])
def test_status_and_results_of_every_end(machine: Machine) -> None:
    """Whatever the options are: the status is the application's, and what it left is where last_run.json says."""
    traced = "-t" in machine.master["args"]
    for number, (end, status) in enumerate([*ENDS, (KILLED, 137)], 1):
        code, log = machine.outcome(machine.run(tasks(end)))
        assert code == status, log
        last = machine.last
        assert (last["run"], last["status"]) == ("abc123", status)
        assert last["results"] == f".COMPSs/matmul.py_0{number}"
        left = machine.folder / "results" / last["results"]
        assert "<Completed>4<" in (left / "monitor" / "COMPSs_state.xml").read_text()
        if end != KILLED:
            assert (left / "monitor" / "complete_graph.dot").read_text().count("double") == 4
            assert (left / "trace" / "matmul.py_compss.prv").exists() == traced
        else:
            # The merging of a trace that was not written fails; that is no reason for another status.
            assert ("WARNING: the trace could not be merged" in log) == traced


@pytest.mark.parametrize("machine", [options("-t")], indirect=True)
def test_a_trace_is_drawn_with_a_row_for_each_worker(machine: Machine) -> None:
    assert machine.outcome(machine.run(tasks(number=40, seconds=0.1)))[0] == 0
    trace = machine.folder / "results" / machine.last["results"] / "trace" / "matmul.py_compss.prv"
    picture = machine.folder / "timeline.svg"
    timeline = ROOT / "roles" / "compss" / "files" / "timeline.py"
    subprocess.run([sys.executable, timeline, trace, picture], check=True)
    assert [f"worker {number} [1]" in picture.read_text() for number in (1, 2, 3)] == [True, True, False]


def test_the_working_directory_is_writable(machine: Machine) -> None:
    """The chart's own working folder can be written; the root file system cannot."""
    assert machine.master["workingDir"] == "/tmp"
    assert machine.worker["containers"][0]["workingDir"] == "/tmp"


def test_workers_hand_the_environment_on_to_tasks(machine: Machine) -> None:
    machine.remove()
    machine.render({"deadlines": {"double": {"seconds": 2.5, "jitter": 0.5}}, "fullnameOverride": "my-app"})
    for number in range(WORKERS):
        machine.start_worker(number)
    _, log = machine.outcome(machine.run(tasks(number=40, seconds=0.1)))
    line = next(line for line in log.splitlines() if line.startswith("127.0.0.1: status 0"))
    assert "COMPSS_WORKER_NAME=worker-0" in line
    assert "COMPSS_APPLICATION=my-app" in line
    assert "COMPSS_TELEMETRY_REDIS=my-app:6379" in line
    assert "COMPSS_DEADLINES=double=2.5+0.5" in line
    assert f"java of {machine.folder}/java -Xmx256m" in line


def test_a_second_and_a_third_master_find_no_leftovers(machine: Machine) -> None:
    for _ in range(3):
        master = machine.run(LONG)
        eventually(lambda: len(machine.processes()) == WORKERS, 30)
        # A worker makes its folder after it has started.
        eventually((machine.folder / "work0").is_dir, 30)
        (machine.folder / "work0" / "d1v2.IT").touch()
        master.send_signal(signal.SIGKILL)
        master.wait()
        # The kernel ends what the master of a pod had started; here the test does.
        machine.end("/opt/COMPSs/Runtime/scripts/user/runcompss")
    assert len(machine.processes()) == WORKERS, "the stand-in leaves nothing behind: this test shows nothing"
    code, log = machine.outcome(machine.run(tasks()))
    assert code == 0, log
    assert log.count("processes that an earlier master had left") == WORKERS
    assert not (machine.folder / "work0" / "d1v2.IT").exists()


@pytest.mark.parametrize("machine", [QUICK], indirect=True)
def test_without_any_worker_the_application_ends_with_that_sentence(machine: Machine) -> None:
    machine.remove()
    code, log = machine.outcome(machine.run(tasks()))
    assert code == 1
    assert "WARNING: worker 127.0.0.1 cannot be started: ssh: connect to host 127.0.0.1" in log
    assert log.splitlines()[-1] == "ERROR: no worker can be started within 3 s"
    assert (machine.last["status"], machine.last["results"]) == (1, "")


@pytest.mark.parametrize("machine", [QUICK], indirect=True)
def test_workers_without_compss_are_told_of(machine: Machine) -> None:
    for number in range(WORKERS):
        (machine.folder / f"opt{number}/COMPSs/Runtime/scripts/system/adaptors/nio/persistent_worker.sh").unlink()
    code, log = machine.outcome(machine.run(tasks()))
    assert code == 1
    assert "cannot be started: there is no COMPSs in" in log


@pytest.mark.parametrize("machine", [QUICK], indirect=True)
def test_an_application_that_can_never_go_on_is_ended(machine: Machine) -> None:
    """Both ports of each worker are held by somebody whom no master may end: COMPSs itself waits for ever."""
    with contextlib.ExitStack() as held:
        for number in range(WORKERS):
            for port in (machine.ports["43001"], machine.ports["43002"]):
                held.enter_context(socket.create_server((f"127.0.0.{number + 1}", port)))
        code, log = machine.outcome(machine.run(tasks()))
    assert code == 1, log
    assert "ERROR: no worker can be started: 1 tasks have waited for 3 s and none runs." in log
    assert machine.last["status"] == 1


@pytest.mark.parametrize("machine", [{"compss": {"worker": {"number": 1, "max": 2}}}], indirect=True)
def test_a_worker_that_comes_late_gets_tasks(machine: Machine) -> None:
    machine.servers[1].kill()
    machine.servers.pop(1).wait()
    master = machine.run(LONG)
    eventually(lambda: len(machine.processes()) == 1, 30)
    machine.start_worker(1)
    eventually(lambda: len(machine.processes()) == 2, 30)
    # It is told that its worker runs a moment after the process does.
    eventually(lambda: "127.0.0.2: status 0" in machine.log, 30)
    master.terminate()
    code, _ = machine.outcome(master)
    assert code == 143
    assert machine.last["status"] == 143
