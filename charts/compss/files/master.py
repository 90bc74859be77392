"""The master's container: makes the workers ready, runs the application, and tells how it ended.

What stands after `master.py` is the command line of runcompss. master.json beside this file names the workers to wait
for (none: they come by themselves), the seconds to wait, and whether the results are kept. Runs on Python 3.8.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
RESULTS = Path(os.environ.get("RESULTS", "/results"))
CONTROL = Path(os.environ.get("CONTROL", "/run/compss"))
RUNS = ".COMPSs"  # what runcompss makes below --log_dir
LOOK = 1.0
GRACE = 10.0
MERGER = shutil.which("compss_gentrace")  # of COMPSs alone: the other engine writes its trace itself
TRACING = {"-t", "--tracing", "--tracing=true"}


class Worker(NamedTuple):
    """A node of project.xml, and the port of its ssh server from resources.xml."""

    name: str
    user: str
    port: str
    install: str
    working: str


class Tasks(NamedTuple):
    """What the runtime's state file tells of tasks."""

    open: int
    completed: int
    running: int


def workers_of(command: list[str]) -> dict[str, Worker]:
    """The workers that the command line's two XML files describe, by name."""
    given = dict(argument.split("=", 1) for argument in command if argument.startswith("--") and "=" in argument)
    ports = {
        node.get("Name"): node.findtext("Adaptors/Adaptor/Ports/SpawnerPort") or "22"
        for node in ElementTree.parse(given["--resources"]).getroot().iter("ComputeNode")
    }
    workers = {}
    for node in ElementTree.parse(given["--project"]).getroot().iter("ComputeNode"):
        name = node.get("Name") or ""
        texts = (node.findtext(tag) or "" for tag in ("User", "InstallDir", "WorkingDir"))
        user, install, working = texts
        workers[name] = Worker(name, user, ports[name], install, working)
    return workers


def make_ready(worker: Worker, deadline: float) -> str:
    """End what an earlier master left on a worker. Returns why COMPSs cannot start there, empty where it can."""
    ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "ConnectTimeout=5"]
    target = ["-p", worker.port, f"{worker.user}@{worker.name}" if worker.user else worker.name]
    asked = " ".join(map(shlex.quote, ["python3", str(HERE / "ready.py"), worker.install, worker.working]))
    while True:
        done = subprocess.run([*ssh, *target, asked], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            print(done.stdout, end="", flush=True)
            return ""
        lines = (done.stdout + done.stderr).strip().splitlines()
        reason = lines[-1] if lines else f"ssh ends with status {done.returncode}"
        # 255 is ssh's own: nobody listens there yet. A key that is refused stays refused.
        if done.returncode != 255 or "Permission denied" in reason or time.monotonic() > deadline:
            return reason
        time.sleep(0.3)


def tasks_of(folder: Path) -> Tasks | None:
    """The tasks of the run in a folder; None while nothing whole is written."""
    try:
        root = ElementTree.parse(folder / "monitor" / "COMPSs_state.xml").getroot()
        totals = root.findall("TasksInfo/Application")
        unfinished, completed = (
            sum(int(float(node.findtext(tag) or 0)) for node in totals) for tag in ("InProgress", "Completed")
        )
    except (OSError, ValueError, ElementTree.ParseError):
        return None
    # A worker that is being started has an action, too.
    running = sum("ExecutionAction" in (action.text or "") for action in root.iter("Action"))
    return Tasks(unfinished, completed, running)


def runs() -> dict[Path, int]:
    """The folders of runs, and when something was made in each."""
    folders = {}
    for path in (RESULTS / RUNS).glob("*"):
        try:
            folders[path] = path.stat().st_mtime_ns
        except OSError:
            continue  # runcompss takes the oldest of a hundred again
    return folders


class Application:
    """One call of runcompss."""

    def __init__(self, command: list[str], patience: float) -> None:
        self.command = command
        self.patience = patience
        # Options of runcompss have their values after an equals sign.
        self.script = Path(next((each for each in command if not each.startswith("-")), ""))
        self.child: subprocess.Popen[bytes] | None = None
        self.told_to_end = False
        self.stuck = ""
        self.before: dict[Path, int] = {}

    def signalled(self, number: int, _: Any) -> None:
        """The application ends in its own way; where there is none yet, nothing needs an end."""
        self.told_to_end = True
        if self.child is None:
            os._exit(128 + number)
        self.send(signal.SIGTERM)

    def send(self, number: int) -> None:
        """Send a signal to what runs now: not through Popen, which would take its status from `call`."""
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child.pid, number)

    @property
    def folder(self) -> Path | None:
        """Where this run writes: the newest folder of the script that has changed since the start."""
        changed = {path: when for path, when in runs().items() if self.before.get(path) != when}
        candidates = {path: when for path, when in changed.items() if path.name.startswith(f"{self.script.name}_")}
        return max(candidates, key=lambda path: candidates[path], default=None)

    def call(self, command: list[str], **options: Any) -> int:
        """Run a program to its end. Returns its status as a shell gives it.

        As the container's first process this one also collects the processes that others leave.
        """
        self.child = child = subprocess.Popen(command, **options)
        while True:
            pid, status = os.wait()
            if pid == child.pid:
                child.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
                return child.returncode

    def run(self, *, watched: bool) -> int:
        self.before = runs()
        if watched:
            threading.Thread(target=self.watch, daemon=True).start()
        status = self.call(["runcompss", *self.command])
        if self.stuck:
            print(f"ERROR: {self.stuck}", flush=True)
            return 1
        return status

    def watch(self) -> None:
        """End an application that can never go on: COMPSs itself waits for ever for a worker that can be started."""
        seen, since = None, time.monotonic()
        while True:
            time.sleep(LOOK)
            tasks = tasks_of(self.folder) if self.folder else None
            idle = tasks is not None and tasks.open > 0 and tasks.running == 0
            if not idle or tasks != seen:
                seen, since = tasks, time.monotonic()
            elif time.monotonic() - since > self.patience and tasks is not None:
                self.stuck = (
                    f"no worker can be started: {tasks.open} tasks have waited for {self.patience:g} s and none runs."
                    " Expected one worker at least; the logs of the workers' pods, and runtime.log, tell more."
                )
                self.send(signal.SIGTERM)
                time.sleep(GRACE)
                self.send(signal.SIGKILL)
                return

    def merge_trace(self, folder: Path) -> None:
        """Done here, since the runtime's own merging loses the exit status. What is wrong with it is a warning."""
        log = folder / "traceMerger.log"
        command = [str(MERGER), f"--trace_name={self.script.name}_compss", str(folder / "trace")]
        try:
            with log.open("ab") as output:
                status = self.call(command, stdout=output, stderr=subprocess.STDOUT)
            problem = f"compss_gentrace ends with status {status}, see {log.name}" if status else ""
        except OSError as error:
            problem = str(error)
        if problem:
            print(f"WARNING: the trace could not be merged: {problem}", flush=True)

    @property
    def traced(self) -> bool:
        place = next((place for place, each in enumerate(self.command) if not each.startswith("-")), None)
        return bool(TRACING & set(self.command[:place]))


def prepare(workers: dict[str, Worker], wanted: list[str], timeout: float) -> str:
    """Make the workers ready, side by side; what is wrong, where none of those that are to be there can be started.

    Those that there is only room for may be there, too, from an earlier master: they get one try.
    """
    deadline = time.monotonic() + timeout
    with ThreadPoolExecutor(32) as pool:
        tries = {
            name: pool.submit(make_ready, worker, deadline if name in wanted else 0) for name, worker in workers.items()
        }
        reasons = {name: tries[name].result() for name in wanted}
    wrong = {name: reason for name, reason in reasons.items() if reason}
    for name, reason in wrong.items():
        print(f"WARNING: worker {name} cannot be started: {reason}", flush=True)
    return f"no worker can be started within {timeout:g} s" if len(wrong) == len(wanted) else ""


def tell(status: int, started: float, folder: Path | None, *, keep: bool) -> None:
    """Say how the application ended: to the monitoring API, and to whoever opens the results later."""
    last = {
        "run": os.environ.get("COMPSS_RUN", ""),
        "status": status,
        "started": started,
        "ended": time.time(),
        "results": str(folder.relative_to(RESULTS)) if folder else "",
    }
    part = CONTROL / "ended.part"
    part.write_text(json.dumps(last) + "\n")
    if keep:
        shutil.copyfile(part, RESULTS / "last_run.json")
    part.rename(CONTROL / "ended")


def main(command: list[str]) -> int:
    settings = json.loads((HERE / "master.json").read_text())
    started = time.time()
    application = Application(command, settings["timeout"])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, application.signalled)
    wanted = settings["workers"]
    problem = prepare(workers_of(command), wanted, settings["timeout"]) if wanted else ""
    if problem:
        print(f"ERROR: {problem}", flush=True)
        tell(1, started, None, keep=settings["keep"])
        return 1
    status = application.run(watched=bool(wanted))
    folder = application.folder
    if folder and application.traced and MERGER and not application.told_to_end:
        application.merge_trace(folder)
    tell(status, started, folder, keep=settings["keep"])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
